"""What every runtime promises: the same model, the same frames, the same tensors and errors."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import engines
from engines.finite import check_finite
from engines.manifest import WEIGHTS, Manifest, ManifestError
from engines.runtimes import FeedError, RefusedError, open_remote_session, open_session
from engines.runtimes.remote.server import Server
from tests.support import support_table as support
from tests.support.contract_cases import (
    DOUBLES,
    LOCAL,
    REAL,
    SIMULATED,
    Case,
    Feeds,
    Opener,
    need,
    opened,
    street_case,
    tiny,
    tiny_case,
    unet_face_case,
)
from tests.support.onnx_networks import colour_grid

pytestmark = pytest.mark.slow

OF_ONNX = ("onnxruntime", "openvino", *DOUBLES, *REAL, *SIMULATED)
CASES = [(runtime, network) for runtime in OF_ONNX for network in ("tiny", "street")]
CASES.append(("litert", "unet-face"))
OPTIONAL = {
    "openvino": ("openvino", "openvino"),
    "litert": ("ai_edge_litert.interpreter", "litert"),
    "kserve-http": ("httpcore", "remote"),
    "kserve-grpc": ("tritonclient.grpc", "remote"),
    "tf-serving": ("httpcore", "remote"),
    "onnxruntime": ("onnxruntime", "pipeline"),
}


@pytest.fixture(scope="module")
def opener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    yield from opened(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def cases() -> dict[tuple[str, str], Case]:
    return {}


@pytest.fixture(params=CASES, ids=" · ".join)
def case(
    request: pytest.FixtureRequest, cases: dict[tuple[str, str], Case], opener: Opener
) -> Case:
    runtime, network = request.param
    need(runtime)
    if request.param not in cases:
        if network == "unet-face":
            cases[request.param] = unet_face_case(request.getfixturevalue("weights"), runtime)
        else:
            make = {"tiny": tiny_case, "street": street_case}[network]
            folder = request.getfixturevalue("tmp_path")
            cases[request.param] = make(runtime, folder, opener)
    return cases[request.param]


class TestContract:
    def test_inputs_and_outputs_are_declared_as_the_file_has_them(self, case: Case) -> None:
        for mine, other in (
            (case.session.inputs, case.reference.inputs),
            (case.session.outputs, case.reference.outputs),
        ):
            assert list(mine) == [case.name(name) for name in other]
            for name, info in other.items():
                declared = mine[case.name(name)]
                assert declared.dtype == info.dtype
                # A runtime may know more of an axis than the file says, and nothing else.
                assert len(declared.shape) == len(info.shape)
                for got, said in zip(declared.shape, info.shape, strict=True):
                    assert said is None or got in (said, None)

    def test_outputs_are_those_of_onnx_runtime(self, case: Case, request: Any) -> None:
        assert_same(case, case.feeds)
        runtime, network = request.node.callspec.params["case"]
        if network == "street" and runtime not in SIMULATED:
            support.record("YOLO (ours)", "PyTorch", runtime.partition(" ")[0], "fp32")
        if network == "unet-face":
            support.record("U-Net", "TF Lite", runtime, "fp32")

    def test_another_batch_or_size_is_the_same_session(self, case: Case) -> None:
        assert_same(case, case.batch)
        assert_same(case, case.feeds)

    def test_the_next_run_does_not_write_over_an_output(self, case: Case) -> None:
        first = case.session.run(case.feeds)
        kept = {name: value.copy() for name, value in first.items()}
        case.session.run({name: np.zeros_like(value) for name, value in case.feeds.items()})
        for name, value in first.items():
            assert np.array_equal(value, kept[name], equal_nan=True)
            assert value.flags.writeable

    def test_an_output_is_not_the_inputs_memory(self, case: Case) -> None:
        feeds = {name: value.copy() for name, value in case.feeds.items()}
        outputs = case.session.run(feeds)
        kept = {name: value.copy() for name, value in outputs.items()}
        for value in feeds.values():
            value[:] = 0
        for name, value in outputs.items():
            assert np.array_equal(value, kept[name])

    def test_threads_run_it_at_once(self, case: Case, request: Any) -> None:
        is_tiny = request.node.callspec.params["case"][1] == "tiny"
        wanted = [case.session.run(feeds) for feeds in (case.feeds, case.batch)]
        barrier = threading.Barrier(4)

        def run(index: int) -> None:
            barrier.wait(60)
            for _ in range(8 if is_tiny else 1):
                for name, value in case.session.run((case.feeds, case.batch)[index % 2]).items():
                    assert np.allclose(value, wanted[index % 2][name], atol=1e-4)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, range(4), timeout=60))

    def test_a_wrong_shape_is_refused_by_name(self, case: Case) -> None:
        ((name, value),) = case.feeds.items()
        refuses(case, {name: value[..., 0]}, name, str(value[..., 0].shape))
        refuses(case, {name: value[:, :2]}, name, str(value[:, :2].shape))

    def test_a_wrong_type_is_refused_by_name(self, case: Case) -> None:
        ((name, value),) = case.feeds.items()
        refuses(case, {name: value.astype(np.float64)}, name, "expected float32, got float64")

    def test_a_missing_input_is_refused_by_name(self, case: Case) -> None:
        refuses(case, {}, *case.feeds, "missing")

    def test_an_input_too_many_is_refused_by_name(self, case: Case) -> None:
        refuses(case, {**case.feeds, "mask": np.zeros(1)}, "input mask", "unknown input")

    def test_after_a_refusal_it_goes_on(self, case: Case) -> None:
        with pytest.raises(FeedError):
            case.session.run({})
        assert_same(case, case.feeds)


def assert_same(case: Case, feeds: Feeds) -> None:
    back = {case.name(name): name for name in case.reference.inputs}
    wanted = case.reference.run({back[name]: value for name, value in feeds.items()})
    got = case.session.run(feeds)
    assert list(got) == list(case.session.outputs)
    for name, value in wanted.items():
        mine = got[case.name(name)]
        info = case.session.outputs[case.name(name)]
        assert mine.dtype == info.dtype == value.dtype
        assert mine.shape == value.shape
        assert info.fits(mine.shape)
        assert np.abs(mine.astype(np.float64) - value).max() <= case.tolerance, name


def refuses(case: Case, feeds: Feeds, *words: str) -> None:
    with pytest.raises(FeedError) as caught:
        case.session.run(feeds)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("runtime", OF_ONNX)
def test_outputs_that_are_not_finite_are_an_error_of_the_frame(
    runtime: str, opener: Opener, tmp_path: Path
) -> None:
    need(runtime)
    session = opener(runtime, tiny(tmp_path / "dark.onnx"))
    manifest = Manifest.model_validate(
        {
            "name": "dark",
            "task": "detect",
            "file": "dark.onnx",
            "licence": "MIT",
            "input": {"name": "images", "size": [16, 8]},
            "decoder": f"{__name__}:nothing",
            "labels": ["x"],
            "threshold": 0.5,
        }
    )
    model = engines.Model(manifest, session, np.array([0.5], np.float32))
    assert len(model(np.full((8, 16, 3), 9, np.uint8)).detections) == 0
    words = r"model dark: 3 of 3 values of output one, by/mean:0 are not finite \(0 NaN, 3 inf"
    with pytest.raises(RuntimeError, match=words):
        model(np.zeros((8, 16, 3), np.uint8))
    assert len(model(np.full((8, 16, 3), 9, np.uint8)).detections) == 0


def nothing(outputs: Any, spec: Any) -> Any:
    from engines.found import Boxes

    return Boxes(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


def test_nan_is_counted_apart_and_numbers_too_large_to_add_are_none() -> None:
    values: NDArray[np.float16] = np.full((2, 3), 6e4, np.float16)
    check_finite("m", {"half": values, "ids": np.zeros(3, np.int64)})
    values[0, 0], values[1, 1] = np.nan, -np.inf
    with pytest.raises(RuntimeError, match=r"2 of 6 .* output half .* \(1 NaN, 1 infinite\)"):
        check_finite("m", {"half": values})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_seen_wherever_it_is(dtype: type, bad: float) -> None:
    for place in (0, 50, 99):
        values: NDArray[Any] = np.linspace(-5, 5, 100).astype(dtype).reshape(4, 25)
        check_finite("m", {"none": values[:0], "all": values})
        values.flat[place] = bad
        with pytest.raises(RuntimeError, match="1 of 100 values of output all"):
            check_finite("m", {"all": values})


@pytest.fixture
def files(request: pytest.FixtureRequest) -> dict[str, Path]:
    """A file of each local runtime."""
    weights = request.getfixturevalue("weights") if "litert" in request.node.name else None
    onnx = WEIGHTS / "face.onnx"
    tflite = weights / "unet_face_int8.tflite" if weights else Path()
    return {"onnxruntime": onnx, "openvino": onnx, "litert": tflite}


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "tail"])
@pytest.mark.parametrize("runtime", LOCAL)
def test_a_damaged_file_is_refused_by_name(
    runtime: str, damage: str, files: dict[str, Path], tmp_path: Path
) -> None:
    need(runtime)
    whole = files[runtime].read_bytes()
    noise = np.random.default_rng(0).bytes(4096)
    content = {
        "truncated": whole[: len(whole) // 2],
        "garbage": noise,
        "empty": b"",
        "tail": whole[:-1000],
    }[damage]
    path = tmp_path / files[runtime].name
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=f"{runtime} refuses {re.escape(str(path))}: .{{8}}"):
        open_session(runtime, path, 1)


@pytest.mark.parametrize("runtime", LOCAL)
def test_a_file_of_another_model_is_refused_by_load(
    runtime: str, files: dict[str, Path], tmp_path: Path
) -> None:
    need(runtime)
    manifest = {
        "name": "mine",
        "task": "detect",
        "file": str(files[runtime]),
        "runtime": runtime,
        "licence": "MIT",
        "input": {"name": "pictures", "size": [64, 64]},
        "decoder": "yolov8",
        "labels": ["x"],
        "threshold": 0.5,
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(manifest))
    theirs = "image_input" if runtime == "litert" else "images"
    with pytest.raises(ManifestError, match=f"input: expected {theirs}, .* got pictures"):
        engines.load(str(path))


@pytest.mark.parametrize("runtime", OPTIONAL)
def test_a_missing_library_names_the_extra_that_has_it(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, extra = OPTIONAL[runtime]
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    if runtime == "openvino":
        from engines.runtimes import openvino

        openvino._core.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'is missing; pip install "mirante\[{extra}\]"'):
        if runtime in DOUBLES:
            scheme = "grpc" if runtime == "kserve-grpc" else "http"
            open_remote_session(runtime, Server(url=f"{scheme}://127.0.0.1:9", model="x"))
        else:
            open_session(runtime, path, 1)
