"""What `connector init` asks about a WooCommerce store."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(
            name="shop", prompt="The shop's address", hint="such as https://tienda-ejemplo.com.ar", is_address=True
        ),
        SetupQuestion(
            name="consumer_key",
            prompt="Consumer key of the REST API",
            hint="under WooCommerce > Settings > Advanced > REST API, with the permission Read/Write; empty if there "
            "is none, and then missed orders are not found",
            is_secret=True,
            is_optional=True,
        ),
        SetupQuestion(
            name="consumer_secret", prompt="Consumer secret of the REST API", is_secret=True, needs="consumer_key"
        ),
        SetupQuestion(name="webhook_secret", prompt="Secret of the webhooks", is_secret=True, is_generated=True),
    ),
    settings={
        "secrets": ["{webhook_secret}"],
        "api_url": "{shop}",
        "api_token": "{consumer_key}:{consumer_secret}",
    },
)
