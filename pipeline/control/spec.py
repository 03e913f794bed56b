"""The keys of a camera in the registry: checked, changed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.config.camera import Camera, CameraName, CameraOptions
from pipeline.config.camera_url import ADDRESSES, CameraUrl, redact
from pipeline.config.environment import REFERENCE
from pipeline.config.messages import ConfigError, ConflictError, describe, refusal, show
from pipeline.config.onvif_address import check_onvif
from pipeline.config.references import check_source
from pipeline.config.view_stream import check_hidden
from pipeline.control.entries import Desired


def shown(options: CameraOptions, *, exclude_unset: bool = True) -> dict[str, Any]:
    """A configured camera, or defaults, for others to read: the address redacted, without what
    stages hide, which may hold what ``${NAME}`` stood for.
    """
    spec = options.model_dump(mode="json", exclude_unset=exclude_unset)
    for stage, said in zip(options.stages or (), spec.get("stages") or (), strict=False):
        for key in stage.hidden:
            said.pop(key, None)
    return spec


def checked(name: str, spec: Mapping[str, object]) -> Camera:
    """The camera that the keys of one that is to be added make.

    Raises:
        ConfigError: a key or value is wrong, or the address is one that was shown.
    """
    document = {name: dict(spec)}
    try:
        camera = TypeAdapter(dict[CameraName, Camera]).validate_python(document)[name]
    except ValidationError as error:
        raise refusal(error, describe(error, dict[CameraName, Camera], document)) from None
    words = "*** stands for a secret that is not shown; expected the whole address"
    lines = [
        f"{name}.{key}: {show(str(url))} — {words}"
        for key in ADDRESSES
        if (url := getattr(camera, key)) and (url.username == "***" or "=***" in url.bare)
    ]
    if not lines and not any(REFERENCE.search(str(spec.get(key))) for key in ADDRESSES):
        lines = list(check_source(camera, name))
    conflicts = [*check_hidden(camera, name), *check_onvif(camera, name)]
    if lines or conflicts:
        raise (ConfigError if lines else ConflictError)("camera", [*lines, *conflicts])
    return camera


def stored(camera: Camera, spec: Mapping[str, object]) -> dict[str, Any]:
    """Return the keys of a checked camera, its addresses as ``spec`` has them: whole."""
    keys = camera.model_dump(mode="json", exclude_unset=True)
    return keys | {key: str(spec[key]) for key in ADDRESSES if spec.get(key) is not None}


def redacted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an entry for others to read."""
    hidden = {key: redact(str(spec[key])) for key in ADDRESSES if spec.get(key) is not None}
    return {**spec, **hidden}


def check_address(place: str, text: str) -> None:
    """Refuse what is no address of a camera.

    Raises:
        ConfigError: naming the place, and no part of a login.
    """
    try:
        CameraUrl(text)
    except ValueError as error:
        raise ConfigError("camera", [f"{place}: {show(text, ADDRESSES[0])} — {error}"]) from None


def edited(before: Desired, changes: Mapping[str, object]) -> dict[str, Any]:
    """The keys of an entry with changes, the address as it is to be stored or withdrawn.

    Raises:
        ConfigError: as ``checked``.
    """
    merged = {
        key: value
        for key, value in (before.spec | dict(changes)).items()
        if value is not None or key not in Camera.model_fields  # to be refused by its name
    }
    for key, address in redacted(before.spec).items():
        if key in ADDRESSES and merged.get(key) == address:
            merged[key] = before.spec[key]
    return stored(checked(before.name, merged), merged)
