"""From a model's file to the graph that an engine is made of, and the manifest that fits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engines.builder.builders import BuildError, Shape, Told
from engines.builder.fold import fold
from engines.builder.frames import Rgb
from engines.builder.gpu_options import CALIBRATED
from engines.builder.graphs import (
    Feeds,
    infos_of,
    inputs_of,
    shape_of,
    with_constants,
    with_names,
)
from engines.builder.onnx_file import load_onnx
from engines.builder.precision import to_float16
from engines.builder.quantise import to_int8
from engines.builder.quantise_fp8 import OPSET as FP8_OPSET
from engines.builder.quantise_fp8 import to_fp8
from engines.builder.request import Request
from engines.builder.sensitivity import Quantised
from engines.builder.shapes import batched, modern, shaped
from engines.builder.simplify import simplified
from engines.builder.tail import check_tail
from engines.builder.uint8 import cast_first
from engines.fed import besides, is_constant
from engines.manifest import Input, Manifest
from engines.placement import place
from engines.preprocess import Preprocessor

# Raised when the same source would give another graph.
RECIPE = 4
_TRIED = 4  # images on which batches, float16 and fewer bits are tried out
# Layers with less stay as they are, in dB; more where the gate refuses what comes of it. A layer in
# fp8 has some 28 by the bits of its numbers alone.
LEAST_DB = (20.0, 25.0, 30.0)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph ready to be built.

    Attributes:
        model: the ``onnx.ModelProto``.
        input: what is fed to it.
        profiles: least, likeliest and largest shape of each input with a dynamic axis.
        notes: what was not done to it, and why.
        gentler: makes one with fewer layers in int8 or fp8; None where there is none to try.
    """

    model: Any
    input: Input
    profiles: dict[str, tuple[Shape, Shape, Shape]]
    notes: tuple[str, ...] = ()
    gentler: Callable[[], Prepared] | None = None


def prepare(
    manifest: Manifest,
    path: Path,
    request: Request,
    pictures: Sequence[Rgb],
    calibration: Sequence[Rgb],
    told: Told,
) -> Prepared:
    """Makes the graph.

    Args:
        manifest: of the source.
        path: its file.
        request: what is wanted.
        images: real ones, to try the graph out with.
        calibration: those that set the scales of int8.
        told: of the steps.

    Raises:
        BuildError: the network cannot be what is wanted; says why and what helps.
        ImportError: a library of the extra ``build`` is missing.
    """
    model, inner, tried, notes = _plain(manifest, path, request, pictures, told)
    if request.precision == "fp16":
        told(None, "converting to float16")
        model = to_float16(model, tried)
    elif request.precision == "int8":
        told(0.4, f"calibrating int8 on {len(calibration)} pictures")
        model = with_names(model)
        small = to_int8(model, (feeds_of(model, inner, rgb) for rgb in calibration))
    elif request.precision == "fp8":
        told(None, "converting to float16")
        model = with_names(to_float16(modern(model, FP8_OPSET), tried))
        told(0.6, f"calibrating fp8 on {len(calibration)} pictures")
        small = to_fp8(model, (feeds_of(model, inner, rgb) for rgb in calibration))

    def finished(made: Any, *more: str) -> Prepared:
        fed = inner
        if request.folds:
            told(0.9, "putting the preprocessing into the graph")
            update = {"frame": request.frame, "extra": inner.extra}
            resizing = manifest.input.model_copy(update=update)
            made, fed = fold(made, resizing if request.frame else inner)
        return Prepared(made, fed, _profiles(made, request.pictures), (*notes, *more))

    if request.precision not in CALIBRATED:
        return finished(model)
    told(0.8, f"measuring what layers lose in {request.precision}")
    few = [feeds_of(model, inner, rgb) for rgb in calibration[:_TRIED]]
    return _gentle(Quantised(model, small), few, request, finished)


def _plain(
    manifest: Manifest, path: Path, request: Request, pictures: Sequence[Rgb], told: Told
) -> tuple[Any, Input, list[Feeds], list[str]]:
    """Return the network in float32, what it is fed, that for a few images, and notes."""
    told(0.0, "reading the network")
    model = _read(path)
    _check_inputs(manifest, model)
    if request.is_for_gpu:
        check_tail(model)
    model, inner = _without_constants(model, inner_input(manifest.input, request))
    told(0.1, "simplifying")
    model = _sized(model, inner, request)
    tried: list[Feeds] = [feeds_of(model, inner, rgb) for rgb in pictures[:_TRIED]]
    notes: list[str] = []
    model = simplified(model, tried[0] if tried else None, notes.append)
    for words in notes:
        told(0.1, words)
    if request.is_for_gpu:
        model = cast_first(model)
    if request.pictures > 1:
        told(0.2, f"making it take {request.pictures} images per call")
        model = batched(model, tried)
    return model, inner, tried, notes


def _gentle(
    quantised: Quantised,
    feeds: Sequence[Feeds],
    request: Request,
    finished: Callable[..., Prepared],
) -> Prepared:
    """Keep the layers that lose most as they are, and more of them when asked again."""
    heard = quantised.signal_to_noise(feeds)
    wide = "float16" if request.precision == "fp8" else "float32"
    choices = [frozenset(name for name, db in heard.items() if db < least) for least in LEAST_DB]
    choices = [kept for kept in dict.fromkeys(choices) if len(kept) < len(heard) or not kept]
    if not choices:
        raise BuildError(
            f"{request.precision}: rounding drowns all {len(heard)} layers (signal to noise below "
            f"{LEAST_DB[0]:.0f} dB), nothing to gain"
        )

    def step(place: int) -> Prepared:
        kept = choices[place]
        words = f"{len(kept)} of {len(heard)} layers stay {wide}, as they lose most"
        made = finished(quantised.without(kept), *([words] if kept else []))
        more = place + 1 < len(choices)
        return replace(made, gentler=(lambda: step(place + 1)) if more else None)

    return step(0)


def feeds_of(model: Any, spec: Input, rgb: Rgb) -> dict[str, NDArray[Any]]:
    """Return the network's inputs for one image, in arrays of its own."""
    inputs = infos_of(model)
    tensor, at = Preprocessor(spec, inputs[spec.name].dtype).frame(rgb)
    return {spec.name: tensor, **besides(spec.extra, at.size, inputs)}


def _read(path: Path) -> Any:
    onnx = load_onnx()
    if path.suffix != ".onnx":
        raise BuildError(
            f"{path}: engines are made of ONNX files; convert it first (mirante models import)"
        )
    try:
        return modern(onnx.load(str(path)))
    except BuildError as error:
        raise BuildError(f"{path}: {error}") from error
    except Exception as error:  # protobuf's DecodeError is of no public module
        raise BuildError(f"{path}: expected an ONNX file: {error}") from error


def _check_inputs(manifest: Manifest, model: Any) -> None:
    wanted, there = {manifest.input.name, *manifest.input.extra}, inputs_of(model)
    if wanted != set(there):
        raise BuildError(
            f"input: the file has {', '.join(there)}, the manifest names {', '.join(wanted)}"
        )
    if manifest.input.frame is not None:
        raise BuildError("input.frame: expected none, as the network resizes already")


def _without_constants(model: Any, spec: Input) -> tuple[Any, Input]:
    """The network with its further inputs that never change inside it."""
    fed = {name: value for name, value in spec.extra.items() if is_constant(value)}
    if not fed:
        return model, spec
    others = {name: value for name, value in spec.extra.items() if name not in fed}
    arrays = besides(fed, spec.size, infos_of(model))
    return with_constants(model, arrays), spec.model_copy(update={"extra": others})


def inner_input(spec: Input, request: Request) -> Input:
    """Return the network's own input: of one size, except on a CPU, which may run many.

    Args:
        spec: of the source.
        request: what is wanted.
    """
    if request.frame is not None:
        size = place(request.frame, spec.size, spec.resize, spec.multiple).size
        return spec.model_copy(update={"size": size, "multiple": None})
    if _stays_dynamic(spec, request):
        return spec
    return spec.model_copy(update={"multiple": None})


def _stays_dynamic(spec: Input, request: Request) -> bool:
    """A letterbox cut to the image saves a CPU a third of the work; a GPU needs one size."""
    return bool(
        spec.multiple and request.frame is None and not request.is_for_gpu and not request.folds
    )


def _sized(model: Any, spec: Input, request: Request) -> Any:
    width, height = spec.size
    first = _first_axis(model, request)
    sides: tuple[int | None, int | None] = (height, width)
    if spec.multiple:
        sides = (None, None)
    shapes: dict[str, list[int | None]] = {}
    for name in spec.extra:
        declared = shape_of(inputs_of(model)[name])
        shapes[name] = [first, 2] if len(declared) == 2 else [2]
    given = shape_of(inputs_of(model)[spec.name])
    shapes[spec.name] = (
        [first, spec.channels, *sides] if spec.layout == "nchw" else [first, *sides, spec.channels]
    )
    made = shapes[spec.name]
    if len(given) != 4 or any(
        None not in (a, b) and a != b for a, b in zip(given, made, strict=False)
    ):
        raise BuildError(f"input {spec.name}: the file has {given}, the manifest makes {made}")
    return shaped(model, shapes)


def _first_axis(model: Any, request: Request) -> int | None:
    """A batch that was exported as dynamic stays so; else it is 1 until it is freed."""
    dynamic = all(shape_of(each)[:1] == (None,) for each in inputs_of(model).values())
    return None if dynamic and request.pictures > 1 else 1


def _profiles(model: Any, most: int) -> dict[str, tuple[Shape, Shape, Shape]]:
    profiles = {}
    for name, each in inputs_of(model).items():
        shape = shape_of(each)
        if shape[:1] == (None,) and None not in shape[1:]:
            rest = tuple(axis for axis in shape[1:] if axis is not None)
            profiles[name] = ((1, *rest), (most, *rest), (most, *rest))
    return profiles
