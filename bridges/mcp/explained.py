"""Explain how a camera is doing, in the words of the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridges.mcp.facts import Facts, utc


def explained(
    camera: Facts, reasons: Sequence[Facts], history: Facts, states: Sequence[Facts]
) -> Facts:
    """Return a camera's state, its account of frames with what each reason means, and what to do.

    Args:
        camera: as ``GET /cameras/NAME`` answers.
        reasons: as ``GET /reasons`` answers.
        history: as ``GET /cameras/NAME/history`` answers.
        states: changes of its state, newest first.
    """
    known = {each["reason"]: each for each in reasons}
    counts = camera["counts"]
    frames = [] if counts is None else list(_account(counts, known))
    return {
        "camera": camera["name"],
        "state": camera["state"],
        "words": list(_words(camera, frames)),
        "frames": frames,
        "counts": counts,
        "last_minute": _per_second(history),
        "latency_ms": camera["latency_ms"],
        "states": [_change(each) for each in states],
    }


def _words(camera: Facts, frames: Sequence[Facts]) -> Iterator[str]:
    paused = ", paused" if camera["paused"] else ""
    said = f"{camera['state']}{paused}: {camera['reason']}".removesuffix(": ")
    yield f"{camera['name']} is {said}"
    if camera["advice"]:
        yield camera["advice"]
    if camera["hint"]:
        yield camera["hint"]
    counts = camera["counts"]
    if counts is None:
        yield "no frame was counted yet"
        return
    yield f"{counts['published']} of {counts['decoded']} decoded frames were published"
    for each in frames:
        counter = "" if each["counter"] == each["reason"] else f" {each['counter']}"
        share = f"{each['frames']} frames ({each['percent']:g} %){counter}, {each['reason']}"
        yield ": ".join(filter(None, [share, each["words"]])) + (
            f". {each['advice']}" if each["advice"] else ""
        )


def _account(counts: Facts, known: dict[str, Facts]) -> Iterator[Facts]:
    """Yield the frames of each reason, most first."""
    lost = [("dropped", reason, many) for reason, many in counts["dropped"].items()]
    lost += [("skipped", reason, many) for reason, many in counts["skipped"].items()]
    lost += [(name, name, counts[name]) for name in ("failed", "damaged")]
    for counter, reason, many in sorted(lost, key=lambda each: -each[2]):
        if many:
            row = known.get(reason, {})
            yield {
                "counter": counter,
                "reason": reason,
                "frames": many,
                "percent": round(100 * many / max(1, counts["decoded"]), 1),
                "words": row.get("words", ""),
                "advice": row.get("advice", ""),
            }


def _per_second(history: Facts) -> Facts:
    """Return the mean frames a second of the last minute, as far as it was sampled."""
    columns = {name: history[name] for name in ("decoded", "published", "failed")}
    columns |= {f"dropped: {reason}": each for reason, each in history["dropped"].items()}
    means: Facts = {}
    for name, values in columns.items():
        sampled = [value for value in values if value is not None]
        means[name] = round(sum(sampled) / len(sampled), 2) if sampled else None
    return means


def _change(state: Facts) -> Facts:
    return {"at": utc(state["at"]), **{key: state[key] for key in ("state", "reason", "code")}}
