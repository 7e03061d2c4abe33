"""No queue: sends the order inside the request, and responds with 200 when the destination has accepted it."""

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.sent import SentEvents
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
sent = SentEvents(settings.folder)


def accept(event: Event) -> None:
    """A failure becomes a response with 500, and the storefront repeats the event."""
    if sent.contains(event.key):
        return
    try:
        remote_id = rayo.post(event.order)
    except RefusedError:
        remote_id = "refused"
    sent.add(event.key, remote_id)


app = create_app(settings, accept)
