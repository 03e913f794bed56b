"""Each tool of ``mirante mcp``, called by the SDK's own client against the API."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from mcp import Client
from mcp_types import CallToolResult

from bridges.mcp.api import Api
from bridges.mcp.server import make_server
from mirante.counts import Series, digits_of
from mirante.events import Event
from mirante.faults import FaultCode
from mirante.keys import key
from mirante.reasons import Reason
from mirante.wire.messages import Object
from pipeline.control.rpc import Requests
from pipeline.control.trials import Trial, pack
from tests.support.api_server import BOXES, Bench
from tests.support.kept_trails import keep_trails
from tests.support.mcp_calls import CHANGES, facts, refused
from tests.support.polled_requests import polled
from tests.support.ports import free_port
from tests.support.walks import walk

CAR = Object(label="car", class_id=1, score=0.9, bbox=(100, 50, 200, 100))
SIZE = (640, 360)
_GREY = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
JPEG = cv2.imencode(".jpg", _GREY)[1].tobytes()


def talk(
    site: Bench,
    said: Callable[[Client], Coroutine[Any, Any, None]],
    token: str | None = "viewer",
    *,
    allow_changes: bool = False,
) -> None:
    """Speak with a server in this process."""

    async def run() -> None:
        api = Api(site.address, lambda: token)
        async with Client(make_server(api, allow_changes=allow_changes)) as client:
            await said(client)

    asyncio.run(run())


def picture(result: CallToolResult) -> Any:
    """The image of an answer: (height, width, 3) BGR."""
    [image] = [each for each in result.content if each.type == "image"]
    assert image.mime_type == "image/jpeg"
    return cv2.imdecode(np.frombuffer(base64.b64decode(image.data), np.uint8), cv2.IMREAD_COLOR)


def edges_differ(image: Any, box: tuple[int, int, int, int]) -> bool:
    """Whether the edges of a box (left, top, right, bottom) are drawn, and its middle is not."""
    left, top, right, bottom = box
    edges = [image[top, left:right], image[bottom, left:right], image[top:bottom, right]]
    middle = image[(top + bottom) // 2, (left + right) // 2].astype(int)
    drawn = all(np.abs(edge.astype(int) - 128).max(1).mean() > 40 for edge in edges)
    return drawn and int(np.abs(middle - 128).max()) < 20


def test_cameras_and_what_a_role_may_not(site: Bench) -> None:
    site.http.post("/api/v1/cameras", json={"name": "yard", "url": "test://"}).raise_for_status()
    site.status("failed", "401 unauthorised", "unauthorised")
    site.until(lambda: site.camera()["state"] == "failed")

    async def said(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert not tools.keys() & CHANGES
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
        assert all(len(tool.description or "") > 30 for tool in tools.values())
        found = await facts(client, "list_cameras")
        assert found["role"] == "viewer"
        gate, yard = found["cameras"]
        assert (gate["name"], gate["state"], yard["name"]) == ("gate", "failed", "yard")
        assert gate["advice"] == FaultCode.UNAUTHORISED.advice
        assert (found["total"], found["next"]) == (2, None)
        found = await facts(client, "list_cameras", limit=1)
        assert ([each["name"] for each in found["cameras"]], found["total"]) == (["gate"], 2)
        found = await facts(client, "list_cameras", limit=1, after=found["next"])
        assert ([each["name"] for each in found["cameras"]], found["next"]) == (["yard"], None)
        found = await facts(client, "list_cameras", names="g*", state="failed")
        assert [each["name"] for each in found["cameras"]] == ["gate"]
        assert (await facts(client, "list_cameras", names="y*", state="failed"))["total"] == 0
        words = await refused(client, "explain_camera", camera="gat")
        assert 'no camera "gat"; did you mean "gate"?' in words
        words = await refused(client, "test_camera", url="rtsp://192.0.2.1/x")
        assert "a viewer may view, not change; ask an operator or an admin" in words
        assert "expected url or name, one of them" in await refused(client, "test_camera")

    talk(site, said)


def test_a_camera_is_tried(site: Bench) -> None:
    trials = {
        "gate": Trial(
            connected=True,
            words="H.264",
            seconds=1.5,
            size=(1280, 720),
            fps=25.0,
            codec="H.264",
            objects=[CAR],
            jpeg=JPEG,
        ),
        "test": Trial(
            connected=False, words="401", seconds=0.1, code=FaultCode.UNAUTHORISED, size=None
        ),
    }

    async def said(client: Client) -> None:
        result = await client.call_tool("test_camera", {"name": "gate"})
        assert result.structured_content is not None
        assert result.structured_content["connected"]
        assert "picture" not in result.structured_content, "the image is content of its own"
        assert edges_differ(picture(result), (50, 25, 150, 75))  # boxes are of twice the size
        plain = await client.call_tool("test_camera", {"name": "gate", "boxes": False})
        assert not edges_differ(picture(plain), (50, 25, 150, 75))
        failed = await facts(client, "test_camera", url="rtsp://192.0.2.1/x")
        assert (failed["connected"], failed["code"]) == (False, "unauthorised")
        assert failed["advice"] == FaultCode.UNAUTHORISED.advice

    def tried(request: dict[str, Any]) -> bytes:
        return pack(trials[request["name"]])

    with polled(Requests(site.redis, "main", {"trial": tried})):
        talk(site, said, "admin")


def send_image(site: Bench, seq: int) -> threading.Thread:
    """Send an image as soon as somebody asks for one; its results come after it."""

    def send() -> None:
        site.until(lambda: site.outbox.watched("gate"))
        site.outbox.preview("gate", JPEG, {"camera": "gate", "epoch": 1000, "seq": seq})
        site.frame(detections=replace(BOXES, xyxy=BOXES.xyxy * 2))
        site.frame()

    site.until(lambda: not site.outbox.watched("gate"))  # nobody of before
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_an_image_is_handed_over_where_its_results_cannot_be_had(
    site: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.frame()
    site.until(lambda: site.http.get("/api/v1/results/gate/latest").is_success)
    monkeypatch.setattr("dashboard.api.results.READERS", asyncio.Semaphore(0))

    async def said(client: Client) -> None:
        found = await client.call_tool("newest_results", {"camera": "gate"})
        assert found.structured_content is not None
        words = found.structured_content["no_image"]
        assert words.startswith("the image is of frame 1000-9, whose results cannot be had: ")
        assert words.endswith(" streams of results are being read already")
        assert picture(found).shape == (360, 640, 3)

    sender = send_image(site, 9)
    talk(site, said)
    sender.join()


def test_the_image_is_of_the_frame_of_the_results(site: Bench) -> None:
    site.frame()
    latest = "/api/v1/results/gate/latest"
    site.until(lambda: site.http.get(latest).is_success)

    async def said(client: Client) -> None:
        found = await client.call_tool("newest_results", {"camera": "gate"})
        assert found.structured_content is not None
        assert (found.structured_content["seq"], found.structured_content["no_image"]) == (2, "")
        assert edges_differ(picture(found), (10, 20, 110, 220))

    sender = send_image(site, 2)
    talk(site, said)
    sender.join()

    async def without(client: Client) -> None:
        found = await client.call_tool("newest_results", {"camera": "gate"})
        assert found.structured_content is not None
        words = found.structured_content["no_image"]
        assert words == "the image is of frame 1000-5, whose results were not published"
        assert (picture(found) == cv2.imdecode(np.frombuffer(JPEG, np.uint8), 1)).all()

    sender = send_image(site, 5)
    talk(site, without)
    sender.join()
    site.until(lambda: site.http.get(latest).json()["seq"] == 8)
    site.http.post("/api/v1/cameras/gate/pause")
    site.until(lambda: site.camera()["paused"])

    async def paused(client: Client) -> None:
        found = await facts(client, "newest_results", camera="gate")
        assert (found["seq"], len(found["objects"])) == (8, 2)
        assert found["no_image"].startswith('camera "gate" gives no images')
        found = await facts(client, "newest_results", camera="gate", image=False)
        assert found["no_image"] == ""

    talk(site, paused)


def seed_counts(site: Bench, many: int) -> None:
    """Count so many people this hour."""
    new = Series("new", "", "person")
    for write in digits_of("gate", new, int(time.time()), many, "minute"):
        site.redis.hset(write.key, write.field, "0" * write.at + write.text)


def test_events_and_counts(site: Bench) -> None:
    now_ms = int(time.time() * 1000)
    for ms, label in ((1, "person"), (2, "car"), (3, "person")):
        event = Event(
            id=f"{ms}", camera="gate", kind="object-new", ts=ms / 1000, label=label, image=ms == 3
        )
        text = msgspec.json.encode(event)
        site.redis.xadd(key("gate", "events"), {"json": text}, id=f"{now_ms + ms}-0")
    site.redis.xadd(key("gate", "images"), {"jpeg": JPEG}, id=f"{now_ms + 3}-0")
    seed_counts(site, 7)

    async def said(client: Client) -> None:
        found = await facts(client, "list_events", where="label = person", last_hours=1)
        assert [each["id"] for each in found["events"]] == ["3", "1"]
        assert found["next"] is None
        first = await facts(client, "list_events", limit=1)
        rest = await facts(client, "list_events", before=first["next"], cameras=["gate"])
        assert [each["id"] for each in (*first["events"], *rest["events"])] == ["3", "2", "1"]
        words = await refused(client, "list_events", where="lable = car")
        assert 'got "lable"; did you mean "label"?' in words
        entry = found["events"][0]["entry"]
        image = await client.call_tool("event_image", {"camera": "gate", "entry": entry})
        assert picture(image).shape == (SIZE[1], SIZE[0], 3)
        words = await refused(client, "event_image", camera="gate", entry="1-0")
        assert 'no image of entry 1-0 of camera "gate" is kept' in words
        counted = await facts(client, "count_over_time", camera="gate", by="minute", last_hours=2)
        [series] = counted["series"]
        assert (series["metric"], series["label"], series["total"]) == ("new", "person", 7)
        assert all(at.endswith(":00Z") for at, _ in series["values"])

    talk(site, said)


def test_drops_are_explained_in_the_words_of_the_table(site: Bench) -> None:
    for _ in range(3):
        site.frame()
    site.until(lambda: (site.camera()["counts"] or {}).get("published") == 3)

    async def said(client: Client) -> None:
        found = await facts(client, "explain_camera", camera="gate")
        assert found["state"] == "running"
        [rate] = found["frames"]
        assert (rate["reason"], rate["frames"], rate["percent"]) == ("rate", 2, 40)
        assert (rate["words"], rate["advice"]) == (Reason.RATE.words, Reason.RATE.advice)
        assert "3 of 5 decoded frames were published" in found["words"]
        assert any(Reason.RATE.words in words for words in found["words"])
        assert found["states"][0]["state"] == "running"

    talk(site, said)


def test_a_zone_is_proposed_counted_and_set(site: Bench) -> None:
    walks = walk(np.linspace(20, 620, 61).tolist(), 10)
    keep_trails(site, walks, time.time_ns() - 60 * 10**9)

    async def said(client: Client) -> None:
        found = await facts(client, "propose_zone", camera="gate", classes=["person"])
        assert "1 of 1 tracks" in found["words"]
        rules = found["rules"]
        counted = await facts(client, "preview_zones", camera="gate", **rules)
        assert counted["zones"]["proposed"]["entered"] == 1
        assert (await facts(client, "list_zones", camera="gate"))["zones"] == {}
        told = await facts(client, "set_zones", camera="gate", **rules)
        assert told["restarts"]
        now = await facts(client, "list_zones", camera="gate")
        assert now["zones"] == rules["zones"]
        paused = await facts(client, "pause_camera", camera="gate")
        assert paused["paused"]
        assert not (await facts(client, "resume_camera", camera="gate"))["paused"]
        assert (await facts(client, "wake_camera", camera="gate", seconds=5)) == {"words": "5 s"}

    def woken(request: dict[str, Any]) -> bytes:
        return f"{request['seconds']:g} s".encode()

    with polled(Requests(site.redis, "main", {"wake": woken})):
        talk(site, said, "operator", allow_changes=True)

    async def viewer(client: Client) -> None:
        words = await refused(client, "pause_camera", camera="gate")
        assert "a viewer may view, not change" in words

    talk(site, viewer, allow_changes=True)


def test_a_dashboard_that_is_away_or_refuses_is_said(site: Bench) -> None:
    async def wrong(client: Client) -> None:
        words = await refused(client, "list_cameras")
        assert f"{site.address} refuses the token: no such token" in words

    async def none(client: Client) -> None:
        words = await refused(client, "list_cameras")
        assert f"{site.address} asks for a token, in MIRANTE_TOKEN or --token-file" in words

    talk(site, wrong, "stolen")
    talk(site, none, None)
    nowhere = f"http://127.0.0.1:{free_port()}"

    async def away() -> None:
        api = Api(nowhere, lambda: None)
        async with Client(make_server(api, allow_changes=False)) as client:
            words = await refused(client, "list_cameras")
            assert f"no answer from {nowhere}: " in words
            assert "mirante up" in words

    asyncio.run(away())
