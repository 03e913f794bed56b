from __future__ import annotations

import errno
import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

import pytest
import yaml

import engines
from engines import ModelUnavailableError
from engines.manifest import Manifest, find
from engines.store import models as store
from tests.support import SHARED

DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()
ManifestOf = Callable[..., Manifest]


class Files(http.server.BaseHTTPRequestHandler):
    """Serves ``DATA`` as /good, something else as /wrong, and half of it as /half."""

    def do_GET(self) -> None:
        bodies = {"/good": DATA, "/wrong": b"wrong", "/half": DATA[: len(DATA) // 2]}
        if self.path not in bodies:
            self.send_error(404)
            return
        self.send_response(200)
        body = bodies[self.path]
        length = len(DATA) if self.path == "/half" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}"
        http_server.shutdown()
        thread.join()


@pytest.fixture
def manifest_of(tmp_path: Path, home: Path) -> ManifestOf:
    """Writes and reads a manifest of the file m.onnx."""

    def make(url: str | None = None, **more: Any) -> Manifest:
        folder = tmp_path / "manifests"
        folder.mkdir(exist_ok=True)
        data = {
            "name": "m",
            "task": "detect",
            "file": "m.onnx",
            "licence": "MIT",
            "sha256": SHA,
            "url": url,
            "input": {"name": "images", "size": [64, 64]},
            "decoder": "yolov8",
            "labels": ["cat"],
            "threshold": 0.3,
        }
        (folder / "m.yaml").write_text(yaml.safe_dump(data | more))
        return find(str(folder / "m.yaml"))

    return make


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(folder))
    return folder


def put(folder: Path, data: bytes = DATA, name: str = "m.onnx") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def left_in_store() -> list[str]:
    return sorted(p.name for p in store.store().glob("*")) if store.store().is_dir() else []


def test_order_is_beside_the_manifest_store_mirror_url(
    manifest_of: ManifestOf, mirror: Path, server: str
) -> None:
    manifest = manifest_of(f"{server}/good", aliases=["upstream.onnx"])
    assert manifest.folder
    places = [
        put(manifest.folder),
        put(store.store()),
        put(mirror),
        put(mirror, name="upstream.onnx"),
    ]
    for path in places:
        assert store.resolve_file(manifest) == path
        path.unlink()
    downloaded = store.resolve_file(manifest)
    assert downloaded == store.store() / "m.onnx"
    assert downloaded.read_bytes() == DATA


def test_a_download_reports_its_progress(manifest_of: ManifestOf, server: str) -> None:
    seen: list[tuple[int, int | None]] = []
    store.resolve_file(
        manifest_of(f"{server}/good"), lambda done, total: seen.append((done, total))
    )
    assert len(seen) > 1
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_damaged_file_in_the_store_is_removed_and_had_anew(
    manifest_of: ManifestOf, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = put(store.store(), b"damaged")
    assert store.resolve_file(manifest_of(f"{server}/good")).read_bytes() == DATA
    got = hashlib.sha256(b"damaged").hexdigest()
    assert f"{damaged}: wrong checksum: expected sha256 {SHA}, got {got}, removed" in caplog.text


def test_a_damaged_file_in_the_store_is_removed_where_there_is_no_other(
    manifest_of: ManifestOf,
) -> None:
    damaged = put(store.store(), b"damaged")
    with pytest.raises(ModelUnavailableError, match="wrong checksum"):
        store.resolve_file(manifest_of())
    assert not damaged.exists()


def test_a_damaged_file_in_the_mirror_is_refused_and_left(
    manifest_of: ManifestOf, mirror: Path
) -> None:
    damaged = put(mirror, b"damaged")
    with pytest.raises(ModelUnavailableError, match=f"mirror {damaged}: wrong checksum"):
        store.resolve_file(manifest_of())
    assert damaged.read_bytes() == b"damaged"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("wrong", "wrong checksum: expected sha256"),
        ("half", f"incomplete: {len(DATA) // 2} of {len(DATA)} bytes"),
        ("missing", "HTTP Error 404"),
    ],
)
def test_a_failed_download_leaves_nothing(
    manifest_of: ManifestOf, server: str, path: str, message: str
) -> None:
    with pytest.raises(ModelUnavailableError, match=message):
        store.resolve_file(manifest_of(f"{server}/{path}"))
    assert left_in_store() == []


@pytest.mark.parametrize("is_full", [False, True])
def test_where_the_store_cannot_be_written_this_process_has_the_file(
    manifest_of: ManifestOf,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_full: bool,
) -> None:
    if is_full:
        written = store._write

        def write(folder: Path, file: FileIO, chunk: bytes) -> None:
            with Path("/dev/full").open("wb", buffering=0) as full:
                written(folder, full if folder == store.store() else file, chunk)

        monkeypatch.setattr(store, "_write", write)
        why = "No space left on device"
    else:
        monkeypatch.setenv("MIRANTE_HOME", "/dev/null")
        why = "Not a directory"
    store.of_process.cache_clear()
    path = store.resolve_file(manifest_of(f"{server}/good"))
    assert path.read_bytes() == DATA
    assert path == store.of_process() / "m.onnx"
    words = f"{store.store()} cannot be written: {why}; it is fetched for this process alone"
    assert words in caplog.text
    caplog.clear()
    assert store.resolve_file(manifest_of(f"{server}/good")) == path
    assert caplog.text.count("alone") == 0, "it is said once"


def test_a_pull_says_where_it_cannot_write(
    manifest_of: ManifestOf, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del manifest_of, mirror
    monkeypatch.setenv("MIRANTE_HOME", "/dev/null")
    with pytest.raises(store.StoreError, match="/dev/null/models cannot be written: Not a dir"):
        store._keep(find("street"), BytesIO(DATA), None, None, store.store())


def test_a_damaged_file_that_cannot_be_removed_stops_nothing(
    manifest_of: ManifestOf, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = put(store.store(), b"damaged")

    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == damaged:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    tried: list[str] = []
    assert store.resolve_file(manifest_of(f"{server}/good"), tried=tried).read_bytes() == DATA
    assert any(line.endswith("and cannot be removed: Read-only file system") for line in tried)


def test_an_interrupted_download_leaves_nothing(manifest_of: ManifestOf, server: str) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.resolve_file(manifest_of(f"{server}/good"), interrupt)
    assert left_in_store() == []


def test_the_error_says_what_was_tried_and_what_to_do(manifest_of: ManifestOf) -> None:
    manifest = manifest_of(obtain="convert it")
    with pytest.raises(ModelUnavailableError) as caught:
        store.resolve_file(manifest)
    assert manifest.folder
    assert str(caught.value).splitlines() == [
        "model m: m.onnx is not available anywhere",
        f"  - file {manifest.folder / 'm.onnx'}: no such file",
        f"  - store {store.store() / 'm.onnx'}: no such file",
        "  - mirror: MIRANTE_MODEL_MIRROR is not set",
        "  - URL: none, the file is not published as it is",
        f"To get it: convert it; or put m.onnx into {store.store()}; or set MIRANTE_MODEL_MIRROR "
        "to a folder that holds it.",
    ]


def test_load_says_the_same(home: Path) -> None:
    with pytest.raises(
        ModelUnavailableError, match=r"unet_face_seg_256\.onnx is not available anywhere"
    ):
        engines.load("unet-face")


def test_pull_copies_from_the_mirror_into_the_store(weights: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = store.pull("yunet", lambda done, total: seen.append((done, total)))
    assert path.parent == store.store()
    assert path.stat().st_size == find("yunet").bytes == seen[-1][0]
    assert (weights / path.name).is_file()
    assert store.show("yunet")[1].place == "store"


def test_pull_of_a_shipped_model_changes_nothing(home: Path) -> None:
    assert store.pull("test-boxes").parent.name == "zoo"
    assert left_in_store() == []


def test_the_list_says_where_each_model_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(store.store(), b"x", "yunet_n_dynamic.onnx")
    put(tmp_path / "mirror", b"xy", "yolox_nano.onnx")
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path / "mirror"))
    listed = {entry.name: entry for entry in store.list_models()}
    assert listed["yunet"].place == "store"
    assert listed["yunet"].path == store.store() / "yunet_n_dynamic.onnx"
    assert listed["yolox-nano"].place == "mirror"
    assert listed["test-lane"].place == "file"
    missing = listed["twinlitenet"]
    assert (missing.place, missing.path, missing.bytes) == (None, None, 1799954)
    assert (missing.task, missing.licence) == ("segment", "MIT")


def test_the_default_mirror_is_the_variable_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path))
    assert store.default_mirror() == tmp_path
    monkeypatch.delenv("MIRANTE_MODEL_MIRROR")
    beside = SHARED / "models"
    assert store.default_mirror() == (beside if beside.is_dir() else None)


def test_without_a_home_the_store_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MIRANTE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.store() == tmp_path / ".cache" / "mirante" / "models"


def test_a_wrong_file_beside_the_manifest_is_refused_and_left(manifest_of: ManifestOf) -> None:
    manifest = manifest_of()
    wrong = put(manifest.folder or Path(), b"wrong")
    with pytest.raises(ModelUnavailableError, match=f"file {wrong}: wrong checksum"):
        store.resolve_file(manifest)
    assert wrong.read_bytes() == b"wrong"


def test_without_a_checksum_the_file_beside_the_manifest_is_taken(manifest_of: ManifestOf) -> None:
    manifest = manifest_of(sha256=None)
    path = put(manifest.folder or Path(), b"anything")
    assert store.resolve_file(manifest) == path
