"""The names that TensorRT's bindings define, without its libraries and without a GPU.

Plain TensorRT's libraries come from an index of NVIDIA's own and are not installed for tests. Its
bindings (a wheel of 1.3 MB) are a pybind11 module that needs only nine functions of them, so that
the module loads with stubs of these, and ``dir`` gives what is really there: nothing is guessed
from strings or documents.

    pip download --no-deps -d WHEELS tensorrt-cu13-bindings==11.4.0.106
    pip download --no-deps -d WHEELS tensorrt-lean-cu13-bindings==11.4.0.106
    python tests/support/tensorrt_names/collect.py WHEELS/*.whl

writes a ``<version>.json`` beside this file for each wheel, those of the lean runtime in
``lean/``. It takes a C compiler, and wheels for this Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
_FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
# The classes that an engine is built and run with; layers and plugins are left out.
KEPT = (
    "Builder",
    "BuilderFlag",
    "CudaGraphStrategy",
    "DataType",
    "DeviceType",
    "ExecutionContextAllocationStrategy",
    "HardwareCompatibilityLevel",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILayer",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "IRuntimeCache",
    "IRuntimeConfig",
    "ISerializationConfig",
    "ITensor",
    "ITimingCache",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "OnnxParserFlag",
    "OnnxParserRefitter",
    "ParserError",
    "Refitter",
    "Runtime",
    "SerializationFlag",
    "TensorIOMode",
)
_LIBRARIES = {
    "tensorrt": ("libnvinfer.so", "libnvinfer_plugin.so", "libnvonnxparser.so"),
    "tensorrt_lean": ("libnvinfer_lean.so",),
}
_LOAD = """
import importlib.util, json, sys
sys.path.insert(0, sys.argv[3])
from collect import names
spec = importlib.util.spec_from_file_location(sys.argv[4], sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
lines = (f"{json.dumps(name)}: {json.dumps(' '.join(has))}" for name, has in names(module).items())
open(sys.argv[2], "w").write("{\\n" + ",\\n".join(lines) + "\\n}\\n")
"""


def names(module: ModuleType) -> dict[str, list[str]]:
    """What those classes of a module have, and under "" what it has itself; no private names."""
    classes = {name: getattr(module, name) for name in KEPT if hasattr(module, name)}
    things = {"": module, **classes}
    return {
        name: sorted(part for part in dir(thing) if not part.startswith("_"))
        for name, thing in things.items()
    }


def read(version: str) -> dict[str, set[str]]:
    """The names of a version that was collected, such as ``11.4.0.106`` or ``lean/11.4.0.106``."""
    found = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    return {name: set(parts.split()) for name, parts in found.items()}


def collect(wheel: Path) -> Path:
    """Writes the names of one wheel of bindings; returns the file."""
    version = wheel.name.split("-")[1].partition(".post")[0]
    module = "tensorrt_lean" if wheel.name.startswith("tensorrt_lean") else "tensorrt"
    target = FOLDER / ("lean" if module == "tensorrt_lean" else ".") / f"{version}.json"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(wheel).extractall(folder)
        (bindings,) = Path(folder).glob(f"*/{module}.so")
        source = Path(folder) / "stub.c"
        bodies = (f"void *{name}(void) {{ return 0; }}" for name in _FUNCTIONS)
        source.write_text("\n".join(bodies))
        for library in _LIBRARIES[module]:
            stub = Path(folder) / f"{library}.{version.split('.')[0]}"
            subprocess.run(["cc", "-shared", "-fPIC", "-o", stub, source], check=True)
        subprocess.run(
            [sys.executable, "-c", _LOAD, bindings, target, FOLDER, module],
            env={**os.environ, "LD_LIBRARY_PATH": folder},
            check=True,
        )
    return target


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(collect(Path(argument)))
