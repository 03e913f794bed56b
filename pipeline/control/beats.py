"""The beats of a fleet's workers: signs of life twice a second, with what each has to offer.

A lease says who has a name and outlives its holder by seconds; a beat says who works now. One that
stays the same is of a worker that was killed, or is frozen, whatever the clocks of machines say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import cast

import msgspec
import redis

from mirante.keys import FLEET_BEATS
from mirante.wire.errors import UNREADABLE

BEAT_S = 0.5


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker of a fleet says twice a second.

    Attributes:
        run: another one each time that it is started.
        number: of the beat.
        node: the machine that it is on.
        cores: that its cameras may use.
        labels, zone: what it offers.
        gpus: how many it has.
        version: of Mirante.
        leaves: it ends as soon as other workers have its cameras.
        shares: the cores are its machine's, and not of a limit or of its configuration.
    """

    run: str
    number: int
    node: str
    cores: float
    labels: tuple[str, ...] = ()
    zone: str = ""
    gpus: int = 0
    version: str = ""
    leaves: bool = False
    shares: bool = False


_read = msgspec.json.Decoder(Beat)


def beat(client: redis.Redis, worker: str, said: Beat) -> None:
    """Put a beat in the place of the one before.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client.hset(FLEET_BEATS, worker, msgspec.json.encode(said))


def end(client: redis.Redis, *workers: str) -> None:
    """Forget workers that ended.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if workers:
        client.hdel(FLEET_BEATS, *workers)


def cores_of(beats: Mapping[str, Beat], drained: Collection[str] = ()) -> dict[str, float]:
    """Return the cores that cameras of each worker may use; those of a machine that several workers
    share count once.

    Args:
        beats: by worker, of those that work.
        drained: those of them that are to have no cameras: what they had is for the others, who get
            their cameras too.
    """
    sharing = Counter(b.node for worker, b in beats.items() if b.shares and worker not in drained)
    return {
        worker: said.cores / max(1, sharing[said.node]) if said.shares else said.cores
        for worker, said in beats.items()
    }


def beats(client: redis.Redis) -> dict[str, Beat]:
    """Return the newest beat of each worker, those too that died; without what is none.

    Args:
        client: a Redis client that answers bytes.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = {}
    for worker, raw in cast(dict[bytes, bytes], client.hgetall(FLEET_BEATS)).items():
        try:
            found[worker.decode()] = _read.decode(raw)
        except UNREADABLE:
            continue
    return found
