"""Keeps what Python has made for a thread of GStreamer's, for as long as the thread works.

A thread that Python has not begun gets its state, with a stack of its own from the system, when it
calls Python, and loses it when the call ends: with each packet and each image. To give the stack
back, the other cores are interrupted.
"""

from __future__ import annotations

import ctypes
import threading

_ensure, _release = ctypes.pythonapi.PyGILState_Ensure, ctypes.pythonapi.PyGILState_Release
_own = threading.local()  # lost with the state


def keep() -> None:
    """Keep this thread's state until ``let_go``; a second call changes nothing."""
    if not hasattr(_own, "held"):
        _own.held = _ensure()


def let_go() -> None:
    """Have this thread's state go with the call that is under way, if it was kept."""
    if hasattr(_own, "held"):
        held = _own.held
        del _own.held
        _release(held)
