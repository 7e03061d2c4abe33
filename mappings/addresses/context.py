"""What the other fields of an address say about its lines."""

from dataclasses import dataclass

from mappings.addresses.municipalities import MUNICIPALITIES
from mappings.addresses.regions import REGION_NAMES
from mappings.order import Address
from mappings.text import casefold_ascii_same_length


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressContext:
    """What an address's other fields say. Names are normalized by `casefold_ascii_same_length`."""

    country: str | None = None  # ISO 3166-1 alpha-2
    region_names: frozenset[str] = frozenset()  # names that only repeat the city, the state or the country
    municipalities: frozenset[str] = frozenset()  # names of the state's municipalities, which are not neighbourhoods


def build_address_context(address: Address) -> AddressContext:
    """Return what the address's other fields say about its lines, in which people repeat the city and the state."""
    state = address.state or ""
    own_names = {
        casefold_ascii_same_length(name)
        for name in (address.city, state, address.postal_code)
        if name and len(name) > 1
    }
    return AddressContext(
        country=address.country,
        region_names=REGION_NAMES.get(address.country or "", {}).get(state, frozenset()) | own_names,
        municipalities=MUNICIPALITIES.get(casefold_ascii_same_length(state), frozenset()),
    )
