"""Drive on roads whose lines are known, and print how far off those are that the stage says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.lanes.plan import Plan
from benchmarks.lanes.roads import CONDITIONS, HEIGHT, LOWEST_PX, WIDTH, Condition, Drive
from benchmarks.machine import describe_machine
from engines.console import print_table
from mirante import FrameResult, Mask
from mirante.lanes import Curve, LaneLine, Lanes
from plugins.frame import Frame
from plugins.lanes.stage import LanesStage

ALLOWED_PX = 2.0
NO_LINE_PX = 16.0  # from every true line: one that is not there
SETTLED_S = 0.5  # of a drive, after which how late lines are is judged
_DELAYS_S = np.arange(-0.05, 0.3, 0.01)
_EPOCH_MS = 1_700_000_000_000
Floats = NDArray[np.float64]
_PIXELS = Frame(np.zeros((2, 2, 3), np.uint8))


@dataclass(slots=True)
class Errors:
    """The lanes found on drives of one condition, compared with ground truth.

    Attributes:
        px: of each line of each frame, by how much it is off where it is most.
        true: lines that have paint, over all frames.
        found: of these, said and nowhere further off than is allowed.
        rows: of the image that true lines run through, over all lines and frames.
        rows_found: of these, those at which the line is said, no further off than is allowed.
        ghosts: lines that are none.
        offsets: by how much the camera's offset in its lane is off, as a share of its width.
        delays_s: of each drive, how late its lines are.
        cpu_ms: of each frame.
    """

    px: list[float] = field(default_factory=list)
    true: int = 0
    found: int = 0
    rows: int = 0
    rows_found: int = 0
    ghosts: int = 0
    offsets: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def run_bench(plan: Plan) -> None:
    """Measure and print."""
    typer.echo(describe_machine())
    typer.echo(
        f"\n{plan.drives} roads under each condition, {plan.seconds:g} s at {plan.fps} frames/s; "
        f"errors of a line where it is most off, in pixels of {WIDTH}"
    )
    rows = [_row(name, driven(CONDITIONS[name], plan)) for name in plan.conditions]
    heads = ("", "p50", "p95", "most", f"≤ {ALLOWED_PX:g} px", "made up", "lines found", "rows")
    print_table((*heads, "offset p95", "late ms", "CPU ms"), rows)


def driven(condition: Condition, plan: Plan) -> Errors:
    """Return the errors of all drives of a condition."""
    errors = Errors()
    for seed in range(plan.seed, plan.seed + plan.drives):
        drive = Drive(seed, condition, plan.seconds)
        seen: list[tuple[float, Lanes]] = []
        for at_s, lanes, cpu_ms in _watched(drive, plan):
            seen.append((at_s, lanes))
            errors.cpu_ms.append(cpu_ms)
            _judge(errors, drive, at_s, lanes)
        errors.delays_s.append(delay_s(drive, [one for one in seen if one[0] > SETTLED_S]))
    return errors


def _watched(drive: Drive, plan: Plan) -> Iterator[tuple[float, Lanes, float]]:
    """Yield the time of each frame, its lanes, and the milliseconds of its thread."""
    stage = LanesStage()
    for n in range(round(plan.seconds * plan.fps)):
        at_s = n / plan.fps
        mask = Mask.from_planes(("lane",), drive.plane(at_s)[None], (0, 0, WIDTH, HEIGHT))
        at_ns = _EPOCH_MS * 10**6 + round(at_s * 1e9)
        frame = FrameResult("car", n, _EPOCH_MS, at_ns, "arrival", WIDTH, HEIGHT, masks=(mask,))
        began = time.thread_time_ns()
        lanes = stage(_PIXELS, frame).lanes
        spent_ms = (time.thread_time_ns() - began) / 1e6
        assert lanes is not None
        yield at_s, lanes, spent_ms


def _judge(errors: Errors, drive: Drive, at_s: float, lanes: Lanes) -> None:
    truth = drive.truth(at_s)
    near: list[list[LaneLine]] = [[] for _ in truth]
    for line in lanes.lines:
        off = [_off(line, true) for true in truth]
        if min(off) > NO_LINE_PX:
            errors.ghosts += 1
            continue
        errors.px.append(min(off))
        near[int(np.argmin(off))].append(line)
    errors.true += len(truth)
    for true, said in zip(truth, near, strict=True):
        errors.found += any(_off(line, true) <= ALLOWED_PX for line in said)
        rows = _rows(true)
        errors.rows += len(rows)
        errors.rows_found += int(np.any([_says(line, true, rows) for line in said], axis=0).sum())
    if lanes.ego is not None:
        miss = abs(lanes.ego.offset - drive.offset(at_s))
        errors.offsets.append(min(miss, 1 - miss))  # on a line it is in either lane


def _off(line: LaneLine, true: Curve) -> float:
    x, y = line.points.astype(np.float64).T
    return float(abs(true.at(y) - x).max())


def _rows(true: Curve) -> Floats:
    """Return the rows of the image that a line runs through."""
    rows = np.arange(HEIGHT, dtype=np.float64) + 0.5
    rows = rows[rows - true.horizon > LOWEST_PX]
    x = true.at(rows)
    inside: Floats = rows[(x >= 0) & (x <= WIDTH)]
    return inside


def _says(line: LaneLine, true: Curve, rows: Floats) -> NDArray[np.bool_]:
    """Return whether a line is said at rows, and where it is."""
    x, y = line.points.astype(np.float64)[::-1].T
    said = np.interp(rows, y, x, left=np.inf, right=np.inf)
    return np.asarray(abs(said - true.at(rows)) <= ALLOWED_PX, np.bool_)


def delay_s(drive: Drive, seen: Sequence[tuple[float, Lanes]]) -> float:
    """Return by how much earlier the road looked most like the lines that were said."""
    losses = [sum(_loss(drive, at_s - delay, lanes) for at_s, lanes in seen) for delay in _DELAYS_S]
    return float(_DELAYS_S[int(np.argmin(losses))])


def _loss(drive: Drive, at_s: float, lanes: Lanes) -> float:
    truth = drive.truth(at_s)
    return sum(
        min(_square(line, true.at(line.points[:, 1])) for true in truth) for line in lanes.lines
    )


def _square(line: LaneLine, x: Floats) -> float:
    return min(float(((x - line.points[:, 0]) ** 2).mean()), NO_LINE_PX**2)


def _row(name: str, errors: Errors) -> tuple[str, ...]:
    px = np.array(errors.px)
    return (
        name,
        *(f"{np.percentile(px, share):.2f}" for share in (50, 95, 100)),
        f"{(px <= ALLOWED_PX).sum() / (len(px) + errors.ghosts):.2%}",
        str(errors.ghosts),
        f"{errors.found / errors.true:.1%}",
        f"{errors.rows_found / errors.rows:.1%}",
        f"{np.percentile(errors.offsets, 95):.3f}",
        f"{np.median(errors.delays_s) * 1e3:.0f}",
        f"{np.median(errors.cpu_ms):.2f}",
    )
