"""Ties processes together: none outlives the one that started it."""

import ctypes
import signal
import sys


def die_with_parent() -> None:
    """Have Linux send SIGTERM when the parent dies, however it dies: no process stays behind on the port."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)
