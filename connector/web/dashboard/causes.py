"""Why deliveries are parked, in the reader's language."""

from connector.database.queries.deliveries import list_attempts
from connector.database.stats.overview import FailureGroup
from connector.runtime import Runtime
from connector.web.dashboard.filters import describe_attempt
from connector.web.dashboard.i18n import translate_cause, translate_problem


def describe_cause(runtime: Runtime, group: FailureGroup) -> str:
    """Return the problem of a group, without what its orders say if there are several; else its last attempt."""
    if group.problem is not None:
        return translate_problem(group.problem) if group.count == 1 else translate_cause(group.problem)
    newest_id, _order = group.orders[0]
    attempts = list_attempts(runtime.database, newest_id)
    return describe_attempt(attempts[-1].outcome, attempts[-1].status) if attempts else ""
