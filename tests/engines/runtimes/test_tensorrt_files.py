"""Engines' files: what a header tells, what is refused and in which words, what is kept beside."""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from engines.runtimes import RefusedError
from engines.runtimes.tensorrt import driver
from engines.runtimes.tensorrt import session as tensorrt
from engines.runtimes.tensorrt.cuda import Cuda, Gpu
from engines.runtimes.tensorrt.plan import Plan, read_plan
from engines.store import engines as shelf
from tests.support import simulated_tensorrt
from tests.support.simulated_cuda import Code, SimulatedCuda
from tests.support.tensorrt_sessions import VERSIONS, Bench, bench, expected, random_x

pytestmark = pytest.mark.slow


@pytest.fixture(params=VERSIONS)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return bench(tmp_path, request.param)


@pytest.fixture
def process(here: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A process in which the library and the GPU are those of ``here``."""
    library = here.library
    monkeypatch.setattr(tensorrt, "library", lambda runtime: library)
    monkeypatch.setattr(tensorrt, "Cuda", lambda: Cuda(here.cuda))
    return here


def opened(here: Bench) -> Any:
    return (tensorrt.open_rtx_session if here.is_rtx else tensorrt.open_session)(here.path, 3)


def test_a_header_tells_what_it_is(here: Bench) -> None:
    plan = read_plan(here.path)
    size = here.path.stat().st_size
    if here.is_rtx:
        assert plan == Plan("tensorrt-rtx", "1.7.1.116", size, ("sm89",))
        assert str(plan) == "built by TensorRT-RTX 1.7.1.116 for sm89"
    else:
        assert plan == Plan("tensorrt", VERSIONS[here.kind], None, ())
        assert str(plan) == f"built by TensorRT {plan.version} for the GPU it was built on"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no TensorRT engine: expected it to begin with ftrt or vtrt, got b''"),
        (b"\x08\x08\x12\x07onnx", r"no TensorRT engine: .*, got b'\\x08\\x08\\x12\\x07'"),
        (b"vtrt" + bytes(20), "a truncated engine: expected a header of 36 bytes, got 24"),
        (b"vtrt" + bytes(60), "a damaged engine: expected 0 bytes, as its header says, got 64"),
    ],
)
def test_refuses_what_is_no_engine(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.rtx"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=f"odd.rtx: {said}"):
        read_plan(path)


@pytest.mark.parametrize("kept", [0.2, 0.9])
def test_refuses_half_an_engine_before_the_gpu_is_asked(tmp_path: Path, kept: float) -> None:
    here = bench(tmp_path, "rtx")
    whole = here.path.read_bytes()
    here.path.write_bytes(whole[: int(len(whole) * kept)])
    here.cuda.refuse["cudaGetDeviceCount"] = Code.cudaErrorNoDevice
    with pytest.raises(RefusedError, match=f"damaged engine: expected {len(whole)} bytes"):
        here.open()


def test_refuses_the_other_librarys_engine(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    rtx, plain = bench(tmp_path, "rtx"), bench(tmp_path / "a", "11")
    rtx.path.write_bytes(plain.path.read_bytes())
    with pytest.raises(RefusedError, match=r"for tensorrt-rtx, got one .* runtime: tensorrt$"):
        rtx.open()


def test_refuses_another_versions_engine(here: Bench) -> None:
    there = VERSIONS[here.kind]
    here.trt.__version__ = "12.1.0.7"
    with pytest.raises(RefusedError, match=f"{there} for .*, here is 12.1.0.7; build it again"):
        here.open()


def test_says_when_it_is_for_another_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = bench(tmp_path, "rtx")
    here.cuda = here.trt.cuda = SimulatedCuda((9, 0), "Simulated H100")

    def refuse(runtime: Any, blob: bytes) -> None:
        runtime._logger.log(simulated_tensorrt.ILogger.Severity.ERROR, "unsupported device")

    monkeypatch.setattr(simulated_tensorrt.Runtime, "deserialize_cuda_engine", refuse)
    with pytest.raises(
        RefusedError,
        match=r"refuses it: unsupported device\. It was built .* for sm89, "
        r"here is Simulated H100 \(sm90\); build it with --target sm90",
    ):
        here.open()


@pytest.mark.parametrize("code", ["cudaErrorInsufficientDriver", "cudaErrorNoDevice"])
def test_says_that_there_is_no_gpu(here: Bench, code: str) -> None:
    here.cuda.refuse["cudaGetDeviceCount"] = getattr(Code, code)
    with pytest.raises(RuntimeError, match=rf"runs on an NVIDIA GPU: .*no NVIDIA .*\({code}\)"):
        here.open()


def test_says_which_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        ImportError, match=r'tensorrt is missing .*pip install "mirante\[tensorrt\]"'
    ):
        tensorrt.open_session(bench(tmp_path, "11").path, 1)


def test_all_who_ask_share_a_session(process: Bench) -> None:
    first = opened(process)
    assert opened(process) is first
    first.close()
    second = opened(process)  # a closed one is not handed out
    assert second is not first
    assert second.run(random_x(2)).keys() == expected(process.network, random_x(2)).keys()
    del first, second
    gc.collect()
    assert process.cuda.open() == {}


def test_a_replaced_file_is_another_engine(process: Bench) -> None:
    first = opened(process)
    content = process.path.read_bytes()
    process.path.unlink()
    process.path.write_bytes(content)
    stat = process.path.stat()
    os.utime(process.path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert opened(process) is not first


def test_rtx_keeps_what_it_compiled(tmp_path: Path) -> None:
    here = bench(tmp_path, "rtx")
    cache = tmp_path / "engine.rtx.cache"
    here.open().close()
    assert cache.read_bytes() == b"cache of 1.7.1.116:kernels"
    os.utime(cache, ns=(0, 0))
    here.open().close()
    assert cache.stat().st_mtime_ns == 0  # nothing new, nothing written
    cache.write_bytes(b"cache of 1.6.0.1:kernels")
    session = here.open()
    assert cache.read_bytes() == b"cache of 1.7.1.116:kernels"
    session.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "engine.rtx",
        "engine.rtx.cache",
        "net.onnx",
    ]


def test_what_it_compiled_is_no_part_of_a_kept_engine(home: Path) -> None:
    with shelf.locked("site-1"), shelf.bench("site-1") as part:
        (part / "manifest.yaml").write_text("name: site\n")
        (part / "engine.rtx").write_bytes(b"engine")
        (part / "engine.rtx.cache").write_bytes(b"compiled at the gate")
        said = dict.fromkeys(("batch", "built", "device", "file", "input", "request", "role"), "")
        engine = shelf.publish("site-1", part, {**said, "parity": {"engine": None}})
    (engine.folder / "engine.rtx.cache").write_bytes(b"compiled later")
    found = shelf.get("site-1")
    assert found is not None
    assert set(found.about["files"]) == {"engine.rtx"}


def test_rtx_runs_where_nothing_can_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = bench(tmp_path, "rtx")
    (tmp_path / "engine.rtx.cache").mkdir()
    with caplog.at_level(logging.INFO):
        here.open().close()
    assert "is not kept" in caplog.text


def test_names_a_gpu() -> None:
    found = Cuda(SimulatedCuda((12, 0), "Simulated 5090")).gpu()
    assert (found.name, found.architecture) == ("Simulated 5090", "sm120")


def test_names_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "driver_version", lambda: None)
    assert Cuda(SimulatedCuda()).gpu().driver == "of CUDA 13.0"
    monkeypatch.setattr(driver, "driver_version", lambda: "580.95.05")
    assert Cuda(SimulatedCuda()).gpu() == Gpu("Simulated L4", "sm89", "580.95.05")
