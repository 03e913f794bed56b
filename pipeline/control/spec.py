"""The keys of a camera in the registry: checked, changed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.config.camera import Camera, CameraName, CameraOptions
from pipeline.config.camera_url import redact
from pipeline.config.environment import REFERENCE
from pipeline.config.messages import ConfigError, describe, show
from pipeline.config.references import check_source
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
        lines = describe(error, dict[CameraName, Camera], document)
        raise ConfigError("camera", lines) from None
    if camera.url.username == "***" or "=***" in camera.url.bare:
        words = "*** stands for a secret that is not shown; expected the whole address"
        raise ConfigError("camera", [f"{name}.url: {show(str(camera.url))} — {words}"])
    if not REFERENCE.search(str(spec["url"])) and (
        lines := list(check_source(camera, f"{name}.url"))
    ):
        raise ConfigError("camera", lines)
    return camera


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
    if merged.get("url") == redact(before.spec["url"]):
        merged["url"] = before.spec["url"]
    after = checked(before.name, merged).model_dump(mode="json", exclude_unset=True)
    return after | {"url": str(merged["url"])}
