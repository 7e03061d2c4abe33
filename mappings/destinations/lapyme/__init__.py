"""LaPyme: an ERP of Argentina. Writes POST /api/v1/orders."""

from mappings.destinations.lapyme.account import LapymeAccount
from mappings.destinations.lapyme.destination import Lapyme
from mappings.destinations.lapyme.request import LapymeOrderRequest
from mappings.destinations.lapyme.schema import LapymeOrderSchema

__all__ = ["Lapyme", "LapymeAccount", "LapymeOrderRequest", "LapymeOrderSchema"]
