"""What `connector init` asks about a Tiendanube store."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(name="shop", prompt="The shop's number", hint="which its access token comes with, as `user_id`"),
        SetupQuestion(
            name="client_id",
            prompt="The app's number",
            hint="in the partner portal; empty if you have the app's access token for the shop",
            is_optional=True,
        ),
        SetupQuestion(name="client_secret", prompt="Client secret of the app", is_secret=True, needs="client_id"),
        SetupQuestion(
            name="webhook_secret",
            prompt="Client secret of the app",
            hint="which signs the webhooks",
            is_secret=True,
            unless="client_id",
        ),
        SetupQuestion(
            name="api_token", prompt="The app's access token for the shop", is_secret=True, unless="client_id"
        ),
    ),
    settings={
        "store_id": "{shop}",
        "client_id": "{client_id}",
        "client_secret": "{client_secret}",
        "secrets": ["{webhook_secret}"],
        "api_token": "{api_token}",
    },
)
