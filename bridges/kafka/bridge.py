"""The bridge to Kafka."""

from __future__ import annotations

import logging
import time
from typing import Any

import confluent_kafka as kafka

from bridges.item_json import json_of, kind_of
from bridges.kafka.options import Kafka, properties_of, topic_of
from bridges.parcel import AwayError, Parcel
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of
from mirante.terms import VERSION

log = logging.getLogger(__name__)

WAIT_S = 10.0  # for all acknowledgements of one delivery
_LEAVE_S = 5.0
_TOO_LARGE = kafka.KafkaError.MSG_SIZE_TOO_LARGE
_NEVER = {  # the broker would refuse it the next time, too
    _TOO_LARGE,
    kafka.KafkaError.INVALID_MSG,
    kafka.KafkaError.INVALID_RECORD,
}


class KafkaBridge:
    """Produces each entry once in a session, keyed by its camera, which keeps a camera's order.

    What was produced and not acknowledged stays in librdkafka's queue and is not produced again,
    however often it comes. Only a bridge that died between a broker's acknowledgement and Redis's
    sends an entry once more: its header ``entry_id`` is the same.

    Args:
        options: where to.
        wait_s: how long a delivery waits for acknowledgements.

    Raises:
        ValueError: an option is not as it should be.
    """

    kind = "kafka"

    def __init__(self, options: Kafka, wait_s: float = WAIT_S) -> None:
        self.target = f"{options.servers} {options.topic}"
        self.kinds: tuple[SubscribedKind, ...] = options.kinds
        self._topic, self._wait_s = options.topic, wait_s
        self._properties = properties_of(options)
        self._producer: Any = None
        self._sent: set[int] = set()  # parcels on their way, by identity
        self._words = ""
        self._is_broken = False
        self._is_careful = False  # a batch was refused: each goes alone, and which it was is seen
        self._alone: int | None = None  # the parcel that went alone

    def open(self) -> None:
        """Make the producer; brokers are looked for from now on.

        Raises:
            ValueError: librdkafka refuses an option.
        """
        try:
            self._producer = kafka.Producer(
                {**self._properties, "error_cb": self._note, "logger": log}
            )
        except kafka.KafkaException as error:
            raise ValueError(f"kafka: {error.args[0].str()}") from None

    def deliver(self, parcels: list[Parcel]) -> None:
        """Produce what is not on its way yet, and wait for acknowledgements.

        Raises:
            AwayError: some did not come in time.
        """
        if self._is_broken:
            self._replace_producer()
        end_s = time.monotonic() + self._wait_s
        self._send(parcels, end_s)
        if self._is_careful:
            self._send(parcels, end_s)
        if any(parcel.state == "waits" for parcel in parcels):
            raise AwayError(self._words or f"no acknowledgement within {self._wait_s:g} s")
        self._words, self._is_careful = "", False

    def close(self) -> None:
        """Wait a moment for what is on its way; what is acknowledged by then is done."""
        if self._producer is not None:
            self._producer.flush(_LEAVE_S)
            self._producer.purge()
            self._producer.flush(_LEAVE_S)
            self._producer = None

    def _send(self, parcels: list[Parcel], end_s: float) -> None:
        """Produce what is neither settled nor on its way, and wait for acknowledgements."""
        for parcel in parcels:
            if parcel.state != "waits" or id(parcel) in self._sent:
                continue
            if self._is_careful and not self._wait(end_s):
                return
            self._alone = id(parcel) if self._is_careful else None
            if not self._produce(parcel):
                break  # those behind it must not overtake it
        self._wait(end_s)

    def _wait(self, end_s: float) -> bool:
        """Wait until nothing is on its way; return whether it is so."""
        while self._sent:
            self._producer.poll(0.05)
            if self._is_broken or time.monotonic() >= end_s:
                return False
        return True

    def _produce(self, parcel: Parcel) -> bool:
        """Put it on its way; False where there is no room at present."""
        item, camera = parcel.item, camera_of(parcel.held.stream)
        kind = kind_of(item)
        self._sent.add(id(parcel))
        try:
            self._producer.produce(
                topic_of(self._topic, kind, camera),
                json_of(item),
                key=camera,
                headers={
                    "content-type": "application/json",
                    "kind": kind,
                    "version": VERSION,
                    "entry_id": str(parcel.held.entry_id),
                },
                timestamp=parcel.held.entry_id.ms,
                on_delivery=lambda error, _message: self._delivered(parcel, error),
            )
        except BufferError:
            self._sent.discard(id(parcel))
            return False
        except kafka.KafkaException as error:
            self._alone = id(parcel)  # refused before it came to a batch
            self._delivered(parcel, error.args[0])
        return True

    def _delivered(self, parcel: Parcel, error: Any) -> None:
        self._sent.discard(id(parcel))
        if error is None:
            parcel.done()
        elif error.code() == _TOO_LARGE and id(parcel) != self._alone:
            self._is_careful = True  # brokers refuse the whole batch that holds it
        elif error.code() in _NEVER:
            parcel.dead(error.str())
        else:
            self._note(error)

    def _note(self, error: Any) -> None:
        self._words = error.str()
        self._is_broken |= error.fatal()

    def _replace_producer(self) -> None:
        """Make another producer: librdkafka's will never produce again."""
        log.warning("the producer failed for good; making a new one: %s", self._words)
        self._producer.purge()
        self._producer.flush(_LEAVE_S)
        self._sent.clear()
        self._is_broken = False
        self.open()
