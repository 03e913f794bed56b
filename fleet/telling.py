"""What the keeper tells of its fleet, once a second: for the command line and the page."""

from __future__ import annotations

import os
import socket
import time

import redis

from fleet.keeper import Keeper
from fleet.redis_use import RedisRoom
from fleet.report import Kept, make
from pipeline.control.fleet_report import MoveReport, publish

EVERY_S = 1.0


class Telling:
    """Publishes reports on a fleet.

    Args:
        client: a Redis client that answers bytes.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._room = RedisRoom(client)
        self._due_s = 0.0
        self._words = f"process {os.getpid()} on {socket.gethostname()}"

    def tell(self, keeper: Keeper) -> None:
        """Publish a report when it is due; to be called often, behind the keeper's steps.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + EVERY_S
        cameras = sum(len(report.cameras) for report in keeper.reports.values())
        room = self._room.more(cameras)
        publish(self._client, make(keeper.entries, keeper.reports, self._kept(keeper), room))

    def _kept(self, keeper: Keeper) -> Kept:
        waiting = {
            name: keeper.refused.get(name, "it is about to be given to a worker")
            for name, entry in keeper.entries.items()
            if not entry.worker and not entry.paused
        }
        moves = [
            MoveReport(
                at=move.at,
                camera=move.camera,
                source=move.source or None,
                target=move.target or None,
                why=move.why,
            )
            for move in keeper.moves
        ]
        members = keeper.members
        return Kept(
            workers=sorted(members.known),
            gone=frozenset(members.known) - members.alive - members.unsure,
            draining=members.drained,
            waiting=waiting,
            moves=moves,
            moved=keeper.moved,
            keeper=self._words,
            cores=members.cores(),
            nodes=members.nodes(),
        )
