"""Centelar: an ERP of Argentina for online shops. Writes POST /api/v1.1/order."""

from mappings.destinations.centelar.account import CentelarAccount, LocationRef
from mappings.destinations.centelar.destination import Centelar
from mappings.destinations.centelar.request import CentelarOrderRequest
from mappings.destinations.centelar.schema import CentelarOrderSchema

__all__ = ["Centelar", "CentelarAccount", "CentelarOrderRequest", "CentelarOrderSchema", "LocationRef"]
