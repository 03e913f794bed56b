"""What a camera gets that names no stages: by where the files of the better models are."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.manifest import find
from engines.store.models import store
from pipeline.config import choosing
from pipeline.config.camera import Camera
from pipeline.config.choosing import begin, chosen, settle
from pipeline.config.load import parse_settings
from pipeline.config.messages import ConfigError
from pipeline.config.standard import SHIPPED, WANTED, Choice, Standard
from tests.support import ROOT
from tests.support.live_site import until
from tests.support.stand_in import LIMIT_S, NETWORK, FileServer, StandIn, file_server

LATE = f"not ready within {LIMIT_S} s"


@pytest.fixture
def stand_in(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    del home
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first use
    return StandIn(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


def camera(**keys: Any) -> Camera:
    return Camera.model_validate({"url": "test://", **keys})


def settled(**keys: Any) -> list[str]:
    whole = settle(camera(**keys))
    assert whole is not None
    return [use.name for use in whole.models()]


def objects() -> Choice:
    return begin("objects").result()


def test_a_file_in_the_store(stand_in: StandIn) -> None:
    stand_in.put(store())
    assert settled() == ["yolox-street"]
    assert settled(preview={"blur": ["face"]}) == ["yolox-street", "yunet"]
    assert (objects().is_less, objects().words(), objects().tried) == (False, "", ())
    assert chosen().less(["face"]) is None


def test_a_file_in_the_mirror(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.put(tmp_path / "mirror")
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path / "mirror"))
    assert settled() == ["yolox-street"]


def test_a_file_at_its_address(stand_in: StandIn, server: FileServer) -> None:
    stand_in.publish(f"{server.url}/good")
    assert settled() == ["yolox-street"]
    assert (store() / "objects.onnx").read_bytes() == NETWORK


def test_no_file(stand_in: StandIn) -> None:
    assert settled() == [SHIPPED]
    choice = objects()
    assert (choice.wanted, choice.runs, choice.file) == ("yolox-street", SHIPPED, "objects.onnx")
    assert (choice.folder, choice.host) == (str(store()), "127.0.0.1")
    assert choice.words() == (
        "street: fewer objects found than with yolox-street; put objects.onnx into "
        f"{store()} or allow 127.0.0.1, then restart"
    )
    assert choice.tried[1] == f"store {store() / 'objects.onnx'}: no such file"
    assert "Connection refused" in choice.tried[-1]


def test_a_file_without_an_address(stand_in: StandIn) -> None:
    stand_in.publish(None)
    assert settled() == [SHIPPED]
    assert objects().host == ""
    assert objects().words().endswith(f"put objects.onnx into {store()}, then restart")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("absent", "HTTP Error 404"),
        ("wrong", "wrong checksum"),
        ("slow", LATE),
    ],
)
def test_an_address_that_does_not_serve_it(
    stand_in: StandIn, server: FileServer, path: str, words: str
) -> None:
    stand_in.publish(f"{server.url}/{path}")
    if words == LATE:
        stand_in.hurry()
    assert settled() == [SHIPPED]
    assert words in objects().tried[-1]
    for thread in threading.enumerate():
        if thread.name.startswith("network-of-"):
            thread.join(60)
    assert list(store().glob("*")) == [], "no partial file stays"


@pytest.mark.slow
def test_a_process_that_ends_meanwhile_leaves_no_part(
    stand_in: StandIn, server: FileServer
) -> None:
    stand_in.publish(f"{server.url}/stalled")
    program = (
        "import sys, threading, time\nfrom engines.made.within import network_within\n"
        "from engines.manifest import find\nfrom engines.store.models import store\n"
        "asked = (find(sys.argv[1]), 60)\n"
        "threading.Thread(target=network_within, args=asked, daemon=True).start()\n"
        "while not (store().exists() and (parts := list(store().iterdir()))): time.sleep(0.02)\n"
        "print(len(parts))"
    )
    manifest = stand_in.zoo / "yolox-street.yaml"
    command = [sys.executable, "-c", program, str(manifest)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n", "it was being written"
    assert list(store().iterdir()) == []


@pytest.mark.parametrize("is_proxy", [False, True])
def test_a_server_that_accepts_and_says_nothing(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, is_proxy: bool
) -> None:
    stand_in.hurry()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        stand_in.publish("http://192.0.2.1" if is_proxy else address)
        monkeypatch.setenv("http_proxy", address)
        assert settled() == [SHIPPED]
    *_, place, words = objects().tried
    assert (place.endswith("objects.onnx: not finished"), words) == (True, LATE)


def test_a_proxy_that_is_none(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.publish("http://192.0.2.1")
    monkeypatch.setenv("http_proxy", "http:/nothing")
    assert settled() == [SHIPPED]
    assert "proxy" in objects().tried[-1]


def test_a_mirror_that_hangs(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang(path: Path) -> bool:
        return over.wait(60) if path.parent == tmp_path else Path.exists(path)

    stand_in.hurry()
    stand_in.publish(None)
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_file", hang)
        choice = objects()
        over.set()
    assert (choice.runs, choice.tried[-1]) == (SHIPPED, LATE)


def test_a_damaged_file_is_said(
    stand_in: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in.put(tmp_path / "mirror", content=b"damaged")
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path / "mirror"))
    assert settled() == [SHIPPED]
    assert any("wrong checksum" in line for line in objects().tried)
    assert "objects.onnx: wrong checksum" in caplog.text


def test_a_folder_in_the_place_of_the_file_and_a_store_that_is_none(stand_in: StandIn) -> None:
    store().parent.mkdir(parents=True)
    store().write_text("no folder")
    assert settled() == [SHIPPED]


@pytest.mark.slow
def test_a_network_that_cannot_be_kept(weights: Path, home: Path) -> None:
    del weights
    home.mkdir()
    store().write_text("no folder")
    choice = begin("faces").result()
    assert (choice.runs, choice.tried) == (WANTED["faces"], ()), "it is made for this process alone"


@pytest.mark.slow
def test_a_process_may_end_while_the_network_is_made(weights: Path, home: Path) -> None:
    del weights, home
    program = "from pipeline.config.choosing import begin; begin('faces')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_what_is_published_is_what_runs(weights: Path) -> None:
    del weights
    assert settled(preview={"blur": ["face"]}) == ["yolox-street", "yunet"]


def test_it_is_chosen_once_a_process(stand_in: StandIn, server: FileServer) -> None:
    stand_in.hurry()
    stand_in.publish(f"{server.url}/slow/once")
    assert settled() == [SHIPPED]
    stand_in.put(store())
    assert settled() == [SHIPPED]
    assert settled(preview={"blur": ["face"]}) == [SHIPPED], "it finds faces, too"
    until(lambda: "/slow/once/objects.onnx" in server.asked)
    assert server.asked.count("/slow/once/objects.onnx") == 1


def test_waiting_ends_before_the_choice_is_made(stand_in: StandIn, server: FileServer) -> None:
    stand_in.hurry()
    stand_in.publish(f"{server.url}/slow")
    assert settle(camera(), wait_s=0.0) is None
    assert chosen() == Standard()
    assert settled() == [SHIPPED]


def test_a_camera_that_names_stages_is_as_it_was(stand_in: StandIn) -> None:
    for stages in ([], [{"model": "yolox-street"}], [{"model": "test-boxes"}]):
        named = camera(stages=stages)
        assert settle(named) is named
    assert choosing._begun == {}, "nothing was looked for"


def test_faces_without_their_own_model(stand_in: StandIn) -> None:
    stand_in.put(store(), "yolox-street")
    assert settled(preview={"blur": ["face"]}) == [SHIPPED]
    assert settled(preview={"blur": ["car"]}) == ["yolox-street"]
    less = chosen().less(["face"])
    assert less is not None
    assert chosen().less() is None, "only where faces are blurred"
    assert less.words().startswith("street: fewer faces found than with yunet; put faces.onnx into")


def test_manifests_of_the_users_own_go_first(stand_in: StandIn, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "yolox-street.yaml").write_text((stand_in.zoo / "yolox-street.yaml").read_text())
    (own / "objects.onnx").write_bytes(NETWORK)
    whole = settle(camera(), own)
    assert whole is not None
    assert [use.name for use in whole.models()] == [str(own / "yolox-street.yaml")]
    assert settled() == [SHIPPED], "elsewhere it is not"


def test_defaults_that_name_stages_are_named_ones(stand_in: StandIn) -> None:
    text = "defaults: {{stages: {}}}\ncameras: {{gate: {{url: 'test://'}}}}"
    (gate,) = parse_settings(text.format("[{model: road}]")).cameras.values()
    assert settle(gate) is gate
    (gate,) = parse_settings("cameras: {gate: {url: 'test://'}}").cameras.values()
    assert gate.stages is None


def test_the_shipped_model_finds_all_that_the_better_ones_do() -> None:
    found = {label for name in WANTED.values() for label in find(name).labels}
    assert found <= set(find(SHIPPED).labels)
    assert "face" not in find(WANTED["objects"]).labels


def test_a_class_to_blur_names_the_models_that_find_it() -> None:
    stages = "stages: [{model: yolox-street}], preview: {blur: [face]}"
    with pytest.raises(ConfigError) as refused:
        parse_settings(f"cameras: {{gate: {{url: 'test://', {stages}}}}}")
    [line] = refused.value.lines
    assert line.startswith('cameras.gate.preview.blur[0]: "face" — expected a class that')
    assert line.endswith("; models that find it: street, yunet")
    parse_settings("cameras: {gate: {url: 'test://', preview: {blur: [face, person]}}}")
    with pytest.raises(ConfigError, match="penguin"):
        parse_settings("cameras: {gate: {url: 'test://', preview: {blur: [penguin]}}}")
