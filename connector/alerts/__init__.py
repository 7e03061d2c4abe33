"""Alerts: `watch` finds what people must know and has it sent, `wording` says it. Neither touches a delivery."""

from contextlib import AbstractContextManager, nullcontext

from connector.runtime import Runtime


def start_monitor(runtime: Runtime, *, is_standby: bool = False) -> AbstractContextManager[None]:
    """Watch in a thread while the block runs, if there is somebody to tell. Else nothing is imported for it.

    Args:
        is_standby: watch only while nobody else does: where no forwarder runs, that is what people must know.
    """
    if not runtime.settings.alerts.channels:
        return nullcontext()
    from connector.alerts.monitor import monitor_thread

    return monitor_thread(runtime, is_standby=is_standby)
