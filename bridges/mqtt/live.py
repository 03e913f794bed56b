"""Keep the broker's topics of each camera as the camera is, and obey commands."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec
import redis

from bridges.background import Background
from bridges.mqtt.board import Camera, kept
from bridges.mqtt.broker import Broker, RefusedError, Sent
from bridges.mqtt.commands import CommandError, echoes, obey, subscriptions
from bridges.mqtt.discovery import announced_at, device, removed
from bridges.mqtt.look import Look
from bridges.mqtt.options import Options
from bridges.mqtt.topics import Topics
from bridges.onvif.mqtt import of_frame
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from mirante.wire.errors import UNREADABLE
from pipeline.config.messages import ConfigError
from pipeline.control.audit import short
from pipeline.control.changing import RegistryError

log = logging.getLogger("mirante.bridge.mqtt")

_FLYING = 200  # messages that may wait for the broker; what changes meanwhile is said later
_HEARD = 10_000
_RECALL_S = 3.0  # after a connection, in which the broker tells what it has kept
_GONE_S = 10
_KEPT = {"state", "snapshot", "counts", "zones", "lines", "pause", "threshold"}  # of a camera


class _State(msgspec.Struct):
    camera: str


class _Device(msgspec.Struct):
    components: dict[str, dict[str, Any]]


_read_device = msgspec.json.Decoder(_Device)
_read_state = msgspec.json.Decoder(_State)


class Live(Background):
    """A thread of its own.

    Args:
        broker: where to.
        options: of the bridge.
        url: of Redis.
        patterns: of the cameras' names.
        only: classes that are counted; all that are seen where it names none.
    """

    def __init__(
        self, broker: Broker, options: Options, url: RedisUrl, patterns: tuple[str, ...],
        only: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__("mqtt-live")
        self._broker, self._options, self._only = broker, options, only
        self._topics = Topics(options.prefix)
        self._look = Look(url, patterns)
        self._client = url.shaped_client()
        self._outage = Outage(url, log, "states in MQTT stay as they are")
        self._said: dict[str, bytes] = {}
        self._announced: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, tuple[bytes, float]] = {}  # published, and when
        self._flying: list[Sent] = []
        self._heard: deque[tuple[str, bytes, bool]] = deque(maxlen=_HEARD)
        self._ghosts: dict[str, float] = {}  # cameras that went while this was not running
        self._complaints = set[str]()
        self._recall_s = 0.0
        self._recalled: list[str] = []
        self._devices: dict[str, str] = {}  # topic that announces a camera: its name
        self._kept: dict[str, bytes] = {}  # what announced a camera before this connection
        self._broken: Exception | None = None
        self._is_new = threading.Event()
        self._wake = threading.Event()

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._wake.set()
        super().close()
        self._look.close()
        self._client.close()

    def check(self) -> None:
        """Raise a RuntimeError where states are not kept any more, for a mistake of ours."""
        if self._broken is not None:
            raise RuntimeError(f"states are not kept any more: {self._broken!r}") from self._broken

    def running(self) -> list[str]:
        """Return the cameras that give images."""
        return [name for name, each in list(self._look.cameras.items()) if each.is_running]

    def connected(self) -> None:
        """There is a connection, to a broker that may have kept nothing."""
        self._is_new.set()
        self._wake.set()

    def heard(self, topic: str, payload: bytes, is_kept: bool) -> None:
        """A message came, which the broker had kept or not."""
        self._heard.append((topic, payload, is_kept))
        if not is_kept:
            self._wake.set()

    def _run(self) -> None:
        every_s = self._options.every_s
        if self._options.detections_fps:
            every_s = min(every_s, 1 / self._options.detections_fps)
        while not self._stop.is_set():
            try:
                self._turn()
                self._outage.served()
            except (redis.RedisError, OSError) as error:
                self._outage.failed(error)
            except Exception as error:  # noqa: BLE001 raised by ``check``, in the bridge's thread
                self._broken = error
                return
            self._wake.wait(every_s)
            self._wake.clear()

    def _turn(self) -> None:
        gone = self._look.again()
        if not self._broker.is_connected:
            self._ghosts |= dict.fromkeys(gone, 0.0)
            return
        if self._is_new.is_set():
            self._is_new.clear()
            self._begin()
        self._listen()
        self._flying = [each for each in self._flying if not self._is_over(each)]
        for name in gone:
            self._remove(name)
        for camera in self._look.cameras.values():
            self._show(camera)
        self._bury()

    def _begin(self) -> None:
        self._said.clear()
        self._announced.clear()
        self._ghosts = dict.fromkeys(self._ghosts, 0.0)  # a new connection has no subscriptions
        kinds = ("state", "counts/+", "zones/+/+", "lines/+/+", "pause/state", "threshold/+/state")
        announced = self._look.cameras if self._options.discovery else ()
        self._devices = {self._announcement(name): name for name in announced}
        self._kept.clear()
        self._recalled = [*(f"{self._topics.prefix}/+/{each}" for each in kinds), *self._devices]
        if self._options.commands != "none":
            self._broker.subscribe(*subscriptions(self._topics))
        self._broker.subscribe(*self._recalled)
        self._recall_s = time.monotonic() + _RECALL_S

    def _listen(self) -> None:
        if self._recall_s and time.monotonic() > self._recall_s:
            self._recall_s = 0.0
            self._broker.unsubscribe(*self._recalled)
        while self._heard:
            topic, payload, is_kept = self._heard.popleft()
            if topic in self._devices:
                if is_kept:
                    self._kept[self._devices[topic]] = payload
                continue
            said = self._topics.split(topic)
            if said is None:
                continue
            camera, names = said
            if names[-1] == "set":
                if not is_kept:  # one that is kept was meant for another time
                    self._obey(camera, names, payload)
            elif is_kept and payload:
                self._recall(camera, names, topic, payload)
        if not self._recall_s:  # by now all classes are known that were counted
            self._recall_entities()

    def _recall_entities(self) -> None:
        """Note which entities cameras had before this connection, so that those go which are no
        more.
        """
        for name, payload in list(self._kept.items()):
            camera = self._look.cameras.get(name)
            if camera is None or camera.frame is None:
                continue
            del self._kept[name]
            with suppress(*UNREADABLE):
                before = _read_device.decode(payload).components
                had = {key: each for key, each in before.items() if "platform" in each}
                now = self._announced.get(name, {"components": {}})["components"]
                self._announced[name] = {"components": had | now}

    def _recall(self, name: str, names: tuple[str, ...], topic: str, payload: bytes) -> None:
        """Take note of what the broker had kept of a camera."""
        camera = self._look.cameras.get(name)
        if camera is not None:
            if names[0] == "counts" and not self._only:
                camera.classes.add(names[1])
            if names[0] != "state":
                self._said.setdefault(topic, payload)  # cleared where it is said no more
        elif self._ghosts.get(name):
            if names[0] in _KEPT:
                self._publish(topic, b"", retain=True, is_due=True)
        elif self._look.matters(name) and _is_ours(name, names, payload):
            self._ghosts.setdefault(name, 0.0)

    def _bury(self) -> None:
        """Clear the topics of cameras that went unseen."""
        now_s = time.monotonic()
        for name, since_s in list(self._ghosts.items()):
            if not since_s and name not in self._look.cameras:
                self._ghosts[name] = now_s
                self._broker.subscribe(f"{self._topics.prefix}/{name}/#")
                self._withdraw(name)
            elif not since_s:
                del self._ghosts[name]
            elif name in self._look.cameras or now_s > since_s + _GONE_S:
                self._broker.unsubscribe(f"{self._topics.prefix}/{name}/#")
                del self._ghosts[name]

    def _remove(self, name: str) -> None:
        """Clear what the broker keeps of a camera that is gone; its entities go first."""
        self._withdraw(name)
        head = f"{self._topics.prefix}/{name}/"
        for topic in [each for each in self._said if each.startswith(head)]:
            del self._said[topic]
            self._publish(topic, b"", retain=True, is_due=True)
        self._publish(self._topics.of(name, "snapshot"), b"", retain=True, is_due=True)
        self._ghosts.setdefault(name, 0.0)  # what was said before this connection goes too

    def _withdraw(self, name: str) -> None:
        """Take back what announces a camera."""
        self._announced.pop(name, None)
        if self._options.discovery:
            self._publish(self._announcement(name), b"", retain=True, is_due=True)

    def _show(self, camera: Camera) -> None:
        said = kept(camera, self._topics, self._only)
        if self._options.commands != "none":
            said |= echoes(camera, self._topics)
        self._announce(camera)
        head = f"{self._topics.prefix}/{camera.name}/"
        for topic in [each for each in self._said if each.startswith(head) and each not in said]:
            if self._publish(topic, b"", retain=True):
                del self._said[topic]
        for topic, payload in said.items():
            if self._said.get(topic) != payload and self._publish(topic, payload, retain=True):
                self._said[topic] = payload
        if self._options.detections_fps and self._is_due(camera):
            self._publish(self._topics.of(camera.name, "detections"), camera.text, expire_s=10)
            if self._options.onvif:
                self._describe(camera)

    def _is_due(self, camera: Camera) -> bool:
        """Return whether its newest frame is to be published now, and note that it is."""
        now_s = time.monotonic()
        entry, at_s = self._entries.get(camera.name, (b"", float("-inf")))
        if camera.entry == entry or now_s < at_s + 1 / self._options.detections_fps:
            return False
        self._entries[camera.name] = camera.entry, now_s
        return True

    def _describe(self, camera: Camera) -> None:
        """Publish a frame as ONVIF has it."""
        try:
            said = of_frame(camera.name, camera.text)
        except msgspec.MsgspecError as error:
            self.complain(f"{camera.name}: a frame that cannot be read: {error}")
            return
        for topic, payload in said:
            self._publish(f"{self._topics.of(camera.name)}/{topic}", payload, expire_s=10)

    def _announce(self, camera: Camera) -> None:
        if not self._options.discovery:
            return
        now = device(
            camera,
            self._topics,
            self._options.commands != "none" and camera.desired is not None,
            self._options.snapshot_s > 0,
        )
        before = self._announced.get(camera.name)
        if before is not None:
            if before["components"].keys() == now["components"].keys():
                return
            first = removed(before, now)
            if first is not now:
                self._publish(self._announcement(camera.name), _json(first), retain=True)
        if self._publish(self._announcement(camera.name), _json(now), retain=True):
            self._announced[camera.name] = now

    def _announcement(self, camera: str) -> str:
        return announced_at(self._options.discovery, camera, self._topics.prefix)

    def _publish(
        self, topic: str, payload: bytes, retain: bool = False, expire_s: int | None = None,
        is_due: bool = False,
    ) -> bool:  # fmt: skip
        """Send a message unless too many wait already; return whether it was sent."""
        if len(self._flying) >= _FLYING and not is_due:
            return False
        self._flying.append(self._broker.publish(topic, payload, retain, expire_s))
        return True

    def _is_over(self, sent: Sent) -> bool:
        try:
            return self._broker.is_acknowledged(sent)
        except RefusedError as error:
            self.complain(f"the broker does not take a state: {error}")
            return True

    def complain(self, words: str) -> None:
        """Say in the log what is wrong, once."""
        if words not in self._complaints:
            self._complaints.add(words)
            log.warning("%s", words)

    def _obey(self, camera: str, names: tuple[str, ...], payload: bytes) -> None:
        words = short(f"{camera}/{'/'.join(names)}")
        if camera not in self._look.cameras or self._options.commands == "none":
            log.warning("%s: not for this bridge", words)
            return
        try:
            obey(self._client, self._options.commands, camera, names, payload)
        except (CommandError, RegistryError, ConfigError) as error:
            log.warning("%s: %s", words, short(str(error)))
        else:
            log.info("%s: done", words)
            self._wake.set()


def _is_ours(name: str, names: tuple[str, ...], payload: bytes) -> bool:
    """Return whether a bridge wrote what is kept, and nobody who uses the same prefix."""
    if names[0] != "state":
        return names[0] == "counts" and payload.isdigit()
    try:
        return _read_state.decode(payload).camera == name
    except UNREADABLE:
        return False


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
