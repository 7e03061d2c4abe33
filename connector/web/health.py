"""`/health/live`: the process responds. `/health/ready`: it can store webhooks. Neither needs a token."""

from connector.database.coordination import is_worker_running
from connector.web.api.blueprint import ApiBlueprint
from connector.web.api.responses import HealthSchema, ReadySchema
from connector.web.context import get_runtime

blueprint = ApiBlueprint("health", __name__, description="For process supervisors.", security=None)


@blueprint.get("/health/live")
@blueprint.response(200, HealthSchema)
@blueprint.operation()
def live() -> dict[str, str]:
    """Check that the process responds."""
    return {"status": "ok"}


@blueprint.get("/health/ready")
@blueprint.response(200, ReadySchema)
@blueprint.operation()
def ready() -> dict[str, str]:
    """Check that the database is available and migrated, so that webhooks can be stored.

    `worker` says whether stored orders are sent: `running`, or `none`. Webhooks are accepted either way.
    """
    database = get_runtime().database
    database.require_migrated()
    return {"status": "ok", "worker": "running" if is_worker_running(database) else "none"}
