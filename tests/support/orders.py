"""Small, complete orders with invented data as the storefronts send them."""

import json
from typing import Any

SHOPIFY_SECRET = "shopify-secret"
WOO_SECRET = "woo-secreto"


def shopify_order(number: int = 1001, **changes: Any) -> dict[str, Any]:
    """A paid Mexican order: two of one product at 250.00 and shipping of 99.00."""
    address = {
        "first_name": "Ximena",
        "last_name": f"Prueba {number}",
        "name": f"Ximena Prueba {number}",
        "address1": "Av. Álvaro Obregón \u2060151",
        "address2": "Depto 4 \u2060Roma Norte",
        "city": "Ciudad de México",
        "zip": "06700",
        "province": "Ciudad de México",
        "province_code": "DF",
        "country": "Mexico",
        "country_code": "MX",
        "phone": "+52 55 5123 4567",
    }
    order = {
        "id": 5_500_000_000_000 + number,
        "name": f"#{number}",
        "order_number": number,
        "created_at": "2026-11-20T10:00:00-06:00",
        "updated_at": "2026-11-20T10:05:00-06:00",
        "currency": "MXN",
        "taxes_included": True,
        "financial_status": "paid",
        "total_price": "599.00",
        "current_total_price": "599.00",
        "total_tax": "82.62",
        "payment_gateway_names": ["mercado_pago"],
        "email": "ximena@example.mx",
        "line_items": [
            {
                "id": 11,
                "name": "Café de olla 500 g",
                "sku": "CAFE-500",
                "quantity": 2,
                "current_quantity": 2,
                "price": "250.00",
                "requires_shipping": True,
                "tax_lines": [{"price": "68.97", "rate": 0.16}],
                "discount_allocations": [],
            }
        ],
        "shipping_lines": [
            {"title": "Estándar", "code": "standard", "price": "99.00", "tax_lines": [{"price": "13.65", "rate": 0.16}]}
        ],
        "shipping_address": address,
        "billing_address": address,
        "test": False,
    }
    return order | changes


def woo_order(number: int = 727, **changes: Any) -> dict[str, Any]:
    """A paid Argentine order: three of one product at 121.00 with tax, and shipping of 60.50 with tax."""
    address = {
        "first_name": "Tobías",
        "last_name": f"Ensayo {number}",
        "company": "",
        "address_1": "Av. Corrientes 1234",
        "address_2": "",
        "city": "CABA",
        "state": "C",
        "postcode": "C1043AAZ",
        "country": "AR",
        "phone": "011 4321-5678",
    }
    order = {
        "id": number,
        "number": str(number),
        "status": "processing",
        "currency": "ARS",
        "date_created_gmt": "2026-11-20T15:00:00",
        "date_modified_gmt": "2026-11-20T15:01:00",
        "prices_include_tax": False,
        "total": "423.50",
        "total_tax": "73.50",
        "shipping_total": "50.00",
        "shipping_tax": "10.50",
        "payment_method": "woo-mercado-pago-basic",
        "payment_method_title": "Mercado Pago",
        "billing": {**address, "email": "tobias@example.com.ar"},
        "shipping": address,
        "meta_data": [],
        "line_items": [
            {
                "id": 1,
                "name": "Yerba mate 1 kg",
                "sku": "YERBA-1",
                "quantity": 3,
                "subtotal": "300.00",
                "subtotal_tax": "63.00",
                "total": "300.00",
                "total_tax": "63.00",
                "price": 100,
            }
        ],
        "shipping_lines": [
            {"method_title": "Correo", "method_id": "flat_rate", "total": "50.00", "total_tax": "10.50"}
        ],
        "fee_lines": [],
        "refunds": [],
        "customer_note": "",
    }
    return order | changes


#: The Rayo body of `shopify_order()`.
RAYO_BODY: dict[str, Any] = {
    "consumidor_destino": {
        "calle": "Av. Álvaro Obregón",
        "ciudad": "Ciudad de México",
        "codigo_postal": "06700",
        "colonia": "Roma Norte",
        "estado": "Ciudad de México",
        "no_exterior": "151",
        "no_interior": "Depto 4",
        "nombre": "Ximena Prueba 1001",
        "pais": "mexico",
        "telefono": "5551234567",
    },
    "productos": [{"cantidad": 2, "identificador": "CAFE-500"}],
    "servicio_rayo": "NACIONAL",
}


def encode(payload: Any) -> bytes:
    """Encode JSON as platforms do: non-ASCII characters are escaped."""
    return json.dumps(payload).encode()
