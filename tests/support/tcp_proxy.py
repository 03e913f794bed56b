"""A proxy before a server, whose traffic a test holds back in one direction or both."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Literal

Direction = Literal["requests", "replies"]
BOTH: tuple[Direction, ...] = ("requests", "replies")


class TcpProxy:
    """Listens on a free port and passes on what comes to a Unix socket; a context manager.

    What is held back waits, as in the buffers of a network that is cut, and is delivered when it
    flows again: also from connections that the client has given up since.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._held: set[Direction] = set()
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.2)
        self._over = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.getsockname()[1]}"

    def hold(self, *directions: Direction) -> None:
        """Hold back these directions, and no other."""
        with self._changed:
            self._held = set(directions)
            self._changed.notify_all()

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.hold()
        for each in [*self._sockets, self._server]:
            _shut(each)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._server.accept()
            except OSError:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._target))
            self._sockets += (client, server)
            for ends in ((client, server, "requests"), (server, client, "replies")):
                self._threads.append(threading.Thread(target=self._pump, args=ends))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with self._changed:
                    self._changed.wait_for(lambda: direction not in self._held or self._over)
                sink.sendall(data)
        with self._changed:
            self._changed.wait_for(lambda: direction not in self._held or self._over)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
