"""Commands that arrive over MQTT: what an operator, or an admin, may do on the dashboard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import redis

from bridges.mqtt.board import Camera
from bridges.mqtt.options import Role
from bridges.mqtt.topics import Topics
from pipeline.control.audit import by_command
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Desired
from pipeline.control.registry import Registry

log = logging.getLogger("mirante.bridge.mqtt")

Do = Callable[[Registry, str, bytes], None]
_ON_OFF = {b"ON": True, b"OFF": False}


class CommandError(ValueError):
    """It cannot be obeyed, in words."""


def subscriptions(topics: Topics) -> tuple[str, ...]:
    """Return the topics on which commands arrive."""
    return tuple(f"{topics.prefix}/+/{what}/set" for what in ("pause", "threshold/+", "zones/+"))


def echoes(camera: Camera, topics: Topics) -> dict[str, bytes]:
    """Return what each ``…/state`` says, as the registry has it."""
    if camera.desired is None:
        return {}
    said = {topics.of(camera.name, "pause", "state"): _said(camera.is_paused)}
    for model, found in camera.thresholds().items():
        # One that has a score for each class, or the model's own, is no number that can be said.
        if len(found) == 1 and isinstance(found[0], int | float):
            said[topics.of(camera.name, "threshold", model, "state")] = f"{found[0]:g}".encode()
    for zone, rule in camera.rules("zones").items():
        said[topics.of(camera.name, "zones", zone, "state")] = _said(rule.get("enabled", True))
    return said


def obey(
    client: redis.Redis, role: Role, camera: str, names: tuple[str, ...], payload: bytes
) -> None:
    """Do what a message on a topic ``…/set`` says; what is done, or refused, is in the audit log.

    Args:
        client: of Redis.
        role: that the bridge has.
        camera: whom it is about.
        names: the levels of the topic behind the camera, ``set`` among them.
        payload: of the message.

    Raises:
        CommandError: it is no command, or the role does not allow it.
        RegistryError: the camera cannot be changed.
        redis.RedisError: Redis does not answer.
    """
    match names:
        case ("pause", "set"):
            action, needed, do = _pause(payload)
        case ("threshold", model, "set"):
            action, needed, do = _threshold(model, payload)
        case ("zones", zone, "set"):
            action, needed, do = _zone(zone, payload)
        case _:
            raise CommandError(f"{'/'.join(names)}: no command of that name")
    with by_command(action, client, camera=camera, detail="over MQTT"):
        if needed == "admin" and role != "admin":
            raise CommandError(f"{action}: needs --commands admin, got {role}")
        do(Registry(client), camera)


_Made = tuple[str, Role, Callable[[Registry, str], Any]]


def _pause(payload: bytes) -> _Made:
    is_on = _read_on_off("pause", payload)
    if is_on:
        return "pause camera", "operator", lambda registry, name: registry.pause(name)
    return "resume camera", "operator", lambda registry, name: registry.resume(name)


def _threshold(model: str, payload: bytes) -> _Made:
    try:
        score = float(payload)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise CommandError(
            f"threshold/{model}: expected a number from 0 to 1, got {payload[:40]!r}"
        )

    def change(before: Desired) -> Mapping[str, object]:
        models = [each["model"] for each in before.spec.get("stages") or [] if "model" in each]
        if models and model not in models:
            raise CommandError(f"threshold/{model}: expected one of {', '.join(models)}")
        return _with_stages(
            before,
            "model",
            lambda stage: {**stage, "threshold": score} if stage["model"] == model else stage,
        )

    return "change camera", "admin", lambda registry, name: registry.edit(name, change)


def _zone(zone: str, payload: bytes) -> _Made:
    is_on = _read_on_off(f"zones/{zone}", payload)

    def change(before: Desired) -> Mapping[str, object]:
        return _with_stages(before, "zones", lambda stage: _with_zone(stage, zone, is_on))

    return "change zones", "operator", lambda registry, name: registry.edit(name, change)


def _with_zone(stage: dict[str, Any], zone: str, is_on: bool) -> dict[str, Any]:
    zones = dict(stage["zones"])
    if zone not in zones:
        raise CommandError(f"zones/{zone}: expected one of {', '.join(zones) or 'none'}")
    rule = {key: value for key, value in zones[zone].items() if key != "enabled"}
    return {**stage, "zones": {**zones, zone: rule if is_on else {**rule, "enabled": False}}}


def _with_stages(
    before: Desired, key: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> Mapping[str, object]:
    stages = before.spec.get("stages") or []
    if not any(key in stage for stage in stages):
        raise RegistryError(
            f'camera "{before.name}" has no stage "{key}" of its own; what it inherits is changed '
            "in the configuration"
        )
    return {"stages": [change(dict(stage)) if key in stage else stage for stage in stages]}


def _read_on_off(what: str, payload: bytes) -> bool:
    if payload not in _ON_OFF:
        raise CommandError(f"{what}: expected ON or OFF, got {payload[:40]!r}")
    return _ON_OFF[payload]


def _said(is_on: bool) -> bytes:
    return b"ON" if is_on else b"OFF"
