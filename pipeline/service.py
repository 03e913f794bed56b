"""Tell the service manager how this process is, in the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

READY, ALIVE = "READY=1", "WATCHDOG=1"


def tell(state: str) -> None:
    """Send a state to the service manager that started this process, where one did."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.sendto(state.encode(), address)


def heartbeat(
    then: Callable[[T], None] | None = None, clock: Callable[[], float] = time.monotonic
) -> Callable[[T], None]:
    """Return what a loop calls at every turn: it tells of the first, and that it still turns as
    often as a watchdog asks for.

    Args:
        then: called each time afterwards, with the same argument.
        clock: seconds.
    """
    every_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 3e6
    due_s: float | None = None

    def turned(subject: T) -> None:
        nonlocal due_s
        if due_s is None or (every_s and clock() >= due_s):
            tell(READY if due_s is None else ALIVE)
            due_s = clock() + every_s
        if then is not None:
            then(subject)

    return turned
