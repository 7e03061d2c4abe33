"""Names of states and countries, and which postcodes belong where. Text that is no known code passes as written."""

import re
from collections.abc import Mapping

from mappings.address_marks import flatten
from mappings.municipalities import MUNICIPALITIES
from mappings.order import Address
from mappings.streets import Surroundings
from mappings.text import fold

#: Provinces of Argentina: ISO 3166-2:AR letters, the same on Shopify and WooCommerce.
ARGENTINA = {
    "A": "Salta",
    "B": "Buenos Aires",
    "C": "Ciudad Autónoma de Buenos Aires",
    "D": "San Luis",
    "E": "Entre Ríos",
    "F": "La Rioja",
    "G": "Santiago del Estero",
    "H": "Chaco",
    "J": "San Juan",
    "K": "Catamarca",
    "L": "La Pampa",
    "M": "Mendoza",
    "N": "Misiones",
    "P": "Formosa",
    "Q": "Neuquén",
    "R": "Río Negro",
    "S": "Santa Fe",
    "T": "Tucumán",
    "U": "Chubut",
    "V": "Tierra del Fuego",
    "W": "Corrientes",
    "X": "Córdoba",
    "Y": "Jujuy",
    "Z": "Santa Cruz",
}

#: https://github.com/Shopify/worldwide, data/regions/MX.yml and AR.yml with their alternate codes, read 2026-11-21.
SHOPIFY_STATES: dict[str, dict[str, str]] = {
    "AR": ARGENTINA,
    "MX": {
        "AGS": "Aguascalientes",
        "AGU": "Aguascalientes",
        "BC": "Baja California",
        "BCN": "Baja California",
        "BCS": "Baja California Sur",
        "CAMP": "Campeche",
        "CAM": "Campeche",
        "CHIS": "Chiapas",
        "CHP": "Chiapas",
        "CHIH": "Chihuahua",
        "CHH": "Chihuahua",
        "DF": "Ciudad de México",
        "CMX": "Ciudad de México",
        "CDMX": "Ciudad de México",
        "COAH": "Coahuila",
        "COA": "Coahuila",
        "COL": "Colima",
        "DGO": "Durango",
        "DUR": "Durango",
        "GTO": "Guanajuato",
        "GUA": "Guanajuato",
        "GRO": "Guerrero",
        "HGO": "Hidalgo",
        "HID": "Hidalgo",
        "JAL": "Jalisco",
        "MEX": "México",
        "MICH": "Michoacán",
        "MIC": "Michoacán",
        "MOR": "Morelos",
        "NAY": "Nayarit",
        "NL": "Nuevo León",
        "NLE": "Nuevo León",
        "OAX": "Oaxaca",
        "PUE": "Puebla",
        "QRO": "Querétaro",
        "QUE": "Querétaro",
        "Q ROO": "Quintana Roo",
        "ROO": "Quintana Roo",
        "SLP": "San Luis Potosí",
        "SIN": "Sinaloa",
        "SON": "Sonora",
        "TAB": "Tabasco",
        "TAMPS": "Tamaulipas",
        "TAM": "Tamaulipas",
        "TLAX": "Tlaxcala",
        "TLA": "Tlaxcala",
        "VER": "Veracruz",
        "YUC": "Yucatán",
        "ZAC": "Zacatecas",
    },
}

#: https://github.com/woocommerce/woocommerce, plugins/woocommerce/i18n/states.php, read 2026-11-21.
WOOCOMMERCE_STATES: dict[str, dict[str, str]] = {
    "AR": ARGENTINA,
    "MX": {
        "DF": "Ciudad de México",
        "JA": "Jalisco",
        "NL": "Nuevo León",
        "AG": "Aguascalientes",
        "BC": "Baja California",
        "BS": "Baja California Sur",
        "CM": "Campeche",
        "CS": "Chiapas",
        "CH": "Chihuahua",
        "CO": "Coahuila",
        "CL": "Colima",
        "DG": "Durango",
        "GT": "Guanajuato",
        "GR": "Guerrero",
        "HG": "Hidalgo",
        "MX": "Estado de México",
        "MI": "Michoacán",
        "MO": "Morelos",
        "NA": "Nayarit",
        "OA": "Oaxaca",
        "PU": "Puebla",
        "QT": "Querétaro",
        "QR": "Quintana Roo",
        "SL": "San Luis Potosí",
        "SI": "Sinaloa",
        "SO": "Sonora",
        "TB": "Tabasco",
        "TM": "Tamaulipas",
        "TL": "Tlaxcala",
        "VE": "Veracruz",
        "YU": "Yucatán",
        "ZA": "Zacatecas",
    },
}

#: Tiendanube writes provinces in words; these are the two of its checkout that are none of the 24.
#: Unverified: no page lists them. "Gran Buenos Aires" is the part of Buenos Aires around the capital.
TIENDANUBE_STATES: dict[str, dict[str, str]] = {
    "AR": {
        "CAPITAL FEDERAL": ARGENTINA["C"],
        "CABA": ARGENTINA["C"],
        "GRAN BUENOS AIRES": ARGENTINA["B"],
    }
}

MEXICO_CITY = "Ciudad de México"
#: Ways in which people write it, without blanks, dots and accents.
MEXICO_CITY_NAMES = {"cdmx", "cmx", "df", "distritofederal", "ciudaddemexico", "mexicocity", "mexicodf", "mexicocdmx"}

#: Other names that people write for a state.
ALIASES = {
    MEXICO_CITY: frozenset({"CDMX", "DF", "México DF", "Ciudad de México"}),
    ARGENTINA["C"]: frozenset({"Buenos Aires", "Capital", "Bs As"}),
}
COUNTRIES = {"MX": ("México",), "AR": ("Argentina",)}
COUNTRY_NAMES = {"mexico": "MX", "argentina": "AR"}


def with_place(address: Address | None) -> Address | None:
    """Return an address by which anything can be found, else None: some platforms write a country on every order."""
    if address is None:
        return None
    found_by = (address.line1, address.line2, address.street, address.district, address.city, address.postal_code)
    return address if any(found_by) else None


def name_state(
    written: str | None, *, code: str | None = None, country: str | None, codes: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Return a state's official name in Spanish where `code` (or what was written) is one of the country's codes.

    The same letters are another state in another country ("AR" is Arkansas), so codes count only with the country.
    """
    known = codes.get(country or "", {})
    for text in (code, written):
        if text and text.upper() in known:
            return known[text.upper()]
    state = written or code
    if state and country in {"MX", None} and re.sub(r"[^a-z]", "", fold(state)) in MEXICO_CITY_NAMES:
        return MEXICO_CITY
    return state


def code_country(code: str | None, name: str | None = None) -> str | None:
    """Return the ISO 3166-1 alpha-2 code: as given, else of a country whose name we know, else what was written."""
    written = code or name
    if written is None:
        return None
    return written.upper() if len(written) == 2 else COUNTRY_NAMES.get(fold(written), written)


def complete_postal_code(code: str | None, *, country: str | None, state: str | None) -> str | None:
    """Return a postcode with what spreadsheets take from it: blanks out, and a lost first zero where it is sure.

    Mexican codes that begin with 0 are Mexico City's, and no other state's (SEPOMEX gives it 00 to 16).
    """
    if code is None or country != "MX":
        return code
    code = code.replace(" ", "")
    has_lost_zero = len(code) == 4 and code.isascii() and code.isdigit() and state == MEXICO_CITY
    return "0" + code if has_lost_zero else code


def look_around(address: Address) -> Surroundings:
    """Return what the address's own fields tell about its lines: people repeat the city there, and the state's code."""
    country, state = address.country or "", address.state
    names = {address.city, state, address.postal_code, *COUNTRIES.get(country, ())}
    for codes in (SHOPIFY_STATES, TIENDANUBE_STATES):
        names |= {code for code, name in codes.get(country, {}).items() if name == state}
    names |= ALIASES.get(state or "", frozenset())
    return Surroundings(
        country=address.country,
        places=frozenset(flatten(name) for name in names if name and len(name) > 1),
        municipalities=MUNICIPALITIES.get(flatten(state or ""), frozenset()),
    )
