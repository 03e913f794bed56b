"""Cameras that NVIDIA's tools add and remove: DeepStream's REST server and VST say so alike.

Both send ``{"value": {"camera_id": …, "camera_url": …, "change": "camera_add"}}``; VST's own events
have ``event`` in the place of ``value``. What else a message holds is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from mirante.keys import check_camera
from mirante.wire.errors import UNREADABLE
from pipeline.config.messages import ConfigError
from pipeline.control.registry import Registry
from pipeline.control.spec import check_address

ADD, REMOVE = ("camera_add", "camera_streaming"), ("camera_remove",)
_READ = ("value", "event")


class StreamChange(NamedTuple):
    """A camera comes or goes.

    Attributes:
        camera: its name here, which is the ID of its sensor there.
        url: its address; empty where it goes.
    """

    change: Literal["add", "remove"]
    camera: str
    url: str = ""


class _Said(msgspec.Struct):
    camera_id: str
    change: str
    camera_url: str = ""


def read_change(message: Mapping[str, Any] | bytes) -> StreamChange | None:
    """Return what a message says of a camera; None where it is of another kind of change.

    Args:
        message: JSON, or what it holds.

    Raises:
        ConfigError: naming the key, what it is and what was expected.
    """
    try:
        held = msgspec.json.decode(message) if isinstance(message, bytes) else message
        where = next((key for key in _READ if isinstance(held, dict) and key in held), None)
        if where is None:
            raise _wrong('value: missing; expected {"camera_id": …, "change": …}')
        said = msgspec.convert(held[where], _Said)
    except UNREADABLE as error:
        raise _wrong(str(error)) from None
    if said.change not in (*ADD, *REMOVE):
        return None
    try:
        camera = check_camera(said.camera_id)
    except ValueError as error:
        raise _wrong(f"{where}.camera_id: {str(error).removeprefix('camera: ')}") from None
    if said.change in REMOVE:
        return StreamChange("remove", camera)
    if not said.camera_url:
        raise _wrong(f"{where}.camera_url: missing; expected an address, such as rtsp://HOST/PATH")
    check_address(f"{where}.camera_url", said.camera_url)
    return StreamChange("add", camera, said.camera_url)


def make_change(registry: Registry, change: StreamChange) -> str:
    """Make a change in the registry, once or many times; return what was done, in words.

    A camera that is there takes the address; one that is not is not removed.

    Raises:
        ConfigError: an address is none for a camera.
        RegistryError: the camera is in a worker's file, or belongs to another worker.
        redis.RedisError: Redis does not answer.
    """
    name, before = change.camera, registry.cameras().get(change.camera)
    if change.change == "remove":
        if before is None:
            return f'no camera "{name}"'
        registry.remove(name)
        return f'camera "{name}" removed'
    if before is None:
        registry.add(name, {"url": change.url})
        return f'camera "{name}" added'
    if str(before.spec["url"]) == change.url:
        return f'camera "{name}" is unchanged'
    registry.edit(name, {"url": change.url})
    return f'camera "{name}" has a new address'


def _wrong(words: str) -> ConfigError:
    return ConfigError("stream change", [words])
