"""Keeps out of memory what libraries import only where they find it, and nothing here uses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def block_import(name: str) -> Iterator[None]:
    """Let what is imported inside the block do without the module `name`, unless that is imported already.

    structlog draws tracebacks by rich, and httpx has a command line that does: 5 MB in each process.
    https://www.structlog.org/en/stable/console-output.html, https://www.python-httpx.org/, read 2026-11-22.
    """
    is_blocked = name not in sys.modules
    if is_blocked:
        sys.modules[name] = None  # type: ignore[assignment]  # an ImportError for whoever imports it
    try:
        yield
    finally:
        if is_blocked:
            del sys.modules[name]
