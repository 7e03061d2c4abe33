"""What `connector init` asks about a Centelar account."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(
            name="base_url", prompt="Address of Centelar's API", hint="which Centelar gave you", is_address=True
        ),
        SetupQuestion(
            name="token",
            prompt="Bearer token",
            hint="empty if Centelar gave you none",
            is_secret=True,
            is_optional=True,
        ),
        SetupQuestion(name="connection_id", prompt="ID of the shop's integration in Centelar", hint="a number"),
    ),
    settings={
        "base_url": "{base_url}",
        "headers": {"Authorization": "Bearer {token}"},
        "connection_id": "{connection_id}",
    },
)
