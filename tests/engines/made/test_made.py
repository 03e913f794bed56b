"""Made networks in the store: once, whole, and what the zoo's models need of them."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

import engines
from engines.made import network_of, pull, told
from engines.made.layouts import _LAYOUTS
from engines.manifest import Manifest, ManifestError, find
from engines.runtimes import Session, open_session
from engines.store import made as store
from engines.store.models import ModelUnavailableError, resolve_file
from tests.support.head_networks import write_head
from tests.support.shared_clips import clip_frame

STREET = ("person", "bicycle", "car", "motorcycle", "bus", "truck")


def _load(path: str, results: multiprocessing.Queue[str]) -> None:
    results.put(str(network_of(find(path))[1]))


@pytest.mark.slow
def test_processes_that_need_it_make_it_once(home: Path, tmp_path: Path) -> None:
    path = str(write_head(tmp_path, "yolox", classes=["car"]))
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_load, args=(path, results)) for _ in range(2)]
    for process in processes:
        process.start()
    found = {results.get(timeout=100) for _ in processes}
    for process in processes:
        process.join(60)
    (folder,) = (each for each in store.made().iterdir() if each.name != ".locks")
    assert found == {str(folder / store.NETWORK)}


def test_it_is_made_once_and_again_where_it_is_damaged(home: Path, tmp_path: Path) -> None:
    path = str(write_head(tmp_path, "yolox", classes=["car"]))
    manifest, network = network_of(find(path))
    assert (manifest.labels, manifest.network_labels) == (("car",), ("car",))
    whole, made_ns = network.read_bytes(), network.stat().st_mtime_ns
    assert network_of(find(path))[1].stat().st_mtime_ns == made_ns
    network.write_bytes(whole[: len(whole) // 2])
    (network.parent.parent / f".{network.parent.name}.killed").mkdir()
    assert network_of(find(path))[1].read_bytes() == whole
    names = {each.name for each in store.made().iterdir()}
    assert names == {network.parent.name, ".locks"}


def test_another_source_or_wish_is_another_network(home: Path, tmp_path: Path) -> None:
    paths = [
        write_head(tmp_path, "yolox", classes=["car"]),
        write_head(tmp_path, "yolox", classes=["bus"]),
        write_head(tmp_path, "yolox", input={"multiple": 16}),
        write_head(tmp_path, "yolox", input={"multiple": 32}),
        write_head(tmp_path, "yolox", (160, 128), classes=["car"]),
    ]
    assert len({network_of(find(str(path)))[1] for path in paths}) == len(paths)


def test_what_cannot_be_cut_is_tried_once(home: Path, tmp_path: Path) -> None:
    path = str(write_head(tmp_path, "best_only", classes=["car"]))
    manifest, network = network_of(find(path))
    assert network == resolve_file(find(path))
    assert manifest.network_labels != manifest.labels == ("car",)
    (about,) = store.made().glob(f"*/{store.ABOUT}")
    assert json.loads(about.read_text())["reasons"][0].startswith("decoder end_to_end reads no")
    assert "classes are cut when its outputs are decoded: decoder" in told(find(path), network)
    changed_ns = about.stat().st_mtime_ns
    engines.load(path)
    assert about.stat().st_mtime_ns == changed_ns


def test_what_cannot_be_kept_is_made_for_the_process(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.made().parent.mkdir(parents=True)
    store.made().write_text("in the way")
    path = str(write_head(tmp_path, "yolox", classes=["car"]))
    assert engines.load(path).labels == ("car",)
    engines.load(path)
    [said] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "cannot be kept: " in said
    assert said.endswith("it is made for this process alone")


def test_a_damaged_source_is_the_runtimes_to_refuse(home: Path, tmp_path: Path) -> None:
    path = write_head(tmp_path, "yolox", classes=["car"])
    (tmp_path / "yolox96.onnx").write_bytes(b"\x08\x07 no ONNX file")
    with pytest.raises(RuntimeError, match="onnxruntime refuses"):
        engines.load(str(path))


def test_layouts_are_of_decoders_that_there_are() -> None:
    from engines.decoders import DECODERS

    assert set(_LAYOUTS) <= set(DECODERS)


@pytest.mark.slow
@pytest.mark.models
def test_yolox_street_finds_what_yolox_nano_does_of_its_classes(weights: Path) -> None:
    as_published = {"size": (416, 416), "multiple": None}

    def opened(name: str) -> tuple[Manifest, Session]:
        spec = find(name).input.model_copy(update=as_published)
        manifest, path = network_of(find(name).model_copy(update={"input": spec}))
        return manifest, open_session("onnxruntime", path, 1)

    source, published = opened("yolox-nano")
    never = [0.3 if label in STREET else 1.0 for label in source.labels]
    nano = engines.Model(source, published, np.array(never, np.float32))
    manifest, session = opened("yolox-street")
    assert session.outputs["output"].shape[2] == 5 + len(STREET)
    model = engines.Model(manifest, session, np.full(6, 0.3, np.float32))
    assert model.labels == STREET
    for index in (100, 600):
        rgb = clip_frame("highway.mp4", index)
        expected, found = nano(rgb).detections, model(rgb).detections
        assert [e[0] for e in expected] == [f[0] for f in found]
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=0.05)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-3)


@pytest.mark.slow
@pytest.mark.models
def test_pull_makes_it_too(weights: Path, home: Path) -> None:
    manifest = find("yolox-street")
    assert "made when it is first used" in told(manifest, resolve_file(manifest))
    path = pull("yolox-street")
    assert path.parent.parent == store.made()
    assert (store.made().parent / manifest.file).is_file()
    assert told(manifest, resolve_file(manifest)) == str(path)
    assert pull("deimv2-femto").name == find("deimv2-femto").file


@pytest.mark.models
@pytest.mark.full
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"size": (500, 500), "multiple": None}, "input.size: .*expected multiples of 32"),
        (
            {"multiple": 16},
            "input.multiple: .*not take 16; expected multiples of 32",
        ),
    ],
)
def test_what_yolox_nano_does_not_take_is_said(
    weights: Path, keys: dict[str, object], words: str
) -> None:
    manifest = find("yolox-nano")
    spec = manifest.input.model_copy(update=keys)
    with pytest.raises(ManifestError, match=words):
        network_of(manifest.model_copy(update={"input": spec}))


def test_without_mirror_and_network_the_places_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(ModelUnavailableError, match=r"yolox-street: yolox_nano_416\.onnx is not"):
        engines.load("yolox-street")
