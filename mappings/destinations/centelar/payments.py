"""Centelar's types of payment, by gateway."""

from dataclasses import dataclass

from mappings.order import Payment

PAYMENT_TYPE_CHOICES = ["mercadopago", "creditcard", "promissory"]

#: Payment type by gateway, as `match_key` writes its name. An account's `payment_types` have precedence.
PAYMENT_TYPE_BY_GATEWAY = {
    # Tiendanube: https://tiendanube.github.io/api-documentation/resources/order. Shopify: with a blank. WooCommerce:
    # https://github.com/mercadopago/cart-woocommerce. Read 2026-11-21.
    "mercadopago": "mercadopago",
    "promissory": "promissory",  # as a person enters it
    "woomercadopagobasic": "mercadopago",
    "woomercadopagocustom": "mercadopago",
    "woomercadopagoticket": "mercadopago",
    "woomercadopagocredits": "mercadopago",
    # https://shopify.dev/docs/api/admin-rest/latest/resources/order shows `authorize_net`; WooCommerce's own plugins
    # are `stripe` and `woocommerce_payments`. Read 2026-11-21.
    "authorizenet": "creditcard",
    "shopifypayments": "creditcard",
    "stripe": "creditcard",
    "woocommercepayments": "creditcard",
    # Unverified: names that Argentine card processors and shops use.
    "payway": "creditcard",
    "decidir": "creditcard",
    "creditcard": "creditcard",
    "debitcard": "creditcard",
    "tarjeta": "creditcard",
    "tarjetadecredito": "creditcard",
    "tarjetadedebito": "creditcard",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    type: str
    payment: Payment
    amount: str  # text with two decimals


def gateway_name(payment: Payment) -> str:
    return payment.gateway or payment.name or "unnamed"


def gateway_names(payment: Payment) -> list[str]:
    """Return the names under which `payment_types` may have a row for a payment."""
    return [name for name in (gateway_name(payment), payment.name) if name]


def quoted_gateway(payment: Payment) -> str:
    return f"“{gateway_name(payment)}”"
