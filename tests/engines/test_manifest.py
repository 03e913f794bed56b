from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import engines.manifest
from engines.found import TASKS
from engines.manifest import WEIGHTS, ZOO, ManifestError, find, path_of, read, zoo_names
from engines.quick_yaml import read_quickly
from engines.store import models as store

OWN = sorted(path.stem for path in WEIGHTS.glob("*.yaml"))
MOST_BYTES = 6_500_000  # of one model in the repository
GOOD = {
    "name": "mine",
    "task": "detect",
    "file": "mine.onnx",
    "licence": "MIT",
    "input": {"name": "images", "size": [64, 64]},
    "decoder": "yolov8",
    "labels": ["cat", "dog"],
    "threshold": 0.3,
}
URL = "https://raw.githubusercontent.com/a/b/c/d.onnx"

BAD = {
    "unknown key": ({"licens": "MIT"}, 'licens: no such key; did you mean "licence"?'),
    "unknown input key": (
        {"input": {"name": "i", "size": [8, 8], "color": "bgr"}},
        'input.color: no such key; did you mean "colour"?',
    ),
    "unknown crop key": ({"crop": {"x": 1}}, "crop.x: no such key; known: margin"),
    "missing key": ({"decoder": None}, "decoder: expected a valid string, got None"),
    "layout": (
        {"input": {"name": "i", "size": [8, 8], "layout": "nwhc"}},
        "input.layout: expected 'nchw' or 'nhwc', got 'nwhc'",
    ),
    "size": (
        {"input": {"name": "i", "size": [8, 4]}},
        "input.size.1: expected greater than or equal to 8, got 4",
    ),
    "stretch with multiple": (
        {"input": {"name": "i", "size": [8, 8], "multiple": 32}},
        "input.multiple: expected only with a letterbox, got resize stretch",
    ),
    "a tensor of gigabytes": (
        {"input": {"name": "i", "size": [8, 8], "frame": [8192, 8192]}},
        "input.frame: expected up to 33554432 pixels, got [8192, 8192]",
    ),
    "std": (
        {"input": {"name": "i", "size": [8, 8], "std": [1, 0, 1]}},
        "input.std: expected no 0, got [1.0, 0.0, 1.0]",
    ),
    "two means": (
        {"input": {"name": "i", "size": [8, 8], "mean": [1, 2]}},
        "input.mean: expected one number or three, got [1, 2]",
    ),
    "means of grey": (
        {"input": {"name": "i", "size": [8, 8], "colour": "grey", "mean": [1, 2, 3]}},
        "input.mean: expected one value with colour grey, got [1.0, 2.0, 3.0]",
    ),
    "constant input": (
        {"input": {"name": "i", "size": [8, 8], "extra": {"iou": [0.5, "half"]}}},
        "input.extra.iou: expected 'size_wh', 'size_hw', a number or a list of numbers, got [0.5",
    ),
    "extra input": (
        {"input": {"name": "i", "size": [8, 8], "extra": {"sizes": "wh"}}},
        "input.extra.sizes: expected 'size_wh' or 'size_hw', got 'wh'",
    ),
    "threshold": ({"threshold": 1.5}, "threshold: expected less than or equal to 1, got 1.5"),
    "no threshold": ({"threshold": None}, "threshold: expected with task detect, got none"),
    "thresholds": ({"thresholds": {"cut": 0.1}}, 'thresholds: no label "cut"; did you mean "cat"?'),
    "label table": (
        {"labels": "coco"},
        'labels: expected a list of names or one of coco80, coco90, got "coco"',
    ),
    "label twice": (
        {"labels": ["cat", "cat"]},
        "labels: expected each name once, got ['cat', 'cat']",
    ),
    "task": ({"task": "find"}, f"task: expected {TASKS}, got 'find'"),
    "url": ({"url": "ftp://a/b"}, "url: expected"),
    "url without sha256": ({"url": URL}, "sha256: expected with url, got none"),
    "sha256": ({"sha256": "12"}, "sha256: expected"),
    "neither file nor server": (
        {"file": ""},
        "file: expected file or server, got neither",
    ),
    "file and server": (
        {"server": {"url": "http://h:8000", "model": "m"}},
        "file: expected file or server, got file mine.onnx and server",
    ),
    "unknown runtime": (
        {"runtime": "onnxrt"},
        'runtime: no runtime "onnxrt"; did you mean "onnxruntime"?',
    ),
    "unknown suffix": (
        {"file": "mine.bin"},
        "runtime: missing, and mine.bin has none of the suffixes .onnx, .tflite",
    ),
    "runtime of a server with a file": (
        {"runtime": "kserve-http"},
        "runtime: expected server with kserve-http, got file mine.onnx",
    ),
    "runtime of a file with a server": (
        {"file": "", "runtime": "litert", "server": {"url": "http://h:8000", "model": "m"}},
        "runtime: expected kserve-grpc, kserve-http, tf-serving with server, got litert",
    ),
    "no runtime with a server": (
        {"file": "", "server": {"url": "http://h:8000", "model": "m"}},
        "runtime: expected kserve-grpc, kserve-http, tf-serving with server, got None",
    ),
    "scheme of another runtime": (
        {
            "file": "",
            "runtime": "kserve-grpc",
            "server": {"url": "http://h:8001", "model": "m"},
        },
        "server.url: expected grpc or grpcs of kserve-grpc",
    ),
    "address, whose password is not shown": (
        {"server": {"url": "ftp://ana:s3cret@h", "model": "m"}},
        "server.url: expected scheme://host:port, the scheme one of grpc, grpcs, http, https, and "
        "nothing after its path",
    ),
    "address with a query": (
        {"server": {"url": "http://h:8000/?token=s3cret", "model": "m"}},
        "server.url: expected scheme://host:port, the scheme one of grpc, grpcs, http, https, and "
        "nothing after its path",
    ),
    "address with a port of words": (
        {"server": {"url": "http://ana:s3cr/et@h", "model": "m"}},
        "server.url: expected scheme://host:port, the scheme one of grpc, grpcs, http, https; in a "
        "password write / ? # @ % as",
    ),
    "unknown server key": (
        {"server": {"url": "http://h", "model": "m", "timeout": 3}},
        'server.timeout: no such key; did you mean "timeout_s"?',
    ),
    "time-out": (
        {"server": {"url": "http://h", "model": "m", "timeout_s": 0}},
        "server.timeout_s: expected greater than 0, got 0",
    ),
    "file's key with a server": (
        {
            "file": "",
            "runtime": "kserve-http",
            "server": {"url": "http://h", "model": "m"},
            "sha256": "0" * 64,
        },
        "server: expected no url, sha256, bytes or aliases of a file",
    ),
}


def write(folder: Path, data: object) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_a_bad_manifest_names_key_value_and_what_was_expected(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, GOOD | change)
    with pytest.raises(ManifestError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, {k: v for k, v in GOOD.items() if k != "decoder"})
    with pytest.raises(ManifestError, match="decoder: missing, and required"):
        read(path)


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"task": "find", "iou": 2})
    with pytest.raises(ManifestError, match=r"task: .*; iou: expected less than or equal to 1"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "expected keys and values, got list"),
        ("a: [", "not YAML: while parsing a flow node.* line 1, column 5:\n +a: \\["),
        pytest.param("[" * 99_999, "lists and mappings are nested too deep", id="deep"),
        (None, "No such file"),
    ],
)
def test_what_is_no_manifest_at_all(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "m.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ManifestError, match=f"(?s){re.escape(str(path))}: {message}"):
        find(str(path))


def test_a_typing_mistake_in_a_name_gets_the_nearest_model() -> None:
    with pytest.raises(ManifestError, match='no model "yolox-nan"; did you mean "yolox-nano"'):
        find("yolox-nan")


def test_the_zoo_is_complete_and_each_file_is_named_after_its_model() -> None:
    public = sorted(path.stem for path in ZOO.glob("*.yaml"))
    assert public == [
        *("deimv2-femto", "lwnet", "mediapipe-selfie", "omz-road", "ssd-mobilenet", "test-boxes"),
        *("test-embedding", "test-heads", "test-instances", "test-lane", "test-oriented"),
        *("test-pose", "twinlitenet", "unet-face", "unet-face-int8", "yolox-nano"),
        *("yolox-street", "yunet"),
    ]
    assert zoo_names() == [*OWN, *public]
    assert not set(OWN) & set(public)
    for name in zoo_names():
        assert find(name).name == name


def test_a_model_of_our_own_is_found_as_any_other(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever lies in engines/weights: by name, first in the list, its file beside it."""
    text = (ZOO / "test-boxes.yaml").read_text().replace("name: test-boxes", "name: pavement")
    (tmp_path / "pavement.yaml").write_text(text.replace("test-boxes.onnx", "pavement.onnx"))
    (tmp_path / "pavement.onnx").write_bytes((ZOO / "test-boxes.onnx").read_bytes())
    monkeypatch.setattr(engines.manifest, "WEIGHTS", tmp_path)
    assert zoo_names()[0] == "pavement"
    listing = store.list_models()[0]
    assert (listing.name, listing.place) == ("pavement", "file")
    assert listing.path == tmp_path / "pavement.onnx"
    assert engines.load("pavement").labels == ("red", "green", "blue")
    with pytest.raises(ManifestError, match='no model "pavment"; did you mean "pavement"'):
        find("pavment")


@pytest.mark.parametrize("name", OWN)
def test_a_model_of_our_own_is_small_whole_and_described(name: str) -> None:
    manifest = find(name)
    assert manifest.folder == WEIGHTS
    file = WEIGHTS / manifest.file
    assert manifest.file == f"{name}.onnx"
    assert file.stat().st_size == manifest.bytes
    assert manifest.bytes <= MOST_BYTES
    assert hashlib.sha256(file.read_bytes()).hexdigest() == manifest.sha256
    assert (WEIGHTS / f"{name}.md").is_file()


@pytest.mark.parametrize("name", zoo_names())
def test_a_zoo_model_can_be_checked_and_had(name: str) -> None:
    manifest = find(name)
    assert manifest.sha256
    assert manifest.bytes
    if manifest.url:
        repository, _, rest = manifest.source.partition("@")
        commit, _, path = rest.partition(":")
        assert re.fullmatch("[0-9a-f]{40}", commit)
        assert manifest.url == f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    else:
        assert manifest.folder
        assert manifest.obtain or (manifest.folder / manifest.file).is_file()


def test_a_manifest_that_is_no_text_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("summary: Gehölz".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"latin\.yaml: byte 12 is not UTF-8 text"):
        read(path)


def test_what_is_read_quickly_is_what_yaml_says() -> None:
    for name in zoo_names():
        text = path_of(name).read_text(encoding="utf-8")
        assert read_quickly(text) == yaml.safe_load(text)
