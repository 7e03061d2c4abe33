"""Orders with Tiendanube's arithmetic: prices with tax, one discount, one shipping price, one payment.

Source: https://tiendanube.github.io/api-documentation/resources/order, read 2026-11-22.
"""

from hypothesis import strategies as st

from tests.support.shops.placed import PARTS, PRICES, QUANTITIES, GeneratedOrder, fraction_of, money_text


@st.composite
def tiendanube_orders(draw: st.DrawFn) -> GeneratedOrder:
    bought = [(f"SKU-{number}", draw(PRICES), draw(QUANTITIES)) for number in range(draw(st.integers(1, 4)))]
    shipping = draw(st.one_of(st.just(0), PRICES))
    subtotal = sum(price * quantity for _, price, quantity in bought)
    kinds = set()
    discount = 0
    if draw(st.booleans()):
        discount = fraction_of(subtotal, draw(PARTS)) + (
            fraction_of(shipping, draw(PARTS)) if draw(st.booleans()) else 0
        )
        kinds |= {"discount"} if discount else set()
    by_gateway = fraction_of(discount, draw(PARTS))
    total = subtotal - min(discount, subtotal + shipping) + shipping
    return GeneratedOrder(
        fields={
            "currency": "ARS",
            "products": [
                {"name": sku, "sku": sku, "price": money_text(price), "quantity": str(quantity)}
                for sku, price, quantity in bought
            ],
            "subtotal": money_text(subtotal),
            "discount": money_text(discount),
            "discount_gateway": money_text(by_gateway),
            "discount_coupon": money_text(discount - by_gateway),
            "shipping_cost_customer": money_text(shipping),
            "total": money_text(total),
        },
        charged=total,
        units={sku: quantity for sku, _, quantity in bought},
        kinds=frozenset(kinds),
        bears=subtotal + shipping,
    )
