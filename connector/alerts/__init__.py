"""Alerts: `monitor` finds what people must know and sends it, `messages` composes the text."""

from contextlib import AbstractContextManager, nullcontext

from connector.runtime import Runtime


def start_monitor(runtime: Runtime, *, is_standby: bool = False) -> AbstractContextManager[None]:
    """Monitor in a thread while the block runs, if an alert channel is configured.

    Args:
        is_standby: monitor only while no worker does, so that a missing worker is reported too.
    """
    if not runtime.settings.alerts.channels:
        return nullcontext()
    from connector.alerts.monitor import monitor_thread

    return monitor_thread(runtime, is_standby=is_standby)
