"""What `connector init` asks about a Shopify store."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(name="shop", prompt="The shop's permanent domain", hint="such as tienda.myshopify.com"),
        SetupQuestion(
            name="client_id",
            prompt="Client ID of the app",
            hint="in Shopify's Dev Dashboard, under Settings; empty if the app has a permanent token",
            is_optional=True,
        ),
        SetupQuestion(name="client_secret", prompt="Client secret of the app", is_secret=True, needs="client_id"),
        SetupQuestion(
            name="webhook_secret",
            prompt="Secret that signs the webhooks",
            hint="the app's client secret, or the key under Settings > Notifications > Webhooks",
            is_secret=True,
            unless="client_id",
        ),
        SetupQuestion(
            name="api_token",
            prompt="Admin API access token",
            hint="empty if there is none, and then missed orders are not found",
            is_secret=True,
            is_optional=True,
            unless="client_id",
        ),
    ),
    settings={
        "shop_domain": "{shop}",
        "client_id": "{client_id}",
        "client_secret": "{client_secret}",
        "secrets": ["{webhook_secret}"],
        "api_token": "{api_token}",
    },
)
