"""``/api/v1/cameras/…/zones``: what is counted at a camera, and what would have been."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, HTTPException
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from dashboard.access.rights import Operator, Viewer
from dashboard.api.bodies import JsonRoute, with_integers
from dashboard.api.camera_keys import check
from dashboard.api.kept_tracks import MINUTES, recount
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, Shape, as_said, inline, refusals
from dashboard.services import FromApp
from mirante.zones import LineCount, ZoneCount
from mirante.zones.recount import Recount, needs_masks
from mirante.zones.rules import read_rules
from mirante.zones.scale import WHOLE, Edges
from pipeline.config.messages import ConflictError, describe, refusal
from pipeline.config.standard import TRACKER
from pipeline.config.zones import ZoneRules
from pipeline.control.entries import Desired

PREVIEWS_AT_ONCE = 2
ZONES = "zones"  # the key that names the stage

router = APIRouter(route_class=JsonRoute)
_previews = threading.BoundedSemaphore(PREVIEWS_AT_ONCE)

Keys = Annotated[dict[str, Any], Body(), AfterValidator(with_integers)]
Description = dict[str, Any]
_DOOR = {"polygon": [[0.4, 0.5], [0.6, 0.5], [0.6, 1], [0.4, 1]], "classes": ["person"]}
_GATE = {"from": [0.2, 0.8], "to": [0.8, 0.8]}
_RULES: Description = {"zones": {"door": _DOOR}, "lines": {"gate": _GATE}}
_COUNTS: Description = {
    "zones": {"door": {"inside": 1, "entered": 12, "left": 11}},
    "lines": {"gate": {"in": 7, "out": 5}},
}


class Zones(Shape):
    """The zones and lines of a camera."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_RULES,
                    "ground": None,
                    "classes": ["person", "car"],
                    "area": [0, 0, 1, 1],
                    "restarts": False,
                    "words": "counted from the next frame on",
                }
            ]
        }
    )

    zones: dict[str, Any] = Field(description="areas, by name, as in the configuration")
    lines: dict[str, Any] = Field(description="directed lines, by name")
    ground: dict[str, Any] | None = Field(None, description="the ground in metres")
    classes: list[str] = Field(description="those that the camera finds")
    area: list[float] = Field(
        description="the part of the whole image that is seen (`crop`): left, top, right, bottom, "
        "in 0..1; all coordinates here are of the whole image"
    )
    restarts: bool = Field(
        False, description="the camera restarts once, to count for the first time"
    )
    words: str = Field("", description="what became of a change")


class Preview(Shape):
    """The counts that zones and lines would have had."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_COUNTS,
                    "covered_s": 598.4,
                    "frames": 4986,
                    "words": "counted in 10.0 of the last 10 minutes",
                }
            ]
        }
    )

    zones: dict[str, Annotated[dict[str, Any], as_said(ZoneCount)]]
    lines: dict[str, Annotated[dict[str, Any], as_said(LineCount)]]
    covered_s: float = Field(description="seconds of kept tracks that were counted")
    frames: int = Field(description="frames that were counted")
    words: str = Field(description="what was counted, and why not more")


def _body() -> Description:
    schema = inline(ZoneRules.model_json_schema())
    schema["required"] = []
    content = {"schema": schema, "example": _RULES}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


@router.get(
    "/{name}/zones",
    summary="Zones and lines of a camera",
    response_model=Zones,
    responses=refusals(404, 503),
)
def get_zones(name: CameraName, services: FromApp, who: Viewer) -> Description:
    """Return what is counted, and the classes that may be."""
    seen = Seen(services, who)
    return shown(seen, seen.named(name))


@router.put(
    "/{name}/zones",
    summary="Change zones and lines of a camera",
    response_model=Zones,
    responses=refusals(403, 404, 409, 422, 503, 507),
    openapi_extra=_body(),
)
def put_zones(name: CameraName, services: FromApp, who: Operator, body: Keys) -> Description:
    """The camera counts by them from the next frame on, without a restart; totals of names that
    stay are kept. Where it has no stages for it yet, they are added and it restarts once. `ground`
    stays as it is unless it is there. A camera of a configuration file is changed there.
    """
    seen = Seen(services, who)
    seen.named(name)

    def with_rules(now: Desired) -> Description:
        return _checked(seen, now, body)[1]

    before = services.registry().edit(name, with_rules)
    services.sampler.nudge()
    restarts = _index(_stages(seen, before)) is None
    words = (
        "the camera restarts once, as nothing was counted before"
        if restarts
        else "counted from the next frame on"
    )
    return {**shown(seen, seen.named(name)), "restarts": restarts, "words": words}


@router.post(
    "/{name}/zones/preview",
    summary="What zones and lines would have counted",
    response_model=Preview,
    responses=refusals(403, 404, 409, 422, 429, 502, 503),
    openapi_extra=_body(),
)
def preview_zones(name: CameraName, services: FromApp, who: Operator, body: Keys) -> Description:
    """In the last 10 minutes, as far as tracks are kept in Redis: of ten frames a second, five of
    many objects. Nothing is changed. Zones that need masks are not counted here.
    """
    seen = Seen(services, who)
    before = seen.named(name)
    try:
        stage, _ = _checked(seen, before, body)
    except UnknownStagesError:  # its worker is not running: there is nothing to check against
        stage = _read(body)
    with counting():
        rules = read_rules(stage.rules)
        found, is_all = recount(services.redis, name, rules, area_of(before))
    masked = [zone for zone, rule in rules.zones.items() if needs_masks(rule)]
    zones = {} if found.counts is None else found.counts.zones
    lines = {} if found.counts is None else found.counts.lines
    covered_s = round(found.covered_s, 1)
    return {
        "zones": {zone: _json(each) for zone, each in zones.items() if zone not in masked},
        "lines": {line: _json(each) for line, each in lines.items()},
        "covered_s": covered_s,
        "frames": found.frames,
        "words": _words(found, covered_s, masked, is_all),
    }


@contextmanager
def counting() -> Iterator[None]:
    """Hold one of the few places for those who read kept tracks.

    Raises:
        HTTPException: 429, all are taken.
    """
    if not _previews.acquire(blocking=False):
        words = (
            f"the kept tracks of {PREVIEWS_AT_ONCE} cameras are being read; try again in a moment"
        )
        raise HTTPException(429, words)
    try:
        yield
    finally:
        _previews.release()


def _json(count: ZoneCount | LineCount) -> Description:
    return dict(msgspec.to_builtins(count))


def _words(found: Recount, covered_s: float, masked: list[str], is_all: bool) -> str:
    if not found.frames:
        return f"no tracks of the last {MINUTES} minutes are kept"
    lacking = "" if found.tracked else "; nothing was tracked"
    masks = f"; not {', '.join(masked)}, which would need masks" if masked else ""
    cut = "" if is_all else "; the newest were left out, as it took too long"
    return f"counted in {covered_s / 60:.1f} of the last {MINUTES} minutes{lacking}{masks}{cut}"


class UnknownStagesError(ConflictError):
    """A camera inherits its stages from a worker that is not running."""


def _checked(seen: Seen, camera: Desired, body: Description) -> tuple[ZoneRules, Description]:
    """Return the stage that a body makes, and the camera's key ``stages`` with it.

    Raises:
        ConfigError: a line for each mistake.
        ConflictError: the camera cannot have it.
    """
    stages = _stages(seen, camera)
    index = _index(stages)
    kept = stages[index].get("ground") if index is not None else None
    said = _read({"ground": kept, **body})
    keys = said.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    after = {"stages": _with(stages, index, {"zones": {}, **keys})}
    report = seen.services.sampler.reports().get(camera.worker)
    check(camera.name, after, camera, report, may_refer=seen.who.sees_all)
    return said, after


def _read(keys: Description) -> ZoneRules:
    """Return the stage that a body makes, by the configuration's own rules.

    Raises:
        ConfigError: a line for each mistake.
    """
    document = {"zones": {}, **keys}
    try:
        return ZoneRules.model_validate_json(json.dumps(document), strict=False)
    except ValidationError as error:
        raise refusal(error, describe(error, ZoneRules, document)) from None


def _stages(seen: Seen, camera: Desired) -> list[Description]:
    """Return the camera's stages, its own or what it inherits.

    Raises:
        UnknownStagesError: they are not known.
    """
    report = seen.services.sampler.reports().get(camera.worker)
    own: list[Description] | None = camera.spec.get("stages")
    if own is None and report is not None:
        own = report.stages_of(camera.spec)
    if own is None:
        words = f'it inherits them from worker "{camera.worker}", which is not running'
        raise UnknownStagesError("camera", [f"{camera.name}.stages: {words}"])
    return [dict(each) for each in own]


def _index(stages: list[Description]) -> int | None:
    return next((index for index, stage in enumerate(stages) if ZONES in stage), None)


def _with(stages: list[Description], index: int | None, said: Description) -> list[Description]:
    """Return the stages with this one in the place of that at ``index``, or behind the tracker,
    which stands behind the last model where there is none yet.
    """
    if index is not None:
        return [*stages[:index], said, *stages[index + 1 :]]
    trackers = [place for place, stage in enumerate(stages) if "track" in stage]
    if trackers:
        place = trackers[-1] + 1
        return [*stages[:place], said, *stages[place:]]
    models = [place for place, stage in enumerate(stages) if "model" in stage]
    place = models[-1] + 1 if models else len(stages)
    return [*stages[:place], TRACKER, said, *stages[place:]]


def area_of(camera: Desired) -> Edges:
    """Return the part of the whole image that its frames show."""
    crop = camera.spec.get("crop")
    return (crop[0], crop[1], crop[2], crop[3]) if crop else WHOLE


def shown(seen: Seen, camera: Desired) -> Description:
    """Return the zones and lines of a camera, and what they may count."""
    try:
        stages = _stages(seen, camera)
    except UnknownStagesError:
        stages = []
    index = _index(stages)
    said = {} if index is None else stages[index]
    return {
        "zones": said.get("zones") or {},
        "lines": said.get("lines") or {},
        "ground": said.get("ground"),
        "classes": seen.describe(camera).get("labels") or [],
        "area": list(area_of(camera)),
    }
