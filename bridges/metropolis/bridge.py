"""The bridge to ``mdx-raw``."""

from __future__ import annotations

import threading
from typing import Any

import redis

from bridges.metropolis.cameras import CamerasFrom
from bridges.metropolis.frames import encode_minimal, encode_protobuf
from bridges.metropolis.options import Metropolis
from bridges.parcel import AwayError, Parcel
from bridges.reading import Reading
from mirante.client.items import Frame
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of, written_key
from mirante.redis_url import RedisUrl, reply_to

_TIMEOUT_S = 5.0
# Entries of a camera come in the order of their IDs, so one that is not behind the last that was
# written was written: the answer was lost, or the bridge died before it acknowledged the entry.
_WRITE = """
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local written = 0
for at = 3, #ARGV, 4 do
  local camera, id, key, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local last = redis.call('HGET', KEYS[2], camera)
  local ms, seq = parts(id)
  local last_ms, last_seq = -1, -1
  if last then last_ms, last_seq = parts(last) end
  if ms > last_ms or (ms == last_ms and seq > last_seq) then
    if ARGV[2] == 'metadata' then
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'metadata', value)
    else
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*',
                 'key', key, 'value', value, 'headers', '{}')
    end
    redis.call('HSET', KEYS[2], camera, id)
    written = written + 1
  end
end
return written
"""


class MetropolisBridge:
    """Writes each frame once to the stream, also when answers are lost or the bridge is killed.

    Args:
        options: where to, and in what form.
        reading: what is read, and from which Redis.

    Raises:
        ValueError: an address cannot be read.
    """

    kind = "metropolis"

    def __init__(self, options: Metropolis, reading: Reading) -> None:
        self._options = options
        self._url = RedisUrl(options.to or reading.address())
        self.target = f"{options.stream} at {self._url}"
        with_masks = options.masks and options.schema == "protobuf"
        self.kinds: tuple[SubscribedKind, ...] = (
            ("detections", "masks") if with_masks else ("detections",)
        )
        self._marks = written_key(options.stream, reading.named(self.kind))
        self._encode = encode_protobuf if options.schema == "protobuf" else encode_minimal
        self._client = self._url.client(_TIMEOUT_S)
        self._stop = threading.Event()
        self._cameras: CamerasFrom | None = None
        if options.cameras_from:
            address = RedisUrl(reading.address())
            self._cameras = CamerasFrom(
                self._url, options.cameras_from, address, options.worker, reading.named(self.kind)
            )

    def open(self) -> None:
        """Begin to follow who adds and removes cameras."""
        if self._cameras is not None:
            self._cameras.start()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Write the frames in one transaction.

        Raises:
            AwayError: Redis is away, or refuses.
        """
        arguments: list[Any] = [self._options.most, self._options.layout]
        for parcel in parcels:
            item, camera = parcel.item, camera_of(parcel.held.stream)
            assert isinstance(item, Frame)
            sensor = self._options.sensors.get(camera, camera)
            value = self._encode(item, sensor)
            arguments += [camera, str(parcel.held.entry_id), sensor, value]
        command = ("EVAL", _WRITE, 2, self._options.stream, self._marks, *arguments)
        try:
            reply_to(self._client, command)
        except (redis.RedisError, OSError) as error:
            raise AwayError(self._url.explain(error)) from None
        for parcel in parcels:
            parcel.done()

    def close(self) -> None:
        """End."""
        if self._cameras is not None:
            self._cameras.close()
        self._client.close()
