"""``GET /api/v1/cameras/{name}/zones/proposal``: a zone where objects were seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from dashboard.access.rights import Viewer
from dashboard.api.kept_tracks import MINUTES, take_kept
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, Flag, Shape, refusals
from dashboard.api.zones import area_of, counting, shown
from dashboard.services import FromApp
from mirante.nearest import nearest
from mirante.zones.propose import Proposal
from mirante.zones.propose import Seen as SeenObjects
from pipeline.config.messages import ConflictError, show

NAME = "proposed"

router = APIRouter()

Description = dict[str, Any]
_EXAMPLE: Description = {
    "name": "proposed",
    "rules": {
        "zones": {
            "proposed": {
                "polygon": [[0.375, 0.556], [0.604, 0.556], [0.604, 0.926], [0.375, 0.926]],
                "classes": ["person"],
            }
        },
        "lines": {},
    },
    "covered_s": 598.4,
    "frames": 4986,
    "labels": {"person": 17},
    "inside": 15,
    "words": "15 of 17 tracks of the last 10.0 minutes were there: 17 person",
}


class ProposedZone(Shape):
    """A zone that may be counted, and what it is based on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str | None = Field(description="of the new zone; null where there is none")
    rules: dict[str, Any] | None = Field(
        description="`zones` and `lines` of the camera with the new one: what `PUT …/zones` takes; "
        "null where nothing fitting was seen"
    )
    covered_s: float = Field(description="seconds of kept tracks that were read")
    frames: int = Field(description="frames that were read")
    labels: dict[str, int] = Field(description="tracks that fit, by class")
    inside: int = Field(description="of those, how many were in the new zone at some time")
    words: str = Field(description="what it is based on, or why there is none")


@router.get(
    "/{name}/zones/proposal",
    summary="Propose a zone",
    response_model=ProposedZone,
    responses=refusals(404, 409, 422, 429, 502, 503),
)
def propose_zone(
    name: CameraName,
    services: FromApp,
    who: Viewer,
    classes: Annotated[
        list[str] | None, Query(max_length=64, description="objects of these; all by default")
    ] = None,
    standing: Annotated[
        Flag, Query(description="where objects stand still, instead of where they pass")
    ] = False,
) -> Description:
    """Where most objects of the last 10 minutes stood or passed, by the tracks that are kept in
    Redis. Nothing is changed: `PUT` the `rules` to count by them.
    """
    seen = Seen(services, who)
    camera = seen.named(name)
    now = shown(seen, camera)
    wanted = list(dict.fromkeys(classes or ()))
    _check(wanted, now["classes"])
    objects = SeenObjects(name, wanted, standing=standing, area=area_of(camera))
    with counting():
        take_kept(services.redis, name, objects.take)
        found = objects.propose()
    zone = None if found.polygon is None else _free(NAME, now["zones"])
    rules = None
    if zone is not None:
        new = {"polygon": found.polygon, "classes": wanted}
        rules = {"zones": {**now["zones"], zone: new}, "lines": now["lines"]}
    return {
        "name": zone,
        "rules": rules,
        "covered_s": round(found.covered_s, 1),
        "frames": found.frames,
        "labels": found.labels,
        "inside": found.inside,
        "words": _words(found, wanted, standing=standing),
    }


def _check(classes: list[str], known: Collection[str]) -> None:
    if known and (unknown := [each for each in classes if each not in known]):
        raise ConflictError(
            "query", [f"classes: {show(unknown[0])} — {nearest(unknown[0], known)}"]
        )


def _free(name: str, taken: Collection[str]) -> str:
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(each for each in names if each not in taken)


def _words(found: Proposal, classes: list[str], *, standing: bool) -> str:
    if not found.frames:
        return f"no tracks of the last {MINUTES} minutes are kept"
    span = f"the last {found.covered_s / 60:.1f} minutes"
    what, how = ", ".join(classes) or "object", " standing still" if standing else ""
    if found.polygon is None:
        return f"no tracked {what} was seen{how} in {span}"
    by_class = ", ".join(f"{many} {label}" for label, many in found.labels.items())
    return f"{found.inside} of {found.tracks} tracks{how} of {span} were there: {by_class}"
