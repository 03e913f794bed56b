"""The command that writes a lane's part of a batch: its entries, and the step behind them."""

from __future__ import annotations

from itertools import chain
from typing import Any

from mirante.keys import key, memory_key
from plugins.outbox.fence import Fence
from plugins.outbox.lane import Entry, Lane
from plugins.outbox.limits import Limits
from plugins.outbox.retention import Retention
from plugins.outbox.step import Step, joined

_RENEW_S = 5.0


def write_command(
    lane: Lane,
    entries: list[Entry],
    sent: str,
    now_s: float,
    fence: Fence,
    limits: Limits,
    retention: Retention,
) -> tuple[Any, ...]:
    """Return the command; its arguments are explained by ``Fence.write``.

    Args:
        lane: whose camera this publisher owns.
        entries: that fly.
        sent: the moment, Unix seconds.
        now_s: the same, monotonic.
        fence: of the publisher.
        limits: of the memory of streams.
        retention: how long entries and keys stay.
    """
    step = joined([*(entry.step for entry in entries), lane.flying_step]) or Step()
    streams = [key(lane.camera, kind) for kind in lane.kinds]
    if lane.is_of_events:
        hashes = sorted({digits.key for digits in step.counts.values()})
        beside = [*hashes, memory_key(lane.camera)]
    else:  # these last as long as the streams do
        hashes, beside = [], [key(lane.camera, "groups"), key(lane.camera, "status")]
    forget_s = 0
    if lane.expire_s <= now_s:
        lane.expire_s = now_s + _RENEW_S
        forget_s = round(retention.lasting_s(lane.kinds[-1]))
    parts: list[Any] = [*fence.write(lane.camera, beside, streams, lane.whole)]
    lane.whole = False
    parts += (forget_s, sent, str(lane.taken), len(streams), 2 + len(hashes))
    writes = lane.writes(entries)
    parts += limits.trims(lane, writes, now_s)
    for entry, kind in writes:
        fields = entry.fields[kind]
        parts += (lane.kinds.index(kind) + 1, 2 * len(fields), str(entry.id))
        parts += chain.from_iterable(fields.items())
    if step.memory or step.counts:
        parts += (0, round(retention.lasting_s(lane.kinds[-1])), step.memory)
        for digits in step.counts.values():
            parts += (hashes.index(digits.key) + 1, digits.keep_s, *digits[1:4])
    return tuple(parts)
