"""Ports that nothing else takes between their choice and their use."""

from __future__ import annotations

import itertools
import os
import socket

# Below those that the kernel gives to whoever asks for any, and begun elsewhere by each process.
_FIRST, _LAST = 10_000, 32_000
_APART = 13_597  # by the golden ratio: processes that begin together begin far apart
_around = itertools.cycle(range(_FIRST, _LAST))
_candidates = itertools.islice(_around, os.getpid() * _APART % (_LAST - _FIRST), None)


def free_port() -> int:
    """Return a port of loopback where nothing listens, another each time."""
    for port in _candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("unreachable: the candidates are endless")
