"""The tools that look: what cameras, results and counts are."""

from __future__ import annotations

import base64
import time
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from pydantic import Field

from bridges.mcp.api import Api, of_camera
from bridges.mcp.explained import explained
from bridges.mcp.facts import Facts, utc
from bridges.mcp.paired import newest
from bridges.mcp.picture import answer, with_boxes

PAGES_MOST = 10  # of events that one answer looks through
CHANGES = 20  # of a camera's state
Name = Annotated[str, Field(description="name of the camera, as list_cameras has it")]
Boxes = Annotated[bool, Field(description="draw box, class, track and score of each object")]
Hours = Annotated[float, Field(gt=0, le=24 * 36, description="how far back, in hours from now")]
_SHORT = (
    *("name", "url", "worker", "paused", "state", "reason", "code", "advice", "since", "size"),
    *("rate", "latency_ms", "models", "labels", "hint"),
)


class Looks:
    """The tools that look, and change nothing.

    Args:
        api: of the dashboard.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list_cameras(
        self,
        names: Annotated[
            str | None, Field(description="pattern of names, such as gate-*; all by default")
        ] = None,
        state: Annotated[
            str | None, Field(description="such as running, failed or stopped; all by default")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
        after: Annotated[
            str | None, Field(description="`next` of an earlier answer: the cameras after it")
        ] = None,
    ) -> Facts:
        """List the cameras that the token sees, by name: state with its reason and advice, frame
        rates, latency, models, and the classes that these find. `total` is how many fit; `next` is
        null where there are no more. Also says what the token's role is.
        """
        session = await self._api.get("session")
        fit = [
            each
            for each in sorted(await self._api.get("cameras"), key=lambda each: each["name"])
            if fnmatchcase(each["name"], names or "*") and state in {None, each["state"]}
        ]
        left = [each for each in fit if after is None or each["name"] > after]
        return {
            "role": session["role"],
            "total": len(fit),
            "cameras": [{key: each[key] for key in _SHORT} for each in left[:limit]],
            "next": left[limit - 1]["name"] if len(left) > limit else None,
        }

    async def test_camera(
        self,
        url: Annotated[
            str | None,
            Field(description="an address to try, such as rtsp://user:password@192.0.2.10/stream1"),
        ] = None,
        name: Annotated[
            str | None, Field(description="instead: an existing camera, tried as it is")
        ] = None,
        stages: Annotated[
            list[Facts] | None,
            Field(description='with url: what to run, such as [{"model": "street"}]'),
        ] = None,
        boxes: Boxes = True,
    ) -> CallToolResult:
        """Connect to a camera once, run the stages on one frame, and return what was found with
        the image, or why it failed and what to do about it. Nothing is added or changed. Takes up
        to 30 seconds. An address takes a token of an admin; a name one of an operator.
        """
        if (url is None) == (name is None):
            raise ToolError("expected url or name, one of them")
        said = {"url": url, "name": name, "stages": stages}
        body = {key: value for key, value in said.items() if value is not None}
        trial = await self._api.send("POST", "cameras/test", body)
        picture = trial.pop("picture")
        if picture is None:
            return answer(trial)
        jpeg = base64.b64decode(picture.partition(",")[2])
        return answer(trial, _drawn(jpeg, trial["objects"], trial["size"]) if boxes else jpeg)

    async def newest_results(
        self,
        camera: Name,
        image: Annotated[bool, Field(description="also return an image")] = True,
        boxes: Boxes = True,
    ) -> CallToolResult:
        """Return what a camera sees now: objects with class, score, box in pixels and track, and
        the image of that very frame. Where no image can be had, `no_image` says why, and the
        results are the newest that are kept.
        """
        found = await newest(self._api, camera, image=image)
        facts = {**found.message, "no_image": found.no_image}
        if found.jpeg is None or not boxes or found.is_other_frame:
            return answer(facts, found.jpeg)
        message = found.message
        return answer(facts, _drawn(found.jpeg, message["objects"], message["size"]))

    async def count_over_time(
        self, camera: Name, by: Literal["minute", "hour"] = "hour", last_hours: Hours = 24.0
    ) -> Facts:
        """Count how many objects a camera saw over time: new objects by class (`new`), `entered`,
        `left`, `dwell` seconds and `peak` of zones, `in` and `out` across lines. Each series has
        its values as [UTC time, value], without zeros, and their total. Minutes go back 7 days,
        hours 36.
        """
        since = max(0, int(time.time() - last_hours * 3600))
        path = of_camera(camera, "/counts")
        found = await self._api.get(path, by=by, **{"from": since})
        return {
            "camera": camera,
            "by": by,
            "from": utc(found["from"]),
            "to": utc(found["to"]),
            "series": [_readable(each) for each in found["series"]],
        }

    async def list_events(
        self,
        where: Annotated[
            str | None,
            Field(
                description="filter, such as: kind = zone-entered and label in (person, car) and "
                'not zone = "back door". Fields: camera, kind, label, zone, line, direction, '
                "track_id, score, count, dwell_s, speed_kmh, distance_m; signs = != < <= > >= in"
            ),
        ] = None,
        cameras: Annotated[
            list[str] | None, Field(description="of these cameras; all by default")
        ] = None,
        last_hours: Hours | None = None,
        limit: Annotated[int, Field(ge=1, le=500)] = 20,
        before: Annotated[
            str | None, Field(description="`next` of an earlier answer: the events before it")
        ] = None,
    ) -> Facts:
        """List what happened, newest first: objects that appear and go, zones entered and left,
        lines crossed. `next` is null where there are no more. An event with `image` true has one:
        event_image returns it by camera and `entry`.
        """
        since = None if last_hours is None else max(0.0, time.time() - last_hours * 3600)
        asked = {"where": where, "camera": cameras, "since": since}
        events: list[Facts] = []
        for _ in range(PAGES_MOST):
            page = await self._api.get("events", limit=limit - len(events), before=before, **asked)
            events += page["events"]
            before = page["next"]
            if before is None or len(events) == limit:
                break
        return {"events": events, "next": before}

    async def event_image(
        self,
        camera: Name,
        entry: Annotated[str, Field(description="`entry` of an event that has an image")],
    ) -> CallToolResult:
        """Return the image of an event, blurred and blacked out as the camera is configured."""
        path = of_camera(camera, f"/events/{quote(entry, safe='')}/image")
        jpeg, _ = await self._api.image(path)
        return answer({"camera": camera, "entry": entry}, jpeg)

    async def explain_camera(self, camera: Name) -> Facts:
        """Explain how a camera is doing: its state and why, what to do about it, where its frames
        went since it started and in the last minute (published, dropped, failed, passed over),
        what each reason means, and its latest changes of state.
        """
        said = await self._api.get(of_camera(camera))
        reasons = await self._api.get("reasons")
        history = await self._api.get(of_camera(camera, "/history"), seconds=60)
        timeline = await self._api.get(of_camera(camera, "/timeline"), limit=CHANGES)
        return explained(said, reasons, history, timeline["states"])

    async def propose_zone(
        self,
        camera: Name,
        classes: Annotated[
            list[str] | None, Field(description="objects of these classes; all by default")
        ] = None,
        standing: Annotated[
            bool, Field(description="where objects stand still, instead of where they pass")
        ] = False,
    ) -> Facts:
        """Propose a zone where most tracked objects of the last 10 minutes were. `words` says what
        it is based on. `rules` holds the camera's zones and lines with the new one, coordinates in
        0..1 of the image: it is what preview_zones and set_zones take. Nothing is changed.
        """
        path = of_camera(camera, "/zones/proposal")
        found = await self._api.get(path, classes=classes, standing=str(standing).lower())
        return dict(found)

    async def list_zones(self, camera: Name) -> Facts:
        """List the zones and lines of a camera, and the classes that may be counted in them."""
        return dict(await self._api.get(of_camera(camera, "/zones")))

    async def preview_zones(
        self,
        camera: Name,
        zones: Annotated[Facts, Field(description="zones by name, as in `rules`")],
        lines: Annotated[Facts | None, Field(description="lines by name")] = None,
    ) -> Facts:
        """Count what zones and lines would have counted in the last 10 minutes. Nothing is
        changed. Takes a token of an operator.
        """
        body = {"zones": zones, "lines": lines or {}}
        path = of_camera(camera, "/zones/preview")
        return dict(await self._api.send("POST", path, body))


def _drawn(jpeg: bytes, objects: list[Facts], size: Any) -> bytes:
    try:
        return with_boxes(jpeg, objects, size)
    except ValueError as error:
        raise ToolError(f"the image cannot be drawn on: {error}; ask with boxes false") from None


def _readable(series: Facts) -> Facts:
    values = [[utc(at), value] for at, value in series["values"]]
    numbers = [value for _, value in values]
    total = max(numbers) if series["metric"] == "peak" else sum(numbers)
    return {**series, "values": values, "total": total}
