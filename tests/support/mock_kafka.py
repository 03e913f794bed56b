"""librdkafka's own mock cluster, called where the client library keeps it.

Its brokers speak Kafka's protocol on real sockets, and can be taken away and slowed.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import confluent_kafka

_PRODUCER, _PRODUCE, _WORDS = 0, 0, 512
_CALLS: dict[str, tuple[Any, list[Any]]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, []),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_new": (
        ctypes.c_void_p,
        [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_destroy": (None, [ctypes.c_void_p]),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [ctypes.c_void_p]),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [ctypes.c_void_p]),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_rtt": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int],
    ),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
    ),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
    ),
}


@cache
def _library() -> Any:
    """Return the library that confluent_kafka has in its wheel."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    [path] = folder.glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _CALLS.items():
        call = getattr(library, name)
        call.restype, call.argtypes = result, arguments
    return library


class MockKafka:
    """A cluster of one broker; a context manager."""

    def __enter__(self) -> MockKafka:
        library, words = _library(), ctypes.create_string_buffer(_WORDS)
        settings = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(settings, b"log_level", b"0", words, _WORDS)
        self._holder = library.rd_kafka_new(_PRODUCER, settings, words, _WORDS)
        assert self._holder, words.value
        self._cluster = library.rd_kafka_mock_cluster_new(self._holder, 1)
        self.servers: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        return self

    def __exit__(self, *_: object) -> None:
        _library().rd_kafka_mock_cluster_destroy(self._cluster)
        _library().rd_kafka_destroy(self._holder)

    def go_down(self) -> None:
        """Close all connections and refuse new ones."""
        assert _library().rd_kafka_mock_broker_set_down(self._cluster, 1) == 0

    def come_up(self) -> None:
        """Accept connections again."""
        assert _library().rd_kafka_mock_broker_set_up(self._cluster, 1) == 0

    def slow_down(self, ms: int) -> None:
        """Let each answer take so long."""
        assert _library().rd_kafka_mock_broker_set_rtt(self._cluster, 1, ms) == 0

    def refuse(self, *errors: int) -> None:
        """Answer the next produce requests with these errors, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        _library().rd_kafka_mock_push_request_errors_array(
            self._cluster, _PRODUCE, len(errors), codes
        )

    def create(self, topic: str, partitions: int = 1) -> None:
        """Create a topic."""
        made = _library().rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        assert made == 0

    def read(self, topic: str, count: int, timeout_s: float = 60.0) -> list[Any]:
        """Return so many messages of a topic from its beginning, and all that come at once with
        them.
        """
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": f"test-{topic}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        partitions = consumer.list_topics(topic, timeout_s).topics[topic].partitions
        begin = confluent_kafka.OFFSET_BEGINNING
        consumer.assign([confluent_kafka.TopicPartition(topic, each, begin) for each in partitions])
        found: list[Any] = []
        ended: set[int | None] = set()
        try:
            while not (len(found) >= count and ended == set(partitions)):
                message = consumer.poll(timeout_s)
                assert message is not None, f"{len(found)} of {count} messages of {topic}"
                if (error := message.error()) is None:
                    found.append(message)
                    ended.discard(message.partition())
                elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
        finally:
            consumer.close()
        return found
