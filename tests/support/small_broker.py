"""A broker of MQTT 5 that takes few messages at once, and acknowledges when it is told to."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

_CONNACK, _SUBACK = 0x20, 0x90
_CONNECT, _PUBLISH, _SUBSCRIBE = 1, 3, 8
_RECEIVE_MAXIMUM = 0x21


class SmallBroker:
    """Serves one client at a time, in the thread that calls; a context manager.

    Args:
        most: messages without an acknowledgement that it takes, as it says in CONNACK.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(60)
        self._client: socket.socket | None = None
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> SmallBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._listening.close()

    def accept(self) -> None:
        """Take the next connection."""
        self._client, _ = self._listening.accept()
        self._client.settimeout(60)
        kind, _ = self._packet()
        assert kind >> 4 == _CONNECT
        said = struct.pack("!BBBBH", 0, 0, 3, _RECEIVE_MAXIMUM, self._most)
        self._client.sendall(bytes((_CONNACK, len(said))) + said)

    def hang_up(self) -> None:
        """End the connection without a word."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def published(self) -> Iterator[tuple[int, bytes]]:
        """Yield messages until a subscription comes, which was asked for behind them."""
        while True:
            kind, body = self._packet()
            if kind >> 4 == _SUBSCRIBE:
                self._send(bytes((_SUBACK, 4)) + body[:2] + b"\0\1")
                return
            yield _message(kind, body)

    def message(self) -> tuple[int, bytes]:
        """Return number and payload of the next message."""
        return _message(*self._packet())

    def acknowledge(self, number: int) -> None:
        """Send PUBACK."""
        self._send(struct.pack("!BBH", 0x40, 2, number))

    def _send(self, packet: bytes) -> None:
        assert self._client is not None
        self._client.sendall(packet)

    def _packet(self) -> tuple[int, bytes]:
        (kind,) = self._read(1)
        length = shift = 0
        while True:
            (byte,) = self._read(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        assert self._client is not None
        found = b""
        while len(found) < count:
            part = self._client.recv(count - len(found))
            assert part, "the client left"
            found += part
        return found


def _message(kind: int, body: bytes) -> tuple[int, bytes]:
    assert kind >> 4 == _PUBLISH, hex(kind)
    (topic,) = struct.unpack_from("!H", body)
    (number,) = struct.unpack_from("!H", body, 2 + topic)
    properties = body[4 + topic]
    return number, body[5 + topic + properties :]
