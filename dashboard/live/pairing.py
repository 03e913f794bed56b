"""Images wait for the results of their frame; both come from Redis by ways of their own."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from dashboard.live.bundle import Bundle, make_bundle, unpack_picture
from mirante.wire.errors import UNREADABLE, WireError

RESULTS_MOST = 64  # per camera: 2 s at 30 frames/s
PICTURES_MOST = 16
WAIT_S = 2.0


class _Head(msgspec.Struct, frozen=True):
    epoch: int
    seq: int
    masks: int = 0


_read_head = msgspec.json.Decoder(_Head)
FrameKey = tuple[int, int]  # epoch and number


@dataclass(slots=True)
class _Results:
    key: FrameKey
    json: bytes
    announced: int
    masks: dict[bytes, bytes] | None = None

    @property
    def whole(self) -> bool:
        return not self.announced or self.masks is not None


@dataclass(slots=True)
class Pairing:
    """One camera's images and results until they are paired. Memory is bounded.

    Attributes:
        camera: the camera's name.
        unpaired: images given up, as no results of their frame came in time.
    """

    camera: str
    clock: Callable[[], float] = time.monotonic
    unpaired: int = 0
    _pictures: OrderedDict[FrameKey, tuple[float, bytes]] = field(default_factory=OrderedDict)
    _results: OrderedDict[bytes, _Results] = field(default_factory=OrderedDict)
    _ids: dict[FrameKey, bytes] = field(default_factory=dict)

    def picture(self, message: bytes) -> Bundle | None:
        """A message of the ``preview`` channel came; the bundle that it completes, if it does.

        Raises:
            ValueError: it is not such a message.
        """
        head, jpeg = unpack_picture(message)
        now_s = self.clock()
        self._pictures[head.epoch, head.seq] = (now_s, jpeg)
        self._give_up(now_s)
        return self._meet((head.epoch, head.seq))

    def detections(self, entry_id: bytes, json: bytes) -> Bundle | None:
        """An entry of the ``detections`` stream came.

        Raises:
            ValueError: it is not a message of the wire format.
        """
        try:
            head = _read_head.decode(json)
        except UNREADABLE as error:
            raise ValueError(f"detections: {error}") from None
        results = self._results.get(entry_id)
        masks = results.masks if results else None
        if results is not None:
            self._ids.pop(results.key, None)
        key = (head.epoch, head.seq)
        self._keep(entry_id, _Results(key, json, head.masks, masks))
        self._ids[key] = entry_id
        return self._meet(key)

    def masks(self, entry_id: bytes, fields: dict[bytes, bytes]) -> Bundle | None:
        """An entry of the ``masks`` stream came.

        Raises:
            ValueError: it is not a message of the wire format.
        """
        results = self._results.get(entry_id)
        if results is None:
            self._keep(entry_id, _Results((-1, -1), b"", 0, fields))
            return None
        results.masks = fields
        return self._meet(results.key)

    def _keep(self, entry_id: bytes, results: _Results) -> None:
        self._results[entry_id] = results
        while len(self._results) > RESULTS_MOST:
            _, old = self._results.popitem(last=False)
            self._ids.pop(old.key, None)

    def _give_up(self, now_s: float) -> None:
        while self._pictures:
            since_s, _ = next(iter(self._pictures.values()))
            if len(self._pictures) <= PICTURES_MOST and now_s - since_s <= WAIT_S:
                return
            self._pictures.popitem(last=False)
            self.unpaired += 1

    def _meet(self, key: FrameKey) -> Bundle | None:
        entry_id = self._ids.get(key)
        if entry_id is None or key not in self._pictures:
            return None
        results = self._results[entry_id]
        if not results.whole:
            return None
        _, jpeg = self._pictures.pop(key)
        try:
            return make_bundle(self.camera, jpeg, results.json, results.masks)
        except (WireError, *UNREADABLE, KeyError) as error:
            raise ValueError(f"masks: {error}") from None
