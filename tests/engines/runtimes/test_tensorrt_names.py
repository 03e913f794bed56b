"""Every name of TensorRT's bindings that the code uses is there in each version that it is for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

import engines
from tests.support import simulated_builder, simulated_tensorrt
from tests.support.limited_tensorrt import LimitedModule
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.tensorrt_names.collect import FOLDER, KEPT, names, read

trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

PLAIN = sorted(path.stem for path in FOLDER.glob("*.json"))
FILES = [f"builder/tensorrt{part}.py" for part in ("", "_progress", "_refit", "_timings")] + [
    f"runtimes/tensorrt/{part}.py"
    for part in ("session", "engine", "floor", "lane", "library", "plan")
]
RTX_CLASSES = {"CudaGraphStrategy", "IRuntimeCache", "IRuntimeConfig"}
RTX_ONLY = {("ComputeCapability", "__members__"), ("CudaGraphStrategy", "WHOLE_GRAPH_CAPTURE")}
RTX = names(trt)
OF_INTS = set(dir(int))
LATER = {"ADJUST_FOR_DLA", "INCLUDE_REFIT"}  # 10.13 has no DLA, and is asked for the other


def used(files: Sequence[str] = FILES) -> set[tuple[str, str]]:
    """Pairs of ``trt.Class.NAME`` in our files; ``("Class", "")`` where nothing follows."""
    found = set()
    for file in files:
        tree = ast.parse((Path(engines.__file__).parent / file).read_text())
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(
                    value=ast.Attribute(
                        value=ast.Name("trt") | ast.Attribute(attr="trt"), attr=kind
                    ),
                    attr=name,
                ):
                    found.add((kind, name))
                case ast.Attribute(value=ast.Name("trt") | ast.Attribute(attr="trt"), attr=kind):
                    found.add((kind, ""))
    return found


def test_there_are_names_of_both_majors() -> None:
    assert {version.split(".")[0] for version in PLAIN} == {"10", "11"}
    assert {"Builder", "Runtime", "OnnxParser", "MemoryPoolType"} <= {kind for kind, _ in used()}


@pytest.mark.parametrize("version", PLAIN)
def test_the_modules_names_are_in_the_bindings(version: str) -> None:
    known = read(version)
    rtx_only = {kind for kind, _ in RTX_ONLY}
    for kind, name in used():
        if kind in rtx_only or kind.startswith("__"):
            continue
        if version == "10.13.3.9" and name in LATER:
            continue
        assert kind in known[""], kind
        assert not name or name.startswith("__") or name in known[kind], f"{kind}.{name}"


def test_the_modules_names_are_in_rtx() -> None:
    for kind, name in used():
        thing = getattr(trt, kind)
        assert not name or hasattr(thing, name), f"{kind}.{name}"


@pytest.mark.parametrize("version", [*PLAIN, "rtx"])
def test_the_simulation_has_no_name_that_the_bindings_lack(version: str) -> None:
    is_rtx = version == "rtx"
    known = RTX if is_rtx else read(version)
    module = simulated_builder.BuildingLibrary(SimulatedCuda(), "1.7.1.116", is_rtx=is_rtx)
    shown = [name for name in module.names if hasattr(module, name)]
    assert set(shown) <= set(known[""])
    for kind in KEPT:
        thing = getattr(simulated_builder, kind, None) or getattr(simulated_tensorrt, kind, None)
        if thing is None or (kind in RTX_CLASSES and not is_rtx):
            continue
        mine = {name for name in dir(thing) if not name.startswith("_")}
        if kind == "ICudaEngine" and not is_rtx:
            mine.discard("create_runtime_config")
        missing = mine - set(known[kind]) - {"name", "value", *OF_INTS}
        missing -= set() if version != "10.13.3.9" else LATER
        assert not missing, f"{kind}: {missing}"


def test_the_lean_runtime_has_what_sessions_use() -> None:
    (version,) = (path.stem for path in (FOLDER / "lean").glob("*.json"))
    known = read(f"lean/{version}")
    files = [file for file in FILES if file.startswith("runtimes/")]
    for kind, name in used(files):
        if kind.startswith("__") or kind in RTX_CLASSES | {"CudaGraphStrategy"}:
            continue
        assert kind in known[""], kind
        assert not name or name.startswith("__") or name in known[kind], f"{kind}.{name}"
    assert "Builder" not in known[""]


def test_a_limited_module_lacks_what_is_not_listed() -> None:
    limited = LimitedModule(trt, "10", {"": {"BuilderFlag"}, "BuilderFlag": {"TF32"}})
    assert limited.BuilderFlag.TF32 == trt.BuilderFlag.TF32
    with pytest.raises(AttributeError):
        limited.BuilderFlag.REFIT  # noqa: B018
    with pytest.raises(AttributeError):
        limited.Builder  # noqa: B018
