"""Ties a child process to its parent."""

import ctypes
import signal
import sys


def die_with_parent() -> None:
    """Have Linux send SIGTERM to this process when its parent dies, so that no orphan keeps the port open."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)
