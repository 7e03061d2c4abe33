"""Names of states and countries. Unknown names and codes are kept as written."""

from collections.abc import Mapping

from mappings.addresses.states import STATES, STATES_BY_NAME
from mappings.order import Address
from mappings.text import casefold_ascii_same_length, match_key

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
#: Spellings that are recognised without a country, normalized by `match_key`.
MEXICO_CITY_NAMES = {"cdmx", "cmx", "df", "distritofederal", "ciudaddemexico", "mexicocity", "mexicodf", "mexicocdmx"}

COUNTRIES = {"MX": "México", "AR": "Argentina"}
#: States that are also a city: other names of the city.
ALSO_CITIES = {"Ciudad Autónoma de Buenos Aires": ("Buenos Aires",)}
#: Country -> state -> other names of both in a line, normalized by `casefold_ascii_same_length`.
REGION_NAMES = {
    country: {
        state.name: frozenset(
            casefold_ascii_same_length(name)
            for name in (
                COUNTRIES[country],
                state.shopify,
                state.iso,
                *state.other_names,
                *ALSO_CITIES.get(state.name, ()),
            )
            if len(name) > 1
        )
        for state in states
    }
    for country, states in STATES.items()
}
#: Normalized by `match_key`.
COUNTRY_NAMES = {
    "mexico": "MX",
    "mejico": "MX",
    "mex": "MX",
    "estadosunidosmexicanos": "MX",
    "argentina": "AR",
    "arg": "AR",
    "republicaargentina": "AR",
}


def address_if_locatable(address: Address | None) -> Address | None:
    """Return the address if it locates anything, else None: some platforms write a country on every order."""
    if address is None:
        return None
    locating_fields = (
        address.line1,
        address.line2,
        address.street,
        address.district,
        address.city,
        address.postal_code,
    )
    return address if any(locating_fields) else None


def resolve_state_name(
    written: str | None, *, code: str | None = None, country: str | None, codes: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Return a state's official name in Spanish if `code` or `written` is one of the country's, else as written.

    The same letters are another state in another country ("AR" is Arkansas), so they count only with the country.
    """
    names_by_code = codes.get(country or "", {})
    for text in (code, written):
        if text and text.upper() in names_by_code:
            return names_by_code[text.upper()]
    state = written or code
    if state is None:
        return None
    if match := STATES_BY_NAME.get(country or "", {}).get(match_key(state)):
        return match.name
    return MEXICO_CITY if country in {"MX", None} and match_key(state) in MEXICO_CITY_NAMES else state


def resolve_country_code(code: str | None, name: str | None = None) -> str | None:
    """Return the ISO 3166-1 alpha-2 code: `code`, or that of a known country's name, or else the text as written."""
    written = code or name
    if written is None:
        return None
    return written.upper() if len(written) == 2 else COUNTRY_NAMES.get(match_key(written), written)
