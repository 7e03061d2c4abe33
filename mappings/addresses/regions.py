"""Names of states and countries. Text that is no known name or code passes as written."""

from collections.abc import Mapping

from mappings.addresses.municipalities import MUNICIPALITIES
from mappings.addresses.states import BY_NAME, STATES
from mappings.addresses.street_parser import Surroundings
from mappings.addresses.vocabulary import flatten
from mappings.order import Address
from mappings.text import squeeze

SHOPIFY_STATES: dict[str, dict[str, str]] = {
    country: {code: state.name for state in states for code in (state.iso, state.shopify)}
    for country, states in STATES.items()
}
WOOCOMMERCE_STATES: dict[str, dict[str, str]] = {
    country: {state.woocommerce: state.name for state in states} for country, states in STATES.items()
}
#: Tiendanube writes provinces in words.
TIENDANUBE_STATES: dict[str, dict[str, str]] = {}

MEXICO_CITY = "Ciudad de México"
#: Ways in which people write it where no country is given, as `squeeze` writes them.
MEXICO_CITY_NAMES = {"cdmx", "cmx", "df", "distritofederal", "ciudaddemexico", "mexicocity", "mexicodf", "mexicocdmx"}

COUNTRIES = {"MX": "México", "AR": "Argentina"}
#: States that are a city by another name.
ALSO_CITIES = {"Ciudad Autónoma de Buenos Aires": ("Buenos Aires",)}
#: Country, then state: what else names them in a line, as `flatten` writes it.
PLACES = {
    country: {
        state.name: frozenset(
            flatten(name)
            for name in (COUNTRIES[country], state.shopify, state.iso, *state.others, *ALSO_CITIES.get(state.name, ()))
            if len(name) > 1
        )
        for state in states
    }
    for country, states in STATES.items()
}
#: As `squeeze` writes them.
COUNTRY_NAMES = {
    "mexico": "MX",
    "mejico": "MX",
    "mex": "MX",
    "estadosunidosmexicanos": "MX",
    "argentina": "AR",
    "arg": "AR",
    "republicaargentina": "AR",
}


def with_place(address: Address | None) -> Address | None:
    """Return an address by which anything can be found, else None: some platforms write a country on every order."""
    if address is None:
        return None
    found_by = (address.line1, address.line2, address.street, address.district, address.city, address.postal_code)
    return address if any(found_by) else None


def name_state(
    written: str | None, *, code: str | None = None, country: str | None, codes: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Return a state's official name in Spanish where `code` or `written` is one of the country's; else as written.

    The same letters are another state in another country ("AR" is Arkansas), so they count only with the country.
    """
    known = codes.get(country or "", {})
    for text in (code, written):
        if text and text.upper() in known:
            return known[text.upper()]
    state = written or code
    if state is None:
        return None
    if found := BY_NAME.get(country or "", {}).get(squeeze(state)):
        return found.name
    return MEXICO_CITY if country in {"MX", None} and squeeze(state) in MEXICO_CITY_NAMES else state


def code_country(code: str | None, name: str | None = None) -> str | None:
    """Return the ISO 3166-1 alpha-2 code: as given, else of a country whose name we know, else what was written."""
    written = code or name
    if written is None:
        return None
    return written.upper() if len(written) == 2 else COUNTRY_NAMES.get(squeeze(written), written)


def look_around(address: Address) -> Surroundings:
    """Return what the address's own fields tell about its lines: people repeat the city there, and the state's code."""
    state = address.state or ""
    own = {flatten(name) for name in (address.city, state, address.postal_code) if name and len(name) > 1}
    return Surroundings(
        country=address.country,
        places=PLACES.get(address.country or "", {}).get(state, frozenset()) | own,
        municipalities=MUNICIPALITIES.get(flatten(state), frozenset()),
    )
