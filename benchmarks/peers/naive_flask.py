"""The naive way: forwards inside the request, and answers 200 once the destination has the order. It has no queue."""

from benchmarks.peers.common import Event, Rayo, RefusedError, Settings
from benchmarks.peers.done import Done
from benchmarks.peers.web import create_app

settings = Settings()
rayo = Rayo(settings)
done = Done(settings.folder)


def take(event: Event) -> None:
    """What fails is answered 500, and the storefront's next try is the retry."""
    if done.has(event.key):
        return
    try:
        remote_id = rayo.post(event.order)
    except RefusedError:
        remote_id = "refused"
    done.note(event.key, remote_id)


app = create_app(settings, take)
