"""The connection to a broker: it comes back by itself, and says in words why it is away."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import (
    CallbackAPIVersion,
    MessageState,
    MQTTErrorCode,
    MQTTProtocolVersion,
)
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridges.mqtt.options import Options

log = logging.getLogger("mirante.bridge.mqtt")

_KEEPALIVE_S = 30
_PROBE_S = 2.0
_IN_FLIGHT = 20  # messages without an acknowledgement, at most
_HEAD = 64  # bytes of a message beside topic and payload, at most
NEVER = {0x90, 0x95, 0x99}  # topic name invalid, packet too large, payload format invalid


class RefusedError(RuntimeError):
    """The broker answered that it does not take a message.

    Attributes:
        is_final: it never will.
    """

    def __init__(self, words: str, is_final: bool) -> None:
        super().__init__(words)
        self.is_final = is_final


@dataclass(slots=True)
class Sent:
    """A message that the broker has to acknowledge, or why it was not sent and never will be."""

    info: MQTTMessageInfo
    refused: str = ""


class _Client(Client):
    """One that closes the socket of a handshake that fails."""

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        assert self._ssl_context is not None
        wrapped = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(self._connect_timeout)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


class Broker:
    """One connection.

    Args:
        options: where to, and how.
        client_id: must be nobody else's at that broker.
        will: topic that says ``online`` while this is connected, ``offline`` afterwards.
        reconnect_s: the shortest and the longest pause between attempts to connect.

    Raises:
        ValueError: an option is not as it should be.
    """

    def __init__(
        self,
        options: Options,
        client_id: str,
        will: str,
        reconnect_s: tuple[float, float] = (1.0, 15.0),
    ) -> None:
        self._host, self._port = options.place()
        self._is_v5 = options.protocol == "5"
        self._will = will
        self._tls = _tls(options) if options.is_tls else None
        self._connected = threading.Event()
        self._refusal = ""
        self._most: float = float("inf")  # bytes of a message that the broker takes
        self._refused: dict[int, tuple[str, int]] = {}  # by number of the message
        self._told: Callable[[], None] = lambda: None
        self._heard: Callable[[str, bytes, bool], None] = lambda _topic, _payload, _kept: None
        version = MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311
        self._client = _Client(CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self._client.reconnect_delay_set(*reconnect_s)  # type: ignore[arg-type] # fractions too
        self._client.will_set(will, "offline", qos=1, retain=True)
        user, password = options.login()
        if user is not None:
            self._client.username_pw_set(user, password)
        if self._tls is not None:
            self._client.tls_set_context(self._tls)
        self._client.on_socket_open = _send_at_once
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    def attend(
        self, on_connected: Callable[[], None], on_message: Callable[[str, bytes, bool], None]
    ) -> None:
        """Name what is called in the network's thread: with each new connection, and with topic
        and payload of a message and whether the broker had kept it.
        """
        self._told, self._heard = on_connected, on_message

    def start(self) -> None:
        """Begin to connect, and to come back."""
        self._client.connect_async(self._host, self._port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self, wait_s: float = 2.0) -> None:
        """Say ``offline`` and leave."""
        if self.is_connected:
            self.wait([self.publish(self._will, b"offline", retain=True)], wait_s)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_connected(self) -> bool:
        """True while the broker takes messages."""
        return self._connected.is_set()

    def wait_connected(self, wait_s: float) -> bool:
        """Wait for a connection; return whether there is one."""
        return self._connected.wait(wait_s)

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, expire_s: int | None = None
    ) -> Sent:
        """Send a message with QoS 1; without a connection it goes with the next one.

        Args:
            topic: its topic.
            payload: its bytes; empty and kept: what was kept there goes.
            retain: the broker keeps it for whoever subscribes later.
            expire_s: seconds after which the broker gives it to nobody, where it speaks MQTT 5.
        """
        if len(topic.encode()) + len(payload) + _HEAD > self._most:
            return _unsent(f"packet too large, of a broker that takes {self._most:g} bytes")
        properties = None
        if self._is_v5 and expire_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expire_s
        try:
            return Sent(self._client.publish(topic, payload, 1, retain, properties))
        except ValueError as error:  # a name that somebody else chose
            return _unsent(f"{topic}: {error}")

    def is_acknowledged(self, sent: Sent) -> bool:
        """Return whether the broker has acknowledged a message.

        Raises:
            RefusedError: it does not take it.
        """
        if sent.refused:
            raise RefusedError(sent.refused, True)
        # A send that found no connection goes with the next one, whatever paho said at first.
        if sent.info.rc in {MQTTErrorCode.MQTT_ERR_NO_CONN, MQTTErrorCode.MQTT_ERR_CONN_LOST}:
            sent.info.rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        if not sent.info.is_published():
            return False
        if refused := self._refused.pop(sent.info.mid, None):
            words, code = refused
            raise RefusedError(words, code in NEVER)
        return True

    def wait(self, sent: Sequence[Sent], wait_s: float) -> bool:
        """Wait until all of these are acknowledged or refused; return whether they are."""
        end_s = time.monotonic() + wait_s
        for each in sent:
            while not each.info._published:
                left_s = end_s - time.monotonic()
                if left_s <= 0 or not self.is_connected:
                    return False
                with each.info._condition:
                    if not each.info._published:
                        each.info._condition.wait(min(left_s, 0.1))
        return True

    def subscribe(self, *topics: str) -> None:
        """Receive messages of topics."""
        if topics:
            self._client.subscribe([(topic, 1) for topic in topics])

    def unsubscribe(self, *topics: str) -> None:
        """Receive them no longer."""
        if topics:
            self._client.unsubscribe(list(topics))

    def why(self) -> str:
        """Return in words why there is no connection; asks the network."""
        if self._refusal:
            return self._refusal
        try:
            with socket.create_connection((self._host, self._port), _PROBE_S) as plain:
                if self._tls is not None:
                    self._tls.wrap_socket(plain, server_hostname=self._host).close()
        except ssl.SSLError as error:
            return f"TLS: {error.reason or error}"
        except OSError as error:
            return (error.strerror or str(error) or type(error).__name__).lower()
        return "takes connections and does not answer"

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            hint = "; --protocol 3.1.1 may help" if code.value == 0x84 else ""
            self._refusal = f"refuses this client: {str(code).lower()}{hint}"
            return
        self._refusal = ""
        self._most = getattr(properties, "MaximumPacketSize", float("inf"))
        self._send_waiting(getattr(properties, "ReceiveMaximum", _IN_FLIGHT))
        self.publish(self._will, b"online", retain=True)
        self._connected.set()
        self._told()

    def _send_waiting(self, most: int) -> None:
        """Send what waited for this connection, no more at once than the broker takes: paho would
        send all of it, and brokers end the connection of whoever does.
        """
        client = self._client
        with client._out_message_mutex:
            client._max_inflight_messages = min(_IN_FLIGHT, most)
            client._inflight_messages = 0
            for message in client._out_messages.values():
                message.state = MessageState.MQTT_MS_QUEUED
            client._update_inflight()

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        self._connected.clear()
        if code.is_failure:
            log.debug("the broker is away: %s", code)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        self._refused.pop(mid, None)  # of a message of long ago, of the same number
        if code.is_failure:
            self._refused[mid] = str(code).lower(), code.value

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._heard(message.topic, bytes(message.payload), message.retain)


def _unsent(why: str) -> Sent:
    info = MQTTMessageInfo(0)
    info._set_as_published()
    return Sent(info, why)


def _send_at_once(_client: Client, _data: Any, opened: Any) -> None:
    """Let no message wait for the acknowledgement of the one before: that is 40 ms a batch."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _tls(options: Options) -> ssl.SSLContext:
    """Return the context of a connection.

    Raises:
        ValueError: a file cannot be read as what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"--ca: expected certificates, got {options.ca}: {error}") from None
    if options.cert is not None:
        try:
            context.load_cert_chain(options.cert, options.key)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(f"--cert: no certificate with its key: {error}") from None
    return context
