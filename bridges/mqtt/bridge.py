"""The bridge to MQTT: every event once acknowledged, and the present state of every camera."""

from __future__ import annotations

import socket
from collections.abc import Hashable

from bridges.item_json import json_of
from bridges.mqtt.broker import Broker, RefusedError, Sent
from bridges.mqtt.discovery import identity
from bridges.mqtt.live import Live
from bridges.mqtt.options import Options
from bridges.mqtt.snapshots import Snapshots
from bridges.mqtt.topics import Topics
from bridges.onvif.mqtt import of_event
from bridges.parcel import AwayError, Parcel
from bridges.reading import Reading
from mirante.client.items import ReceivedEvent
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of
from mirante.redis_url import RedisUrl

_CONNECT_S, _ACK_S = 2.0, 5.0


class MqttBridge:
    """Carries events durably, and shows states beside them.

    Args:
        options: of the broker.
        reading: of the bridge.
        reconnect_s: the shortest and the longest pause between attempts to connect.
        ack_s: how long the broker may take to acknowledge before it counts as away.

    Raises:
        ValueError: an option is not as it should be.
    """

    kind = "mqtt"
    kinds: tuple[SubscribedKind, ...] = ("events",)

    def __init__(
        self,
        options: Options,
        reading: Reading,
        reconnect_s: tuple[float, float] = (1.0, 15.0),
        ack_s: float = _ACK_S,
    ) -> None:
        self.target = options.shown
        self._options, self._ack_s = options, ack_s
        self._topics = Topics(options.prefix)
        url = RedisUrl(reading.address())
        # Installations that share a broker have a prefix each: nobody else's client has this name.
        named = f"{reading.named(self.kind)}-{identity(options.prefix)}"
        name = f"mirante-{socket.gethostname()}-{named}"
        self._broker = Broker(options, name, self._topics.available, reconnect_s)
        self._live = Live(self._broker, options, url, reading.cameras, options.classes)
        self._broker.attend(self._live.connected, self._live.heard)
        self._snapshots = Snapshots(url, options.snapshot_s, self._live.running, self._show)
        self._images: dict[str, Sent] = {}
        self._waiting: list[Parcel] = []  # as delivered last
        self._sent: dict[Hashable, list[Sent]] = {}  # of those that are neither done nor dead

    def open(self) -> None:
        """Connect, and show the cameras."""
        self._broker.start()
        self._live.start()
        if self._options.snapshot_s:
            self._snapshots.start()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Publish events in their order, and wait until the broker has them.

        Raises:
            AwayError: it has not, within a while.
            RuntimeError: states are not kept any more, for a mistake of ours.
        """
        self._live.check()
        if not self._broker.wait_connected(_CONNECT_S):
            raise AwayError(self._broker.why())
        for parcel in parcels:
            name = (parcel.held.stream, parcel.held.entry_id)
            if name not in self._sent:  # else it is on its way, also over a new connection
                self._sent[name] = self._publish(parcel)
        names = [(parcel.held.stream, parcel.held.entry_id) for parcel in parcels]
        sent = [each for name in names for each in self._sent[name]]
        is_whole = self._broker.wait(sent, self._ack_s)
        refusal = self._settle(parcels)
        self._waiting = [parcel for parcel in parcels if parcel.state == "waits"]
        if refusal:
            raise AwayError(f"does not take events: {refusal}")
        if not is_whole:
            is_slow = self._broker.is_connected
            why = f"no acknowledgement within {self._ack_s:g} s" if is_slow else self._broker.why()
            raise AwayError(why)

    def close(self) -> None:
        """Say that nothing more comes, and leave."""
        self._snapshots.close()
        self._live.close()
        self._broker.stop()
        self._settle(self._waiting)

    def _publish(self, parcel: Parcel) -> list[Sent]:
        item = parcel.item
        assert isinstance(item, ReceivedEvent)
        said = [("events", json_of(item))]
        if self._options.onvif:
            said += of_event(item)
        head, expire_s = self._topics.of(camera_of(parcel.held.stream)), self._options.expire_s
        return [
            self._broker.publish(f"{head}/{topic}", payload, expire_s=expire_s)
            for topic, payload in said
        ]

    def _settle(self, parcels: list[Parcel]) -> str:
        """Note what became of parcels; return why the broker took none for now, if so."""
        refusal = ""
        for parcel in parcels:
            name = (parcel.held.stream, parcel.held.entry_id)
            if name not in self._sent:  # refused before, and to be sent once more
                continue
            try:
                if not all(map(self._broker.is_acknowledged, self._sent[name])):
                    continue
                parcel.done()
            except RefusedError as error:
                if error.is_final:
                    parcel.dead(str(error))
                else:
                    refusal = str(error)
            del self._sent[name]
        return refusal

    def _show(self, camera: str, jpeg: bytes) -> None:
        """Publish an image, unless the broker has not taken the one before."""
        before = self._images.get(camera)
        try:
            if not self._broker.is_connected or (
                before is not None and not self._broker.is_acknowledged(before)
            ):
                return
        except RefusedError as error:
            self._live.complain(f"{camera}: no image: {error}")
        if camera not in self._live.running():  # it went while its image was on the way
            return
        topic = self._topics.of(camera, "snapshot")
        self._images[camera] = self._broker.publish(topic, jpeg, retain=True)
