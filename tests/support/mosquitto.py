"""A real MQTT broker, Debian's mosquitto, and a client that notes what it is sent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.ports import free_port

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Mosquitto:
    """Starts, kills and freezes one broker, always at the same port.

    Args:
        folder: of its files.
        lines: of its configuration, beside the listener.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        if PROGRAM is None:
            pytest.skip("no mosquitto here: apt-get install mosquitto")
        self.folder, self.port = folder, free_port()
        self.lines = lines or ("allow_anonymous true",)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        file = self.folder / "mosquitto.conf"
        # As whoever runs the tests: root would be turned into a user that cannot read the folder.
        head = ["user root"] if os.getuid() == 0 else []
        head += ["persistence true", f"persistence_location {self.folder}/"]
        text = "\n".join((*head, f"listener {self.port} 127.0.0.1", *self.lines))
        file.write_text(text + "\n")
        self.process = subprocess.Popen(
            [str(PROGRAM), "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return self

    def stop(self) -> None:
        """End it; it finds its sessions and what it kept when it is started again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait()
            self.process = None


class Heard:
    """A client that is there before anything is published.

    Attributes:
        messages: topic, payload and whether it was kept by the broker, in their order.
        kept: the newest payload of each topic.
        expiry: of each topic's newest message, where it has one.
    """

    def __init__(self, port: int, topics: tuple[str, ...] = ("#",), **tls: Any) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.kept: dict[str, bytes] = {}
        self.expiry: dict[str, int] = {}
        self._ready = threading.Event()
        self._topics = topics
        version = MQTTProtocolVersion.MQTTv5
        self.client = Client(CallbackAPIVersion.VERSION2, f"heard-{id(self)}", protocol=version)
        self.client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._on_message
        if tls:
            self.client.tls_set(**tls)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600  # so that nothing is missed while the broker is away
        host = "localhost" if tls else "127.0.0.1"
        self.client.connect_async(host, port, clean_start=False, properties=session)
        self.client.loop_start()
        assert self._ready.wait(60)

    def of(self, topic: str) -> list[bytes]:
        """What came on a topic, in its order."""
        return [payload for name, payload, _ in self.messages if name == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_message(self, _client: Client, _data: Any, message: Any) -> None:
        if message.dup and self.kept.get(message.topic) == message.payload:
            return  # our acknowledgement was lost with the broker
        self.messages.append((message.topic, message.payload, message.retain))
        self.kept[message.topic] = message.payload
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        if expiry is not None:
            self.expiry[message.topic] = expiry


@contextmanager
def heard(broker: Mosquitto, **options: Any) -> Iterator[Heard]:
    """Listen until the block is left."""
    client = Heard(broker.port, **options)
    try:
        yield client
    finally:
        client.close()
