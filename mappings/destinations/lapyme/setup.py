"""What `connector init` asks about a LaPyme account."""

from mappings.setup_questions import SetupPlan, SetupQuestion

SETUP_PLAN = SetupPlan(
    questions=(
        SetupQuestion(
            name="api_key",
            prompt="LaPyme's API key",
            hint="with the scopes sales:write and warehouses:read",
            is_secret=True,
        ),
        SetupQuestion(
            name="customer_id", prompt="ID of the default customer", hint="such as “Consumidor Final”, a UUID"
        ),
        SetupQuestion(name="assigned_warehouse_id", prompt="ID of the warehouse", hint="a UUID"),
    ),
    settings={
        "api_key": "{api_key}",
        "customer_id": "{customer_id}",
        "assigned_warehouse_id": "{assigned_warehouse_id}",
    },
)
