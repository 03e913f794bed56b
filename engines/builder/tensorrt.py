"""TensorRT and TensorRT-RTX: an ONNX file in, an engine for a GPU out; one builder for both.

Networks are strongly typed: what the graph says is float16 is float16, and so on. TensorRT-RTX
builds for GPUs that are not here, and without any; TensorRT measures on the GPU it builds for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.builder.builders import BuildError, Options, Shape, Told
from engines.builder.tensorrt_progress import progress_of
from engines.builder.tensorrt_refit import refit
from engines.builder.tensorrt_timings import Timings, timings_of
from engines.builder.tensorrt_words import Problem, explain
from engines.files import write_whole
from engines.runtimes.tensorrt.cuda import Cuda, Gpu
from engines.runtimes.tensorrt.library import Library, library

AMPERE_PLUS = "ampere+"


class TensorrtBuilder:
    """Builds with one of the two libraries.

    Attributes:
        suffix: of an engine's file.

    Args:
        runtime: ``tensorrt``, ``tensorrt-rtx``, or ``tensorrt-lean``: engines that TensorRT builds
            and its small runtime of the same version runs.
        suffix: of an engine's file.
        load: gives the library.
        find_gpu: gives the GPU here, or raises RuntimeError.
    """

    def __init__(
        self,
        runtime: str,
        suffix: str,
        load: Callable[[str], Library] = library,
        find_gpu: Callable[[], Gpu] = lambda: Cuda().gpu(),
    ) -> None:
        self.suffix = suffix
        self._runtime, self._load, self._find_gpu = runtime, load, find_gpu
        self._is_rtx, self._is_lean = runtime == "tensorrt-rtx", runtime == "tensorrt-lean"

    def library(self) -> str:
        """Such as ``tensorrt-rtx 1.7.1.116``.

        Raises:
            ImportError: it is not installed; names the extra.
        """
        return f"{self._runtime} {self._library().version}"

    def device(self, target: str | None) -> str:
        """Return the device that an engine is for.

        Args:
            target: for TensorRT-RTX architectures such as ``sm89``, or several, ``sm89,sm120``.
                For TensorRT the architecture of the GPU here, so that the engine runs on all of
                that architecture; None for this very model, which is fastest. ``ampere+`` for
                both: this and every newer GPU from Ampere on.

        Returns:
            ``target`` in order and small letters. For None the architecture of the GPU here, with
            TensorRT its model too (``sm89 NVIDIA L4``).

        Raises:
            BuildError: the library cannot build for it, or there is no GPU and it takes one.
        """
        wanted = None if target is None else target.strip().lower()
        if wanted == AMPERE_PLUS and self._is_rtx:
            return wanted
        if self._is_rtx:
            return self._rtx_device(wanted)
        gpu = self._gpu("TensorRT measures on the GPU it builds for")
        if wanted is None:
            return f"{gpu.architecture} {gpu.name}"
        if wanted not in (gpu.architecture, AMPERE_PLUS):
            raise BuildError(
                f"target: TensorRT builds for the GPU here, {gpu}: expected {gpu.architecture} or "
                f'{AMPERE_PLUS}, got "{target}"; --runtime tensorrt-rtx builds for others'
            )
        return wanted

    def driver(self, target: str | None) -> str | None:
        """Return the driver's version for an engine that was measured on this very GPU, else None.

        Raises:
            BuildError: there is no GPU and it takes one.
        """
        if self._is_rtx or target is not None:
            return None
        return self._gpu("TensorRT measures on the GPU it builds for").driver or None

    def build(self, onnx: Path, out: Path, options: Options, told: Told) -> None:
        """Writes the engine. Float32 is computed in float32, not in TF32.

        TensorRT-RTX gives the same bytes again for most networks of one output; what has several
        it orders again each time. TensorRT chooses by measuring, and differs from build to build.

        Raises:
            BuildError: naming the node or input, with what the library said and what helps.
            ImportError: the library is not installed.
        """
        lib, device = self._library(), self.device(options.target)
        trt = lib.trt
        told(0.0, "reading the graph")
        with lib.heard() as messages:
            builder = trt.Builder(lib.logger)
            _check_dla(lib, builder, options.dla)
            network = self._parse(lib, builder, onnx, messages, options)
            config = builder.create_builder_config()
            config.set_memory_pool_limit(
                trt.MemoryPoolType.WORKSPACE, options.workspace_mib * 2**20
            )
            config.clear_flag(trt.BuilderFlag.TF32)
            self._aim(trt, config, device, options.target)
            self._mark(trt, config, options)
            _set_profiles(builder, network, config, options)
            timings = None
            if not self._is_rtx and options.timings is not None:
                timings = Timings(config, options.timings)
            progress = progress_of(trt, told)
            config.progress_monitor = progress.monitor
            told(None, "building")  # until the library tells how far it is
            plan = builder.build_serialized_network(network, config)
            progress.raise_what_stopped_it()
            if plan is None:
                raise BuildError(explain(onnx, [], messages, _layers(network)))
        write_whole(out, bytes(plan))
        if timings is not None:
            timings.keep()
        told(1.0, "built")

    def refit(self, engine: Path, onnx: Path, out: Path) -> None:
        """Writes an engine of this library with the weights of a graph of the same structure.

        Raises:
            BuildError: the library refuses it.
        """
        refit(self._library(), engine, onnx, out)

    def timings(self) -> Path | None:
        """Return where measurements on the GPU here are kept; None for TensorRT-RTX.

        Raises:
            BuildError: there is no GPU.
        """
        if self._is_rtx:
            return None
        gpu = self._gpu("TensorRT measures on the GPU it builds for")
        return timings_of(self._library().version, gpu)

    def _library(self) -> Library:
        """What builds: the small runtime cannot."""
        return self._load("tensorrt" if self._is_lean else self._runtime)

    def _mark(self, trt: Any, config: Any, options: Options) -> None:
        """Set what the engine shall be able to do beside running here and now."""
        if options.refit:
            config.set_flag(trt.BuilderFlag.REFIT)
        if options.compatible or self._is_lean:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        if self._is_lean:  # which runs it itself: no code inside
            config.set_flag(trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
        if options.dla is not None:
            config.default_device_type = trt.DeviceType.DLA
            config.DLA_core = options.dla
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)

    def _rtx_device(self, wanted: str | None) -> str:
        known = _architectures(self._library().trt)
        if wanted is None:
            wanted = self._gpu("name what to build for, such as --target sm89").architecture
        names = dict.fromkeys(part.strip() for part in wanted.split(","))
        for name in names:
            if name not in known:
                raise BuildError(
                    f'target: TensorRT-RTX cannot build for "{name}"; expected {AMPERE_PLUS}, '
                    f"or one or more of {', '.join(known)}"
                )
        return ",".join(name for name in known if name in names)

    def _gpu(self, why: str) -> Gpu:
        try:
            return self._find_gpu()
        except RuntimeError as error:
            raise BuildError(f"target: no GPU is here: {why}. {error}") from error

    def _parse(
        self, lib: Library, builder: Any, onnx: Path, messages: list[str], options: Options
    ) -> Any:
        trt = lib.trt
        flags = 0
        if not lib.is_rtx and lib.version.startswith("10."):  # later ones know no other networks
            flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(flags)
        parser = trt.OnnxParser(network, lib.logger)
        if options.dla is not None:
            parser.set_flag(trt.OnnxParserFlag.ADJUST_FOR_DLA)
        if not parser.parse_from_file(str(onnx)):
            errors = (parser.get_error(index) for index in range(parser.num_errors))
            problems = [
                Problem(e.node(), e.node_name(), e.node_operator(), e.desc()) for e in errors
            ]
            raise BuildError(explain(onnx, problems, messages, {}))
        if not network.num_outputs:
            raise BuildError(f"{onnx}: no ONNX model, or one without outputs")
        return network

    def _aim(self, trt: Any, config: Any, device: str, target: str | None) -> None:
        level = trt.HardwareCompatibilityLevel
        if not self._is_rtx:
            if device == AMPERE_PLUS:
                config.hardware_compatibility_level = level.AMPERE_PLUS
            elif target is not None:
                config.hardware_compatibility_level = level.SAME_COMPUTE_CAPABILITY
        elif device != AMPERE_PLUS:  # which is what TensorRT-RTX does when told nothing
            names = device.split(",")
            config.num_compute_capabilities = len(names)
            for index, name in enumerate(names):
                config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), index)


def _check_dla(lib: Library, builder: Any, core: int | None) -> None:
    """Refuse a core that is not there.

    Raises:
        BuildError: naming what is.
    """
    if core is None:
        return
    cores = int(builder.num_DLA_cores)
    if core >= cores:
        there = f"cores 0 to {cores - 1}" if cores else "no DLA"
        raise BuildError(
            f"dla: {core} — TensorRT {lib.version} finds {there} here. Jetson AGX Orin has two, "
            "which TensorRT uses from 11.4.1 on, with JetPack 7.2.2 or newer"
        )


def _architectures(trt: Any) -> list[str]:
    """Return the architectures that TensorRT-RTX can build for, oldest first."""
    return [name.lower() for name in trt.ComputeCapability.__members__ if name.startswith("SM")]


def _layers(network: Any) -> dict[str, str]:
    """The kind of each layer by its name."""
    layers = (network.get_layer(index) for index in range(network.num_layers))
    return {layer.name: layer.type.name for layer in layers}


def _set_profiles(builder: Any, network: Any, config: Any, options: Options) -> None:
    """One profile with the shapes of every dynamic input, each checked against the graph."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    named = {tensor.name: tuple(tensor.shape) for tensor in inputs}
    for name in options.profiles:
        if name not in named:
            raise BuildError(f"profiles: no input {name}; the graph has {', '.join(named)}")
    profile = builder.create_optimization_profile()
    for tensor in inputs:
        if tensor.is_shape_tensor:
            raise BuildError(
                f"input {tensor.name} is a shape and no data; make it a constant of the graph"
            )
        shape = named[tensor.name]
        if tensor.name in options.profiles:
            _check_profile(tensor.name, shape, options.profiles[tensor.name])
            profile.set_shape(tensor.name, *options.profiles[tensor.name])
        elif -1 in shape:
            axes = ", ".join("any" if axis < 0 else str(axis) for axis in shape)
            raise BuildError(
                f"input {tensor.name} has a dynamic shape, ({axes}): expected its least, likeliest "
                "and largest shape in profiles, got none"
            )
    if any(-1 in shape for shape in named.values()):
        config.add_optimization_profile(profile)


def _check_profile(name: str, shape: Shape, profile: tuple[Shape, Shape, Shape]) -> None:
    least, likeliest, largest = profile
    fits = all(
        len(one) == len(shape) and all(a in (-1, b) for a, b in zip(shape, one, strict=True))
        for one in profile
    )
    rises = all(a <= b <= c for a, b, c in zip(least, likeliest, largest, strict=False))
    if not fits or not rises or min(least, default=1) < 1:
        raise BuildError(
            f"profiles: input {name} {shape} (-1 is any): expected least <= likeliest <= largest "
            f"shapes that fit it, got {least}, {likeliest}, {largest}"
        )


TENSORRT = TensorrtBuilder("tensorrt", ".plan")
TENSORRT_LEAN = TensorrtBuilder("tensorrt-lean", ".plan")
TENSORRT_RTX = TensorrtBuilder("tensorrt-rtx", ".rtx")
