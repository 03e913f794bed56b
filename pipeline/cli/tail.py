"""``mirante tail``: what a camera sees, live, a line a frame."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, cast

import typer

from engines.console import is_fancy
from pipeline.cli.camera import RedisOption, connected
from pipeline.cli.lines import clock, say

if TYPE_CHECKING:
    from mirante import Detections
    from mirante.client.items import Frame
    from mirante.client.plan import StateKind
    from mirante.lanes import EgoLane, Lanes
    from mirante.mask import Mask
    from mirante.status import Status

FRAME_COLUMNS, CROP_COLUMNS = 64, 20


def tail(
    camera: Annotated[
        list[str], typer.Argument(metavar="CAMERA…", help="Names, or patterns: '*', 'gate-*'.")
    ],
    picture_s: Annotated[
        float, typer.Option("--pictures", help="Seconds between images of masks; 0 for none.")
    ] = 1.0,
    count: Annotated[
        int | None, typer.Option(help="Stop after N frames, or events.", min=1)
    ] = None,
    since_s: Annotated[
        float | None, typer.Option("--since", help="Start N seconds ago.", min=0)
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Show events instead.")] = False,
    where: Annotated[
        str | None,
        typer.Option(help='Filter of events, such as "label = person and zone = gate".'),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as JSON Lines.")] = False,
    redis_url: RedisOption = None,
) -> None:
    """Show detections, masks and state changes, or events, as they come, until Ctrl-C."""
    import mirante
    from mirante.client.items import Frame
    from mirante.client.plan import is_pattern

    if not events and (as_json or where is not None):
        raise typer.BadParameter("--where and --json: expected with --events")
    address = _announce(camera, redis_url)
    several = len(camera) > 1 or is_pattern(camera[0])
    if events:
        from pipeline.cli.tail_events import print_events

        found = mirante.subscribe(camera, ["events"], since=since_s, redis=address, where=where)
        print_events(found, count, several, as_json)
        return
    kinds: list[StateKind] = ["detections", "status"]
    if picture_s:
        kinds.append("masks")
    frames, picture_due_s = 0, defaultdict[str, float](float)
    for item in mirante.subscribe(camera, kinds, since=since_s, redis=address):
        if not isinstance(item, Frame):
            say(f"{clock(item.ts)}  {_state_words(item)}", "bold")
            continue
        if item.lost_before != 0:
            say(_gap_words(item), "red")
        say(frame_words(item, several))
        masks = list(item.all_masks())
        if masks and picture_s and time.monotonic() >= picture_due_s[item.camera]:
            picture_due_s[item.camera] = time.monotonic() + picture_s
            _show_masks(masks)
        frames += 1
        if frames == count:
            return


def frame_words(frame: Frame, several: bool = False) -> str:
    """Return one line about a frame: time, number, latency from capture to Redis, findings."""
    camera = f"{frame.camera}  " if several else ""
    parts = [objects_words(frame.detections), *(mask_words(mask) for _, mask in frame.all_masks())]
    if frame.lanes is not None:
        parts.append(lane_words(frame.lanes))
    found = ", ".join(part for part in parts if part) or "nothing"
    latency = f"{(frame.sent - frame.captured) * 1e3:.0f} ms"
    before = "damaged image: " if frame.damaged else f"{frame.skipped}: " if frame.skipped else ""
    return f"{clock(frame.captured)}  {camera}#{frame.seq}  {latency:>7}  {before}{found}"


def objects_words(detections: Detections) -> str:
    """``2 person (0.91, 0.85), 1 car (0.52 colour: red)``."""
    boxes: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for index, (label, score, _) in enumerate(detections):
        said = detections.attributes_of(index).items()
        boxes[label].append((score, "".join(f" {name}: {one.label}" for name, one in said)))
    return ", ".join(
        f"{len(found)} {label} "
        f"({', '.join(f'{score:.2f}{said}' for score, said in sorted(found, reverse=True))})"
        for label, found in boxes.items()
    )


def mask_words(mask: Mask) -> str:
    """``drivable 31 %, lane 2 %``: how much of the mask's region each plane covers."""
    shares = mask.planes.mean(axis=(1, 2))
    return ", ".join(f"{n} {share:.0%}" for n, share in zip(mask.labels, shares, strict=True))


def lane_words(lanes: Lanes) -> str:
    """``lines -1 (0.92) 1 (0.94), 4% left of centre``: numbers, confidences, the ego lane."""
    lines = " ".join(f"{line.number} ({line.confidence:.2f})" for line in lanes.lines)
    parts = [f"lines {lines}" if lines else "no lines"]
    return ", ".join(parts if lanes.ego is None else [*parts, offset_words(lanes.ego)])


def offset_words(ego: EgoLane) -> str:
    """``4% left of centre``, in metres where those are known; ``in the lane's centre``."""
    side = "right" if ego.offset > 0 else "left"
    far = f"{abs(ego.offset):.0%}" if ego.offset_m is None else f"{abs(ego.offset_m):.2f} m"
    return f"{far} {side} of centre" if far.strip("0.% m") else "in the lane's centre"


def _announce(cameras: Iterable[str], redis_url: str | None) -> str:
    """Return the address of a Redis that answers; report unknown camera names."""
    from mirante.client.plan import is_pattern
    from mirante.keys import CAMERAS, key
    from mirante.nearest import nearest
    from pipeline.control.worker_file import redis_address

    address = redis_address(redis_url)
    with connected(address) as client:
        # Read as a viewer may; the registry's way would load all of the configuration.
        found = cast("dict[bytes, bytes]", client.hgetall(CAMERAS))
        known = [name.decode() for name in found]
        for name in cameras:
            if is_pattern(name) or name in known:
                continue
            if client.exists(*(key(name, kind) for kind in ("status", "detections", "events"))):
                continue
            hint = f"; {nearest(name, known)}" if known else ""
            typer.echo(f'mirante: no camera "{name}" is known yet, waiting for it{hint}', err=True)
    return address


def _show_masks(masks: Iterable[tuple[int | None, Mask]]) -> None:
    for of_object, mask in masks:
        columns = FRAME_COLUMNS if of_object is None else CROP_COLUMNS
        for line in _mask_lines(mask, columns):
            say(line, markup=True)


def _mask_lines(mask: Mask, columns: int) -> Iterator[str]:
    from pipeline.cli.pictures import COLOURS, colour_picture, plain_picture, shrink

    planes = shrink(mask, columns)
    if is_fancy():
        names = zip(mask.labels, COLOURS * len(mask.labels), strict=False)
        yield " ".join(f"[{colour}]■[/] {label}" for label, colour in names)
        yield from colour_picture(planes)
        return
    for label, plane in zip(mask.labels, planes, strict=True):
        if plane.any():
            yield f"  {label}:"
            yield from (f"  |{line}|" for line in plain_picture(plane))


def _state_words(status: Status) -> str:
    return f"{status.camera} is {status.state}: {status.reason}"


def _gap_words(frame: Frame) -> str:
    frames = "an unknown number of" if frame.lost_before is None else str(frame.lost_before)
    return f"{clock(frame.captured)}  {frames} frames before #{frame.seq} are missing"
