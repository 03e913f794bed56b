"""Real engines of TensorRT-RTX from real ONNX files; no GPU takes part.

The builder's branch for TensorRT runs here too, with TensorRT's names (``limited_tensorrt``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from engines.builder.builders import BUILDERS, BuildError, Options, Shape, Told, builder_of
from engines.builder.tensorrt import TENSORRT, TENSORRT_RTX, TensorrtBuilder
from engines.manifest import find
from engines.runtimes.tensorrt.cuda import Cuda, CudaError, Gpu
from engines.runtimes.tensorrt.library import Library, library
from engines.runtimes.tensorrt.plan import read_plan
from engines.store.models import resolve_file
from tests.support import support_table as support
from tests.support.built_engines import OWN, PUBLIC
from tests.support.limited_tensorrt import limited_library
from tests.support.tensorrt_names.collect import FOLDER, read

trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

pytestmark = pytest.mark.slow

L4 = Gpu("NVIDIA L4", "sm89")
PLAIN = sorted(path.stem for path in FOLDER.glob("*.json"))
ZOO = {name: what for name, what in PUBLIC.items() if name != "lwnet"}  # which is PyTorch's


def silent(share: float | None, words: str) -> None:
    """Nobody is told."""


def no_gpu() -> Gpu:
    raise CudaError("cudaErrorNoDevice", "no NVIDIA GPU is here")


def profiles_of(path: Path, size: tuple[int, int]) -> dict[str, tuple[Shape, Shape, Shape]]:
    """Batches of 1 to 8 where the batch is dynamic, and that width and height."""
    found = {}
    for value in onnx.load(path).graph.input:
        axes = [axis.dim_value or -1 for axis in value.type.tensor_type.shape.dim]
        if -1 in axes:
            sizes = iter(size[::-1])
            likeliest = [axes[0], *(next(sizes) if axis < 0 else axis for axis in axes[1:])]
            first = (1, 4, 8) if axes[0] < 0 else (axes[0],) * 3
            found[value.name] = tuple((n, *likeliest[1:]) for n in first)
    return found  # type: ignore[return-value]


def built(name: str, folder: Path, told: Told = silent) -> Path:
    manifest = find(name)
    path = resolve_file(manifest)
    options = Options(profiles=profiles_of(path, manifest.input.size), target="sm89")
    out = folder / f"{name}.rtx"
    TENSORRT_RTX.build(path, out, options, told)
    return out


def check(out: Path, architectures: tuple[str, ...] = ("sm89",)) -> None:
    plan = read_plan(out)
    assert plan.runtime == "tensorrt-rtx"
    assert plan.version == trt.__version__
    assert plan.size == out.stat().st_size
    assert plan.architectures == architectures


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.full if name in OWN else [])
        for name in ("test-boxes", "test-lane", *OWN)
    ],
)
def test_own_models_build(tmp_path: Path, name: str) -> None:
    check(built(name, tmp_path))
    if name in OWN:
        support.record(OWN[name], "PyTorch", "tensorrt-rtx", "fp32")


@pytest.mark.full  # one is built in float16 by test_build_table
@pytest.mark.parametrize("name", ZOO)
def test_public_models_build(weights: Path, tmp_path: Path, name: str) -> None:
    check(built(name, tmp_path))
    support.record(ZOO[name], "ONNX", "tensorrt-rtx", "fp32")


@pytest.mark.parametrize("name", ["face", pytest.param("street", marks=pytest.mark.full)])
def test_it_says_how_far_it_is_and_the_same_again_is_the_same_bytes(
    tmp_path: Path, name: str
) -> None:
    """So the library does for one output; the order of several is another at each build."""
    told: list[tuple[float | None, str]] = []
    first = built(name, tmp_path, lambda *said: told.append(said))
    check(first)
    shares = [share for share, _ in told if share is not None]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len({round(share, 1) for share in shares}) >= 5
    assert told[0][1] == "reading the graph"
    assert "optimizing graph" in {words for _, words in told}
    (tmp_path / "again").mkdir()
    assert first.read_bytes() == built(name, tmp_path / "again").read_bytes()


def write(path: Path, text: str, **constants: Any) -> Path:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\ngraph {text}')
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float16)
    return write(
        tmp_path / "net.onnx",
        "(float[n,3,8,8] x) => (float[n,4,6,6] y) { w = Cast <to=1> (half)\n y = Conv (x, w) }",
        half=weights,
    )


BATCHES: dict[str, tuple[Shape, Shape, Shape]] = {"x": ((1, 3, 8, 8), (4, 3, 8, 8), (8, 3, 8, 8))}


@pytest.mark.parametrize(
    ("target", "device", "architectures"),
    [
        ("sm80", "sm80", ("sm80",)),
        ("SM120", "sm120", ("sm120",)),
        ("sm120, sm86,sm89", "sm86,sm89,sm120", ("sm86", "sm89", "sm120")),
        ("ampere+", "ampere+", ("sm80", "sm86", "sm89", "sm120", "sm121", "newer")),
    ],
)
def test_builds_for_what_it_is_told(
    network: Path, target: str, device: str, architectures: tuple[str, ...]
) -> None:
    out = network.with_suffix(".rtx")
    assert TENSORRT_RTX.device(target) == device
    TENSORRT_RTX.build(network, out, Options(profiles=BATCHES, target=target), silent)
    check(out, architectures)


def test_what_takes_other_weights_is_built_where_a_gpu_is(network: Path) -> None:
    out = network.with_suffix(".rtx")
    options = Options(profiles=BATCHES, target="sm89", refit=True)
    try:
        Cuda().gpu()
    except CudaError:
        with pytest.raises(BuildError, match=r"takes other weights .* is built where a GPU is"):
            TENSORRT_RTX.build(network, out, options, silent)
    else:
        TENSORRT_RTX.build(network, out, options, silent)
        check(out)


def test_only_what_was_built_for_it_is_given_other_weights(network: Path) -> None:
    out = network.with_suffix(".rtx")
    TENSORRT_RTX.build(network, out, Options(profiles=BATCHES, target="sm89"), silent)
    with pytest.raises(BuildError, match=r"net\.rtx: (cannot be loaded|was not built to take)"):
        TENSORRT_RTX.refit(out, network, network.with_suffix(".other"))
    assert not network.with_suffix(".other").exists()


def test_builds_for_the_gpu_here(network: Path) -> None:
    builder = TensorrtBuilder("tensorrt-rtx", ".rtx", find_gpu=lambda: L4)
    assert builder.device(None) == "sm89"
    builder.build(network, network.with_suffix(".rtx"), Options(profiles=BATCHES), silent)
    check(network.with_suffix(".rtx"))
    hopper = TensorrtBuilder("tensorrt-rtx", ".rtx", find_gpu=lambda: Gpu("H100", "sm90"))
    with pytest.raises(BuildError, match=r'cannot build for "sm90"; expected ampere\+, or one'):
        hopper.device(None)


def test_without_a_gpu_it_asks_for_a_target() -> None:
    builder = TensorrtBuilder("tensorrt-rtx", ".rtx", find_gpu=no_gpu)
    with pytest.raises(
        BuildError, match="no GPU is here: name what to build for, such as --target"
    ):
        builder.device(None)
    plain = TensorrtBuilder("tensorrt", ".plan", lambda _: limited("11.4.0.106"), no_gpu)
    with pytest.raises(BuildError, match="TensorRT measures on the GPU it builds for"):
        plain.device("sm89")


@pytest.mark.parametrize("target", ["sm87", "sm89,sm90", "", "rtx4090"])
def test_refuses_other_targets(target: str) -> None:
    with pytest.raises(BuildError, match=r"expected ampere\+, or one or more of sm75, sm80, sm86"):
        TENSORRT_RTX.device(target)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError("the child ends")])
def test_stops_when_it_is_told_to(network: Path, raised: Any) -> None:
    def stop(share: float | None, words: str) -> None:
        if words == "optimizing graph":
            raise raised

    with pytest.raises(type(raised) if isinstance(raised, Exception) else raised):
        TENSORRT_RTX.build(
            network, network.with_suffix(".rtx"), Options(profiles=BATCHES, target="sm89"), stop
        )
    assert not network.with_suffix(".rtx").exists()


def test_weights_kept_in_half_are_computed_in_full(network: Path) -> None:
    """Our own weights are stored so. Types are strong: what the graph says is what is done."""
    lib = library("tensorrt-rtx")
    for path, outputs in ((network, {"y"}), (resolve_file(find("face")), {"output"})):
        builder = trt.Builder(lib.logger)
        parsed = TENSORRT_RTX._parse(lib, builder, path, [], Options())
        layers = [parsed.get_layer(index) for index in range(parsed.num_layers)]
        convolutions = [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
        assert convolutions
        for layer in convolutions:
            fed = [layer.get_input(index) for index in range(layer.num_inputs)]
            types = {tensor.dtype for tensor in (*fed, layer.get_output(0)) if tensor}
            assert types == {trt.float32}
        assert {parsed.get_output(i).name for i in range(parsed.num_outputs)} == outputs


def test_says_which_library_and_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TENSORRT_RTX.library() == f"tensorrt-rtx {trt.__version__}"
    assert (TENSORRT.suffix, TENSORRT_RTX.suffix) == (".plan", ".rtx")
    assert builder_of("tensorrt-rtx") is TENSORRT_RTX
    assert builder_of("tensorrt") is TENSORRT
    assert {"tensorrt", "tensorrt-rtx"} <= BUILDERS.keys()
    for runtime, module in (("tensorrt", "tensorrt"), ("tensorrt-rtx", "tensorrt_rtx")):
        monkeypatch.setitem(sys.modules, module, None)
        # Past the cache, and never through clearing it: TensorRT logs through the first logger of
        # the process for good, which would be freed.
        monkeypatch.setattr(builder_of(runtime), "_load", library.__wrapped__)
        with pytest.raises(ImportError, match=rf'{module} is .*"mirante\[{runtime}\]"'):
            builder_of(runtime).library()


def limited(version: str) -> Library:
    return limited_library(version, read(version))


@pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")
@pytest.mark.parametrize("version", PLAIN)
@pytest.mark.parametrize(
    ("target", "device", "level"),
    [
        (None, "sm89 NVIDIA L4", None),
        ("sm89", "sm89", "SAME_COMPUTE_CAPABILITY"),
        ("ampere+", "ampere+", "AMPERE_PLUS"),
    ],
)
def test_tensorrt_builds_with_the_names_it_has(
    network: Path, version: str, target: str | None, device: str, level: str | None
) -> None:
    lib = limited(version)
    builder = TensorrtBuilder("tensorrt", ".plan", lambda _: lib, lambda: L4)
    assert builder.library() == f"tensorrt {version}"
    assert builder.device(target) == device
    out = network.with_suffix(".plan")
    options = Options(profiles=BATCHES, target=target, timings=network.with_suffix(".timings"))
    builder.build(network, out, options, silent)
    assert options.timings is not None
    assert options.timings.is_file()
    set_level = lib.trt.assigned.get(("IBuilderConfig", "hardware_compatibility_level"))
    assert (set_level and set_level.name) == level
    assert out.stat().st_size > 1000


@pytest.mark.parametrize("version", PLAIN)
def test_tensorrt_refuses_other_targets(version: str) -> None:
    builder = TensorrtBuilder("tensorrt", ".plan", lambda _: limited(version), lambda: L4)
    with pytest.raises(
        BuildError,
        match=r'for the GPU here, NVIDIA L4 \(sm89\): expected sm89 or ampere\+, got "sm120"',
    ):
        builder.device("sm120")


@pytest.mark.parametrize("version", PLAIN)
def test_tensorrt_tells_a_refused_node(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "odd.onnx", "(float[1,8,8] x) => (float[1] y) { [d] y = Det (x) }")
    builder = TensorrtBuilder("tensorrt", ".plan", lambda _: limited(version), lambda: L4)
    with pytest.raises(BuildError, match=r"node d \(Det\): not supported"):
        builder.build(path, tmp_path / "odd.plan", Options(), silent)
