"""Where each part of an import came from: an option, the file's metadata, its family, or nowhere.

What is assumed is said, so that nobody takes it for known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from engines.convert.asked import UNKNOWN_LICENCE, Asked
from engines.convert.families import FAMILIES
from engines.convert.metadata import Told
from engines.convert.tidy import Picture
from engines.found import KINDS
from engines.labels import distinct

OPTION, ASSUMED, PIXELS = "option", "assumed", "whole pixels as they are"
ONE_CHANNEL = "the input has one channel"
SHOWN = ("colour", "scale", "mean", "std", "resize")
_NUMBERS = ("scale", "mean", "std")  # belong together: one alone means nothing


@dataclass(frozen=True)
class Known:
    """What is known of an import besides its network.

    Attributes:
        asked: the request, with what the file says where no option does.
        labels: where they came from; empty where there are none yet.
        notes: contradictions and what was made of them, a sentence each.
        is_text: the labels are characters: the network reads text.
        points: how many key points each object has, where the file says so.
    """

    asked: Asked
    labels: str
    notes: tuple[str, ...]
    is_text: bool = False
    points: int | None = None


def known(asked: Asked, told: Told) -> Known:
    """Fill a request with what its file says; options hold, and what contradicts them is said."""
    notes: list[str] = []
    where = f"file's metadata ({told.labels_key})"
    given, labels = asked.labels, told.labels if asked.heads is None else None
    if given is not None and labels is not None and given != labels:
        notes.append(
            f"labels: --labels has {_some(given)}, the {where} {_some(labels)}; the option holds"
        )
    if asked.size and told.size and asked.size != told.size:
        notes.append(f"size: --size has {_sides(asked.size)}, the file's metadata (imgsz) ")
        notes[-1] += f"{_sides(told.size)}; the option holds"
    exported = {k.task if k.exported_as is None else k.exported_as: k.task for k in KINDS.values()}
    task = exported.get(told.task or "no task") if asked.heads is None else None
    if asked.task and task and asked.task != task:
        notes.append(f"task: --task has {asked.task}, the file's metadata {task}; the option holds")
    chosen = given if given is not None else labels
    if chosen is not None:
        chosen, doubled = distinct(chosen)
        if doubled:
            notes.append(
                f"labels: {', '.join(doubled[:5])} more than once; the later ones are called "
                f'"{doubled[0]} (2)" and so on'
            )
    source = (OPTION if given is not None else where) if chosen is not None else ""
    unknown = asked.licence == UNKNOWN_LICENCE
    filled = replace(
        asked,
        labels=chosen,
        hinted_size=told.size,
        task=asked.task or task,
        summary=asked.summary or told.summary[:200],
        licence=told.licence if told.licence and unknown else asked.licence,
        keypoints=asked.keypoints or told.keypoints,
    )
    return Known(filled, source, tuple(notes), told.is_text, told.points)


def _some(labels: tuple[str, ...]) -> str:
    more = ", …" if len(labels) > 3 else ""
    return f"{len(labels)} ({', '.join(labels[:3])}{more})"


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def fed(
    picture: Picture, asked: Asked, told: Told, family: str = ""
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the manifest's ``input``, and where colour, scale, mean, std and resize came from.

    An option holds before the file's metadata, that before what the family's authors do, and that
    before the assumption: RGB of 0..1, stretched.

    Args:
        picture: the input of images.
        asked: the request.
        told: what the file says.
        family: of networks, by its key in ``FAMILIES`` where that is known there.
    """
    given = asked.input.given()
    author = FAMILIES.get(family)
    of_family = {} if author is None else author.keys()
    sources = (
        (OPTION, given),
        ("file's metadata", {k: v for k in (*_NUMBERS, "colour") if (v := getattr(told, k))}),
        (f"family {author.says}" if author is not None else "", of_family),
        (ASSUMED, {"colour": "rgb", "scale": 1 / 255, "resize": "stretch"}),
    )
    keys: dict[str, Any] = {"name": picture.name, "size": list(picture.size)}
    keys["layout"] = picture.layout
    origins: dict[str, str] = {}
    for names in (("colour",), _NUMBERS, ("resize",)):
        origin, values = next(each for each in sources if set(names) & set(each[1]))
        for name in names:
            origins[name] = origin if name in values or origin != OPTION else ASSUMED
            default = {"scale": 1 / 255, "mean": (0, 0, 0), "std": (1, 1, 1)}.get(name)
            keys[name] = values.get(name, default)
    if of_family and keys["colour"] != of_family["colour"] and origins["scale"].startswith("fam"):
        keys |= {name: keys[name][::-1] for name in ("mean", "std")}  # go by the channels' order
    if picture.dtype.kind in "iu":
        keys |= {"scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}
        keys |= {
            name: given[name] for name in _NUMBERS if name in given
        }  # refused where it is read
        origins |= dict.fromkeys(_NUMBERS, PIXELS)
    if picture.channels == 1:
        keys["colour"], origins["colour"] = "grey", ONE_CHANNEL
        keys |= {name: _of_one(keys[name]) for name in ("mean", "std")}
    if keys["resize"] != "stretch" and "pad" in of_family:
        keys["pad"] = of_family["pad"]
    if asked.dynamic == "size" and told.stride and keys["resize"] != "stretch":
        keys["multiple"] = told.stride
    keys |= {name: given[name] for name in ("pad", "multiple", "extra") if name in given}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in keys.items()}, origins


def _of_one(values: tuple[float, ...]) -> tuple[float, ...]:
    """One value, where the channels have the same; others are refused where they are read."""
    return values[:1] if len(set(values)) == 1 else values


def told_lines(keys: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Yield what an image is made into, a line for each place that it came from."""
    for origin, names in groupby(SHOWN, lambda name: origins[name]):
        said = ", ".join(f"{name} {as_option(keys[name])}" for name in names)
        yield f"{said}: {origin}"


def as_option(value: Any) -> str:
    """Return a value of ``input`` as it is typed: 1/255, numbers or one for all, a word."""
    if isinstance(value, list | tuple):
        each = [f"{number:.6g}" for number in value]
        return each[0] if len(set(each)) == 1 else ",".join(each)
    if isinstance(value, float) and 0 < value < 1 and abs(1 / value - round(1 / value, 1)) < 1e-6:
        return f"1/{round(1 / value, 1):g}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def commented(text: str, origins: Mapping[str, str]) -> str:
    """Return a manifest's text, with where its labels and input came from as comments."""
    lines, part = [], ""
    for line in text.splitlines():
        key = line.strip().partition(":")[0]
        part = part if line[:1] in " -" else key
        is_one = key in origins and part in ("input", "labels")
        lines.append(f"{line}  # {origins[key]}" if is_one else line)
    return "\n".join(lines) + "\n"
