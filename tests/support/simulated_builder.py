"""TensorRT's builder on simulated CUDA: an "engine" is its network, with what was asked for it.

What it would measure on a GPU it counts instead, and keeps in a timing cache as the documents say:
refused where it is of another version or GPU. Weights are given to an engine as its parser does:
those of the engine's layers, each of the same shape.
"""

from __future__ import annotations

import json
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, ClassVar

import onnx

from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_tensorrt import (
    ICudaEngine,
    ILogger,
    Library,
    Shapes,
    engine_bytes,
)

BuilderFlag = Enum(
    "BuilderFlag", ["TF32", "REFIT", "VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME", "GPU_FALLBACK"]
)
DeviceType = Enum("DeviceType", ["GPU", "DLA"])
HardwareCompatibilityLevel = Enum(
    "HardwareCompatibilityLevel", ["NONE", "AMPERE_PLUS", "SAME_COMPUTE_CAPABILITY"]
)
MemoryPoolType = Enum("MemoryPoolType", ["WORKSPACE"])
OnnxParserFlag = Enum("OnnxParserFlag", ["ADJUST_FOR_DLA"])
SerializationFlag = Enum("SerializationFlag", ["EXCLUDE_WEIGHTS", "INCLUDE_REFIT"])
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class IProgressMonitor:
    pass


class BuildingLibrary(Library):
    """The module with its builder.

    Attributes:
        measured: layers that were measured, in all builds.
        builds: how many engines were built.
    """

    names: ClassVar[tuple[str, ...]] = (
        *Library.names,
        "Builder",
        "BuilderFlag",
        "DeviceType",
        "HardwareCompatibilityLevel",
        "IProgressMonitor",
        "MemoryPoolType",
        "NetworkDefinitionCreationFlag",
        "OnnxParser",
        "OnnxParserFlag",
        "OnnxParserRefitter",
        "Refitter",
        "SerializationFlag",
    )

    def __init__(self, cuda: SimulatedCuda, version: str, **kind: bool) -> None:
        super().__init__(cuda, version, **kind)
        self.measured = self.builds = 0
        self.BuilderFlag, self.DeviceType = BuilderFlag, DeviceType
        self.HardwareCompatibilityLevel = HardwareCompatibilityLevel
        self.IProgressMonitor, self.MemoryPoolType = IProgressMonitor, MemoryPoolType
        self.NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
        self.OnnxParserFlag, self.SerializationFlag = OnnxParserFlag, SerializationFlag

    def Builder(self, logger: ILogger) -> Builder:  # noqa: N802
        return Builder(self, logger)

    def OnnxParser(self, network: INetworkDefinition, logger: ILogger) -> OnnxParser:  # noqa: N802
        return OnnxParser(network, logger)

    def Refitter(self, engine: ICudaEngine, logger: ILogger) -> Refitter:  # noqa: N802
        return Refitter(engine, logger)

    def OnnxParserRefitter(  # noqa: N802
        self, refitter: Any, logger: ILogger
    ) -> OnnxParserRefitter:
        return OnnxParserRefitter(refitter, logger)


class Tensor:
    is_shape_tensor = False

    def __init__(self, value: onnx.ValueInfoProto) -> None:
        self.name = value.name
        self.shape = tuple(axis.dim_value or -1 for axis in value.type.tensor_type.shape.dim)


class INetworkDefinition:
    num_layers = 0

    def __init__(self) -> None:
        self._model = onnx.ModelProto()
        self._adjusted_for_dla = False

    @property
    def num_inputs(self) -> int:
        return len(self._model.graph.input)

    @property
    def num_outputs(self) -> int:
        return len(self._model.graph.output)

    def get_input(self, index: int) -> Tensor:
        return Tensor(self._model.graph.input[index])


class OnnxParser:
    num_errors = 0

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network, self._logger = network, logger

    def set_flag(self, flag: Enum) -> None:
        assert flag is OnnxParserFlag.ADJUST_FOR_DLA
        self._network._adjusted_for_dla = True

    def parse_from_file(self, model: str) -> bool:
        self._network._model = onnx.load(model)
        return True


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, Shapes] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        self._shapes[input] = (min, opt, max)


class ITimingCache:
    def __init__(self, mark: str, blob: bytes) -> None:
        said = json.loads(blob) if blob else {"mark": mark, "layers": []}
        self._mark, self._layers = said["mark"], set(said["layers"])

    def combine(self, input_cache: ITimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if self._mark == input_cache._mark:
            self._layers |= input_cache._layers
        return self._mark == input_cache._mark

    def serialize(self) -> bytes:
        return json.dumps({"mark": self._mark, "layers": sorted(self._layers)}).encode()


class IBuilderConfig:
    def __init__(self, library: BuildingLibrary) -> None:
        self._library = library
        self._flags: set[Enum] = {BuilderFlag.TF32}
        self._profiles: list[IOptimizationProfile] = []
        self._cache = ITimingCache(self._mark, b"")
        self.progress_monitor: Any = None
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self.default_device_type = DeviceType.GPU
        self.DLA_core = -1

    @property
    def _mark(self) -> str:
        _, found = self._library.cuda.cudaGetDeviceProperties(0)
        return f"{self._library.__version__} on {found.name.decode().rstrip(chr(0))}"

    def set_memory_pool_limit(self, pool: Enum, pool_size: int) -> None:
        assert pool is MemoryPoolType.WORKSPACE
        assert pool_size > 0

    def set_flag(self, flag: Enum) -> None:
        self._flags.add(flag)

    def clear_flag(self, flag: Enum) -> None:
        self._flags.discard(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(self._mark, serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if cache._mark != self._mark:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache:
        return self._cache


class Builder:
    def __init__(self, library: BuildingLibrary, logger: ILogger) -> None:
        self._library, self._logger = library, logger
        self.num_DLA_cores = library.dla_cores

    def create_network(self, flags: int) -> INetworkDefinition:
        strongly = 1 << int(NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        assert flags & strongly or not self._library.__version__.startswith("10.")
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._library)

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        nodes, monitor = network._model.graph.node, config.progress_monitor
        monitor.phase_start("Measuring", None, len(nodes))
        for index, node in enumerate(nodes):
            layer = f"{node.op_type} {index} of {len(nodes)}"
            if layer not in config._cache._layers:
                self._library.measured += 1
                config._cache._layers.add(layer)
            if not monitor.step_complete("Measuring", index):
                return None
        monitor.phase_finish("Measuring")
        self._library.builds += 1
        return self._written(network, config)

    def _written(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes:
        facts: dict[str, Any] = {}
        compatible = BuilderFlag.VERSION_COMPATIBLE in config._flags
        lean = BuilderFlag.EXCLUDE_LEAN_RUNTIME in config._flags
        facts |= {"compatible": compatible, "holds_code": compatible and not lean}
        facts["refittable"] = BuilderFlag.REFIT in config._flags
        if config.default_device_type is DeviceType.DLA:
            assert network._adjusted_for_dla
            assert BuilderFlag.GPU_FALLBACK in config._flags
            assert not config._profiles, "DLA takes no dynamic shapes"
            facts["dla"] = config.DLA_core
        profiles = config._profiles[0]._shapes if config._profiles else {}
        content = network._model.SerializeToString()
        library = self._library
        return engine_bytes(content, library.__version__, profiles, is_rtx=library.is_rtx, **facts)


class Refitter:
    def __init__(self, engine: ICudaEngine, logger: ILogger) -> None:
        self._engine, self._logger = engine, logger
        self._given: dict[str, onnx.TensorProto] = {}

    def _needed(self) -> list[onnx.TensorProto]:
        graph = onnx.load_model_from_string(self._engine._network).graph
        return [tensor for tensor in graph.initializer if tensor.data_type in _FLOATS]

    def get_missing_weights(self) -> list[str]:
        if not self._given:
            return []
        return [tensor.name for tensor in self._needed() if tensor.name not in self._given]

    def refit_cuda_engine(self) -> bool:
        model = onnx.load_model_from_string(self._engine._network)
        for tensor in model.graph.initializer:
            if tensor.data_type in _FLOATS:
                tensor.CopyFrom(self._given[tensor.name])
        self._engine._network = model.SerializeToString()
        return True


class Fault:
    def __init__(self, words: str) -> None:
        self._words = words

    def desc(self) -> str:
        return self._words


class OnnxParserRefitter:
    def __init__(self, refitter: Refitter, logger: ILogger) -> None:
        self._refitter, self._faults = refitter, list[Fault]()

    @property
    def num_errors(self) -> int:
        return len(self._faults)

    def get_error(self, index: int) -> Fault:
        return self._faults[index]

    def refit_from_file(self, model_file: str) -> bool:
        given = {tensor.name: tensor for tensor in onnx.load(Path(model_file)).graph.initializer}
        for tensor in self._refitter._needed():
            found = given.get(tensor.name)
            if found is None:
                continue
            if (found.dims, found.data_type) != (tensor.dims, tensor.data_type):
                self._faults.append(Fault(f"{tensor.name} has another shape or type"))
                return False
            self._refitter._given[tensor.name] = found
        return True
