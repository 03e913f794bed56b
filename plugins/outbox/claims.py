"""Claiming cameras, by a worker that has its name and, of shared ones, to which they are given."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

import redis

from plugins.outbox.fence import Fence
from plugins.outbox.lane import Lane
from plugins.outbox.places import read_places
from plugins.outbox.ring import Ring

_NAME_RETRY_S = 0.1
_PLACE_RETRY_S = 0.25  # as often as workers look at the registry, and put back what is lost there

Exchange = Callable[[list[tuple[Any, ...]]], list[Any]]


class Claims:
    """The claims of one sender. Used by its thread alone.

    Args:
        ring: whose lanes are to be sent.
        fence: of the publisher.
        is_cluster: a node of Redis may be away, and others not.

    Attributes:
        worker: the name of the worker; empty for a line without one.
        relieved: shared cameras that another worker is to take over from this one.
    """

    def __init__(self, ring: Ring, fence: Fence, is_cluster: bool) -> None:
        self._ring, self._fence, self._is_cluster = ring, fence, is_cluster
        self.worker = fence.tenure.worker if fence.tenure else ""
        self.relieved: set[str] = set()

    def make(self, lanes: list[Lane], exchange: Exchange) -> list[tuple[Lane, Any]]:
        """Claim the cameras of these lanes that this publisher does not own.

        Returns:
            Those that it does not get, with the token of the owner or an error.

        Raises:
            redis.RedisError: Redis does not tell whether it may.
        """
        owned = self._fence.tokens
        free = {lane.camera: lane for lane in lanes if lane.camera not in owned}
        if not free:
            return []
        try:
            answers = self._ask(free, exchange)
        except redis.RedisError as error:
            if not self._is_cluster:
                raise
            return [(lane, error) for lane in self._unclaimed()]
        return [(lane, answers[lane.camera]) for lane in lanes if lane.camera in answers]

    def _ask(self, free: dict[str, Lane], exchange: Exchange) -> dict[str, Any]:
        """Claim; return the answers of claims that are denied."""
        if not self._has_name(exchange):
            return {}
        befores = self._claimable(free, exchange)
        claims = {c: self._fence.claim(c, free[c].known, befores[c]) for c in befores}
        replies = exchange([command for _, command in claims.values()])
        answers = dict(zip(claims, replies, strict=True))
        if not self._has_name(exchange):
            return {}
        tokens = {camera: claims[camera][0] for camera, answer in answers.items() if answer == 1}
        still = self._claimable(tokens, exchange)
        good = {c: token for c, token in tokens.items() if still.get(c) == befores[c]}
        self._fence.claimed(good)
        exchange([self._fence.withdraw(*claim) for claim in tokens.items() - good.items()])
        return {camera: answer for camera, answer in answers.items() if camera not in tokens}

    def _claimable(self, cameras: Collection[str], exchange: Exchange) -> dict[str, str]:
        """Return those cameras that this worker may claim, and from which other one. What moved is
        given up; what the registry does not show waits until a worker has put it back.
        """
        shared = [camera for camera in cameras if camera in self._ring.shared]
        found = {camera: "" for camera in cameras if camera not in self._ring.shared}
        places = read_places(shared, exchange)
        self.relieved -= set(shared)
        for camera in shared:
            place = places.get(camera)
            before = None if place is None else place.claims_from(self.worker)
            if place is None:
                self._wait(self._ring.of(camera), _PLACE_RETRY_S)
            elif before is None:
                self._ring.move(camera, place.worker)
            else:
                found[camera] = before
                if place.worker != self.worker:
                    self.relieved.add(camera)
        return found

    def _has_name(self, exchange: Exchange) -> bool:
        """True while the worker has its name; else the lanes wait until that is known again."""
        tenure = self._fence.tenure
        if tenure is None:
            return True
        [value] = exchange([("GET", tenure.key)])
        if isinstance(value, redis.RedisError):
            raise value
        if value == tenure.value.encode():
            return True
        tenure.doubted = True
        self._wait(self._unclaimed(), _NAME_RETRY_S)
        return False

    def _wait(self, lanes: list[Lane], seconds: float) -> None:
        with self._ring.changed:
            for lane in lanes:
                lane.retry_s = time.monotonic() + seconds

    def _unclaimed(self) -> list[Lane]:
        owned = self._fence.tokens
        return [lane for lane in list(self._ring.lanes.values()) if lane.camera not in owned]
