"""A Redis that answers and takes no writes, and one that evicts: which it is, in words."""

from __future__ import annotations

import re

import redis

WORDS = {
    "OOM": "is out of memory and refuses writes (OOM): raise maxmemory, or keep less (retention)",
    "READONLY": "is a read-only replica and refuses writes (READONLY): give its primary's address",
    "MISCONF": "cannot save to its disk and refuses writes (MISCONF): its log says why",
    "NOREPLICAS": "has too few replicas and refuses writes (NOREPLICAS): min-replicas-to-write",
    "MASTERDOWN": "is a replica without a link to its primary (MASTERDOWN): give that address",
    "CLUSTERDOWN": "is a cluster that is down (CLUSTERDOWN): a node with a part of it is missing",
    "BUSY": "runs a script for too long and refuses all else (BUSY): SCRIPT KILL ends that",
}
"""The words of each reply by which a server refuses writes, by the code that it begins with."""

_CLASSES: dict[type[redis.RedisError], str] = {  # redis-py takes the code off their texts
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
}
# At the start, behind what redis-py or EXEC puts before it, or inside a script's error (6.2).
_CODE = re.compile(rf"(?:^|caused error: |because of: |: -)({'|'.join(WORDS)})\b")


def refusal(reply: object) -> str | None:
    """Return the code by which a server that answers refuses writes.

    Args:
        reply: an error that was raised, or stands in the place of a reply; None for any other.
    """
    if not isinstance(reply, redis.ResponseError | redis.exceptions.ClusterError):
        return None
    for kind, code in _CLASSES.items():
        if isinstance(reply, kind):
            return code
    found = _CODE.search(str(reply))
    return found[1] if found else None


def eviction(policy: str | None) -> str:
    """Return what is wrong with a server's ``maxmemory-policy``, in words; "" where nothing is.

    Args:
        policy: as INFO tells it (``maxmemory_policy``); None where the server does not tell.
    """
    if policy in (None, "", "noeviction"):
        return ""
    return (
        f"evicts keys when its memory is full (maxmemory-policy {policy}): whole streams and the "
        "list of cameras may vanish; set maxmemory-policy noeviction"
    )
