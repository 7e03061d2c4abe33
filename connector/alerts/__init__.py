"""Alerts: `watch` finds what people must know and has it sent, `wording` says it. Neither touches a delivery."""

from contextlib import AbstractContextManager, nullcontext

from connector.runtime import Runtime


def watching(runtime: Runtime, *, stands_by: bool = False) -> AbstractContextManager[None]:
    """Watch in a thread while the block runs, if there is somebody to tell. Else nothing is imported for it.

    Args:
        stands_by: watch only while nobody else does: where no forwarder runs, that is what people must know.
    """
    if not runtime.settings.alerts.channels:
        return nullcontext()
    from connector.alerts.monitor import watching

    return watching(runtime, stands_by=stands_by)
