"""Cameras that VST adds and removes, by its stream of events."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import redis

from bridges.background import Background
from mirante.backoff import Backoff
from mirante.client.steps import streams_of
from mirante.redis_url import RedisUrl, reply_to
from pipeline.config.camera_url import redact
from pipeline.config.environment import REFERENCE
from pipeline.config.messages import ConfigError
from pipeline.control.changing import RegistryError
from pipeline.control.credentials import CredentialsError
from pipeline.control.lease import MAIN, holders, usual
from pipeline.control.registry import Registry
from pipeline.control.stream_changes import make_change, read_change

log = logging.getLogger("mirante.bridge")

_BATCH, _BLOCK_MS, _TIMEOUT_S = 16, 500, 5.0
_CONSUMER = "mirante"
# The worker would put in what is in its environment, and send that to wherever the event says.
_NO_REFERENCE = "camera_url: expected an address without ${…}, which only an admin may write"
_FIELDS = (b"value", b"metadata")  # where senders put the message, else in the only one


class CamerasFrom(Background):
    """A thread that makes the changes, each acknowledged when it is made.

    Args:
        url: of the Redis with the stream.
        stream: its key.
        registry: Redis with our cameras.
        worker: that runs added cameras; None for the only one that runs, else main.
        group: the name of the consumer group.
    """

    def __init__(
        self, url: RedisUrl, stream: str, registry: RedisUrl, worker: str | None, group: str
    ) -> None:
        super().__init__("cameras")
        self._url, self._stream, self._group = url, stream, f"bridge-{group}"
        self._registry_url, self._worker = registry, worker
        self._client = url.client(_TIMEOUT_S)
        self._ours = registry.shaped_client(_TIMEOUT_S)

    def close(self) -> None:
        """End."""
        super().close()
        self._client.close()
        self._ours.close()

    def _run(self) -> None:
        backoff, is_away = Backoff(0.2, 5.0), False
        while not self._stop.is_set():
            try:
                self._follow()
                backoff.reset()
                is_away = False
            except (redis.RedisError, OSError) as error:
                if not is_away:
                    log.warning("%s: %s; trying again", self._stream, self._url.explain(error))
                is_away = True
                self._stop.wait(backoff.next_s())

    def _follow(self) -> None:
        """Take what was read and not acknowledged before, then what is new."""
        created = ("XGROUP", "CREATE", self._stream, self._group, "0", "MKSTREAM")
        try:
            reply_to(self._client, created)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        while self._take("0"):
            pass
        while not self._stop.is_set():
            self._take(">")

    def _take(self, behind: str) -> bool:
        read = ("XREADGROUP", "GROUP", self._group, _CONSUMER, "COUNT", _BATCH)
        wait = ("BLOCK", _BLOCK_MS) if behind == ">" else ()
        reply = reply_to(self._client, (*read, *wait, "STREAMS", self._stream, behind))
        entries = [entry for _, found in streams_of(reply) for entry in found]
        for entry_id, fields in entries:
            if fields is not None:  # it was trimmed meanwhile
                self._make(str(entry_id), fields)
            reply_to(self._client, ("XACK", self._stream, self._group, str(entry_id)))
        return bool(entries)

    def _make(self, entry_id: str, fields: Mapping[bytes, bytes]) -> None:
        """Make one change; one that cannot be made is said, and passed over.

        Raises:
            redis.RedisError: it is tried again.
        """
        others = list(fields.values()) if len(fields) == 1 else [b""]
        message = next((fields[name] for name in _FIELDS if name in fields), others[0])
        try:
            if (change := read_change(message)) is None:
                return
            if REFERENCE.search(change.url):
                raise ConfigError("stream change", [_NO_REFERENCE])
            known = Registry(self._ours).cameras().values()
            worker = self._worker or usual(holders(self._ours, MAIN), known)
            words = make_change(Registry(self._ours, worker), change)
        except (ConfigError, RegistryError, CredentialsError) as error:
            log.error("%s %s: %s", self._stream, entry_id, redact(str(error)))
        else:
            log.info("%s %s: %s", self._stream, entry_id, words)
