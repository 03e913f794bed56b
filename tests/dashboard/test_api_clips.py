"""Clips by the API: who may have which, ranges, and what is refused."""

from __future__ import annotations

import base64
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import HTTPException

from dashboard.api.clip_bytes import ranged
from mirante import FrameResult
from mirante.clips import Cause, Clip
from mirante.keys import lease_key
from mirante.wire import encode
from mirante.wire.masks import decode_mask
from mirante.wire.messages import MaskEncoding, MaskPart
from pipeline.cameras.synthetic import truth
from pipeline.config.clips import ClipsKept
from pipeline.control.clip_place import place_of
from pipeline.control.clip_requests import Made
from pipeline.control.clip_store import ClipStore, Kept
from pipeline.control.rpc import Requests
from plugins.clips.kept import Published
from plugins.clips.sidecar import Sidecar
from tests.support.api_server import Bench
from tests.support.polled_requests import polled

CLIP = Clip(
    id="20261129-041503-250",
    camera="gate",
    began=1_795_925_698.25,
    ended=1_795_925_713.25,
    causes=[Cause(ts=1_795_925_703.25, event="e1", kind="line-crossed", line="gate")],
    codec="h264",
    size=(640, 360),
)
VIDEO = bytes(range(200))


@pytest.fixture
def store(bench: Bench, tmp_path: Path) -> ClipStore:
    """Two clips of gate and one of yard, where the dashboard reads them."""
    store = ClipStore(tmp_path / "clips", 1 << 30, 30_000)
    for n, camera in enumerate(["gate", "gate", "yard"]):
        clip = msgspec.structs.replace(CLIP, id=f"20261129-041503-{n:03d}", camera=camera)
        draft = store.begin(clip)
        draft.video.write_bytes(VIDEO)
        draft.sidecar.write_bytes(b'{"frames":[]}')
        draft.keep(clip, b"jpeg" if n else None)
    for name in ("gate", "yard"):
        bench.services.registry().add(name, {"url": "test://"})
    kept = place_of(ClipsKept(folder=store.folder, days=3650))
    bench.app.state.services = replace(bench.services, clips=kept)
    return store


def test_without_their_bucket_clips_that_wait_are_listed(bench: Bench, store: ClipStore) -> None:
    bucket = {"endpoint": "http://127.0.0.1:1", "bucket": "clips", "access_key": "k"}
    kept = ClipsKept.model_validate(
        {"folder": store.folder, "days": 3650, "s3": bucket | {"secret_key": "s"}}
    )
    bench.app.state.services = replace(bench.services, clips=place_of(kept))
    answer = get(bench, "gate/clips?limit=1").json()
    assert [clip["id"] for clip in answer["clips"]] == ["20261129-041503-001"]
    assert answer["words"].startswith("clips.s3: http://127.0.0.1:1, bucket clips: ")
    assert answer["words"].endswith("; only clips that have not been moved there are listed")


def get(bench: Bench, path: str, **headers: str) -> httpx.Response:
    return bench.http.get(f"/api/v1/cameras/{path}", headers=headers)


@pytest.mark.usefixtures("store")
def test_clips_are_listed_newest_first(bench: Bench) -> None:
    told = get(bench, "gate/clips").json()
    assert [clip["id"][-3:] for clip in told["clips"]] == ["001", "000"]
    assert (told["recording"], told["words"]) == ([], "")
    assert told["clips"][0]["causes"][0]["kind"] == "line-crossed"
    before = get(bench, "gate/clips?before=20261129-041503-001").json()["clips"]
    assert [clip["id"][-3:] for clip in before] == ["000"]
    assert len(get(bench, "gate/clips?limit=1").json()["clips"]) == 1


RANGES = [
    ("bytes=0-9", 206, VIDEO[:10]),
    ("bytes=190-", 206, VIDEO[190:]),
    ("bytes=-5", 206, VIDEO[-5:]),
    ("bytes=500-", 416, None),
]
ABSENT = [
    ("gate/clips/20261129-041503-002.mp4", 404),  # the other camera's
    ("gate/clips/20261129-041503-000.jpg", 404),
    ("door/clips/20261129-041503-001.mp4", 404),
    ("door/clips", 404),
    ("gate/clips/1.mp4", 422),
    ("gate/clips?limit=0", 422),
    ("gate/clips?before=x", 422),
]


@pytest.mark.usefixtures("store")
def test_files_of_a_clip_and_ranges_of_its_video(bench: Bench) -> None:
    path = "gate/clips/20261129-041503-001"
    whole = get(bench, f"{path}.mp4")
    assert (whole.status_code, whole.content) == (200, VIDEO)
    assert whole.headers["Content-Type"] == "video/mp4"
    for asked, status, body in RANGES:
        answer = get(bench, f"{path}.mp4", Range=asked)
        assert answer.status_code == status
        assert body is None or answer.content == body
    assert get(bench, f"{path}.jpg").content == b"jpeg"
    assert get(bench, f"{path}.json").json() == {"frames": []}
    assert [get(bench, path).status_code for path, _ in ABSENT] == [n for _, n in ABSENT]


@pytest.mark.parametrize("encoding", ["bits", "rle", "png", "polygon"])
def test_masks_beside_a_clip_are_bits_if_asked(
    bench: Bench, store: ClipStore, encoding: MaskEncoding
) -> None:
    _, mask = truth(7, 160, 96)
    result = FrameResult("gate", 7, 0, 1_500_000_000, "arrival", 160, 96, masks=(mask,))
    coded = encode(result, encoding)
    draft = store.begin(msgspec.structs.replace(CLIP, id="20261129-041505-000"))
    draft.video.write_bytes(VIDEO)
    sidecar = Sidecar(draft.sidecar, "gate", draft.id, 1_500_000_000, [])
    for masks in (coded.masks, None, coded.masks):
        sidecar.put(Published(result.captured_ns, coded.detections["json"], masks))
    sidecar.close()
    draft.keep(msgspec.structs.replace(CLIP, id=draft.id), None)
    path = f"gate/clips/{draft.id}.json"
    plain, told = get(bench, path).json(), get(bench, f"{path}?encoding=bits").json()
    assert len(told["frames"]) == 3
    assert [one["detections"] for one in told["frames"]] == [
        one["detections"] for one in plain["frames"]
    ]
    assert "masks" not in told["frames"][1]
    for frame in told["frames"][::2]:
        (part,) = msgspec.convert(frame["masks"]["masks"], list[MaskPart])
        assert part.encoding == "bits"
        found = decode_mask(part, base64.b64decode(frame["planes"][part.field]))
        assert (found.labels, found.xyxy) == (mask.labels, mask.xyxy)
        assert encoding == "polygon" or (found.bits == mask.bits).all()
    assert get(bench, f"{path}?encoding=rle").status_code == 422
    assert get(bench, "gate/clips/20261129-041505-001.json?encoding=bits").status_code == 404


@pytest.mark.parametrize(
    "asked", ["", "bytes=0-9", "bytes=190-", "bytes=-5", "bytes=3-3", "lines=1-2"]
)
def test_an_object_is_answered_as_a_file_is(asked: str) -> None:
    kept = Kept(len(VIDEO), lambda first, end: iter([VIDEO[first:end]]))
    answer = ranged(kept, asked or None, "video/mp4", {})
    expected = {"": VIDEO, "lines=1-2": VIDEO, "bytes=3-3": VIDEO[3:4]} | {
        each: body for each, _, body in RANGES if body
    }
    assert int(answer.headers["Content-Length"]) == len(expected[asked])
    assert answer.status_code == (206 if asked.startswith("bytes") else 200)
    if answer.status_code == 206:
        first = VIDEO.index(expected[asked])
        last = first + len(expected[asked]) - 1
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/200"


def test_an_object_that_ends_before_the_range() -> None:
    kept = Kept(len(VIDEO), lambda first, end: iter([VIDEO[first:end]]))
    with pytest.raises(HTTPException, match="200 bytes") as raised:
        ranged(kept, "bytes=200-", "video/mp4", {})
    assert raised.value.status_code == 416


def test_a_clip_that_grows_is_served_to_its_end(bench: Bench, store: ClipStore) -> None:
    clip = msgspec.structs.replace(CLIP, id="20261129-041504-000")
    draft = store.begin(clip)
    draft.video.write_bytes(b"begin ")
    draft.sidecar.write_bytes(b"{}")

    def finish() -> None:
        with draft.video.open("ab") as file:
            file.write(b"end")
        draft.keep(clip, None)

    assert get(bench, "gate/clips").json()["recording"] == [clip.id]
    with bench.http.stream("GET", f"/api/v1/cameras/gate/clips/{clip.id}.mp4") as answer:
        blocks = answer.iter_bytes()
        first = next(blocks)
        threading.Thread(target=finish).start()
        assert first + b"".join(blocks) == b"begin end"
    assert get(bench, "gate/clips").json()["clips"][0]["id"] == clip.id
    path = f"/api/v1/cameras/gate/clips/{clip.id}"
    assert bench.http.delete(path).json()["words"] == f"clip {clip.id} deleted"
    assert bench.http.delete(path).status_code == 404


MADE: list[tuple[Made | ValueError, int, str | None]] = [
    (Made(id=CLIP.id, begins=1.0, ends=2.0), 202, None),
    (Made(words="refused"), 409, "refused"),
    (Made(words="0 MiB are left", is_full=True), 507, "0 MiB are left"),
    (ValueError('camera "gate" keeps no clips'), 409, 'camera "gate" keeps no clips'),
]
REFUSED = [{"before_s": -1}, {"after_s": "x"}, {"more": 1}, {"before_s": 1e9}]


@pytest.mark.usefixtures("store")
def test_a_clip_is_asked_of_the_worker(bench: Bench) -> None:
    path, asked, answers = "/api/v1/cameras/gate/clips", [], list(MADE)
    told = bench.http.post(path, json={})
    assert (told.status_code, told.json()["detail"]) == (409, 'worker "main" is not running')

    def answer(request: dict[str, object]) -> bytes:
        asked.append(request)
        made = answers.pop(0)[0]
        if isinstance(made, ValueError):
            raise made
        return msgspec.json.encode(made)

    bench.redis.set(lease_key("main"), "x")
    with polled(Requests(bench.redis, "main", {"clip": answer})):
        for _, status, detail in MADE:
            told = bench.http.post(path, json={"before_s": 3})
            assert (told.status_code, told.json().get("detail")) == (status, detail)
    assert asked == [{"camera": "gate", "before_s": 3.0, "after_s": None}] * len(MADE)
    assert {bench.http.post(path, json=body).status_code for body in REFUSED} == {422}
