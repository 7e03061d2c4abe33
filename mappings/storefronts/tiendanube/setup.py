"""What `connector init` asks about a Tiendanube store."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(name="shop", prompt="The shop's number", hint="`user_id`, which comes with the access token"),
        SetupQuestion(
            name="client_secret", prompt="Client secret of the app", hint="in the partner portal", is_secret=True
        ),
        SetupQuestion(name="api_token", prompt="The app's access token for this shop", is_secret=True),
    ),
    settings={"store_id": "{shop}", "secrets": ["{client_secret}"], "api_token": "{api_token}"},
)
