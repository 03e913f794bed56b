"""What a camera of the fleet asks of its worker, as requests and options say it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mirante.keys import CAMERA_NAME
from pipeline.config.messages import ConfigError, describe, show
from pipeline.control.entries import Needs

if TYPE_CHECKING:
    from pipeline.control.beats import Beat

KEY = "needs"
Name = Annotated[str, Field(pattern=CAMERA_NAME)]


class Said(BaseModel):
    """What the worker must offer that the fleet gives it to; ``{}`` for any."""

    model_config = ConfigDict(extra="forbid", strict=True)

    labels: list[Name] = Field([], max_length=64, description="labels that the worker has, all")
    gpu: bool = Field(False, description="whether the worker has a GPU")
    zone: Name | None = Field(None, description="zone of the network that the worker is in")


def needs_of(value: object) -> Needs:
    """Read the key ``needs`` of a request.

    Raises:
        ConfigError: with a line per mistake.
    """
    if not isinstance(value, dict):
        words = "expected an object with labels, gpu and zone"
        raise ConfigError("camera", [f"{KEY}: {show(value)} — {words}"])
    try:
        said = Said.model_validate(value)
    except ValidationError as error:
        lines = [f"{KEY}.{line}" for line in describe(error, Said, value)]
        raise ConfigError("camera", lines) from None
    return Needs(tuple(dict.fromkeys(said.labels)), said.gpu, said.zone or "")


def told_needs(needs: Needs) -> dict[str, Any]:
    """Return needs as a request says them."""
    return {"labels": list(needs.labels), "gpu": needs.gpu, "zone": needs.zone or None}


def read_needs(text: str) -> Needs:
    """Read an option's ``gpu,zone=yard,label=night``; empty for any worker.

    Raises:
        ValueError: it says something else.
    """
    labels: list[str] = []
    gpu, zone = False, ""
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, name = part.partition("=")
        is_name = re.fullmatch(CAMERA_NAME, name) is not None
        if part == "gpu":
            gpu = True
        elif key == "zone" and is_name and not zone:
            zone = name
        elif key == "label" and is_name:
            labels.append(name)
        else:
            words = "expected gpu, zone=NAME, label=NAME, with commas between"
            raise ValueError(f'--needs: {words}, got "{part}"')
    return Needs(tuple(dict.fromkeys(labels)), gpu, zone)


def offers(needs: Needs, labels: Collection[str], gpu: bool, zone: str) -> bool:
    """Return whether a worker with these offers what a camera needs."""
    has_labels = set(labels).issuperset(needs.labels)
    return has_labels and (gpu or not needs.gpu) and needs.zone in ("", zone)


def meets(said: Beat, needs: Needs) -> bool:
    """Return whether a worker offers what a camera needs, as its beat says."""
    return offers(needs, said.labels, said.gpus > 0, said.zone)


def words_of(needs: Needs) -> str:
    """Return in words what a camera needs; empty for nothing."""
    asked = [f'label "{label}"' for label in needs.labels]
    asked += ["a GPU"] if needs.gpu else []
    asked += [f'zone "{needs.zone}"'] if needs.zone else []
    return " and ".join(asked)
