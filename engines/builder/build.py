"""One call from a request to an engine that is proved equal to its source, built once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engines.builder import derived
from engines.builder.builders import BuildError, Options, Told
from engines.builder.frames import Rgb, identity, in_frame, named, read_pictures
from engines.builder.gate import Pair, judge, runs_here
from engines.builder.key import Wanted, wanted
from engines.builder.onnx_file import load_onnx
from engines.builder.parity import ParityError, Report
from engines.builder.prepare import Prepared, inner_input, prepare
from engines.builder.request import Request
from engines.files import write_whole, writing
from engines.manifest import Input
from engines.store import engines as shelf
from engines.store.engines import Engine

__all__ = ["Engine", "ParityError", "Request", "build", "find", "list_engines", "prove"]


def _silent(_share: float, _words: str) -> None:
    pass


def find(request: Request) -> Engine | None:
    """The engine that ``request`` asks for, if it was built and is whole.

    Raises:
        as ``build``, for what is wrong before anything is built.
    """
    return _kept(wanted(request))


def build(request: Request, told: Told = _silent) -> Engine:
    """The engine that ``request`` asks for: found, or built and put through the parity gate.

    Two processes that ask for the same build it once. An engine for a device that is not here is
    judged by its graph, and by ``prove`` once it is there.

    Args:
        request: what is wanted.
        told: called with the share done, 0 to 1, and what is being done.

    Raises:
        ValueError, ModelUnavailableError: there is no such model, runtime or file of images.
        ImportError: a library is missing; names the extra.
        BuildError: it cannot be built.
        ParityError: it finds something else than its source; says by how much.
        OSError: images cannot be read, or the store cannot be written.
    """
    want = wanted(request)
    if request.frames is not None:
        identity(request.frames)  # a mistake in it is told also where nothing is left to compare
    if (engine := _kept(want)) is not None:
        return _proved_here(want, engine)
    told(0.0, "waiting for its turn")
    with writing(shelf.shelf()), shelf.locked(want.key):
        if (engine := _kept(want)) is not None:
            return engine  # proved, or to be proved by whoever runs it
        with shelf.bench(want.key) as part:
            return _make(want, part, told)


def _proved_here(want: Wanted, engine: Engine) -> Engine:
    """An engine that was judged by its graph is judged itself once its device is here."""
    if engine.is_proved or not runs_here(want.builder, want.facts["device"]):
        return engine
    return prove(engine)


def list_engines() -> list[Engine]:
    """All in the store that are whole, by key."""
    return shelf.engines()


def prove(engine: Engine, pictures: Sequence[Rgb] | None = None) -> Engine:
    """Runs an engine that was built elsewhere on the device that is here, through the gate.

    One that fails is taken out of the store.

    Args:
        engine: of the store.
        images: (height, width, 3) uint8 RGB; None for those that its graph was judged by.

    Returns:
        The engine, with its report; as it is where it has one.

    Raises:
        ParityError: it finds something else than its source.
        BuildError: the model is another one now, or nothing is found in the images.
        RuntimeError: the device is not here, or refuses it.
    """
    if engine.is_proved:
        return engine
    request = Request.from_json(json.dumps(engine.about["request"]))
    want = wanted(request)
    if want.key != engine.key:
        raise BuildError(f"engine {engine.key}: the model or library has changed since; rebuild it")
    where = "the given images"
    if pictures is None:
        where, pictures = _pictures(request)
    try:
        pair = _pair(want, engine.manifest)
        found = judge(pair, request.precision, "engine", where, _framed(want, list(pictures)))
    except ParityError:
        shelf.remove(engine.key)
        raise
    parity = {**engine.about["parity"], "engine": found.to_dict()}
    return shelf.note(engine.key, {"parity": parity})


def _kept(want: Wanted) -> Engine | None:
    """Return the stored engine; labels and thresholds are the source's current ones."""
    engine = shelf.get(want.key)
    if engine is not None:
        fed = Input.model_validate(engine.about["input"])
        text = derived.as_text(_manifest(want, fed, want.request.runtime, engine.file))
        if engine.manifest.read_text(encoding="utf-8") != text:
            write_whole(engine.manifest, text.encode())
    return engine


def _make(want: Wanted, part: Path, told: Told) -> Engine:
    """Builds in the folder ``part``, judges, and publishes."""
    started = time.monotonic()
    request = want.request
    where, pictures = _pictures(request)
    calibration: list[Rgb] = []
    if request.calibrate is not None:
        calibration = read_pictures(request.calibrate, request.calibration_frames)
    pictures, calibration = _framed(want, pictures), _framed(want, calibration)
    # There, it goes with what else a killed build leaves.
    with TemporaryDirectory(prefix="scratch-", dir=part) as scratch:
        graph = Path(scratch) / "graph.onnx"
        prepared = prepare(
            want.manifest, want.path, request, pictures, calibration, _between(told, 0.0, 0.4)
        )
        load_onnx().save(prepared.model, str(graph))
        parity: dict[str, Any] = {"graph": None, "engine": None}
        here = runs_here(want.builder, want.facts["device"])
        if not here:
            told(0.4, "comparing the graph with its source")
            found = _judge(want, prepared, graph, "onnxruntime", where, pictures)
            parity["graph"] = found.to_dict()
        engine = part / f"engine{want.builder.suffix}"
        options = Options(profiles=prepared.profiles, target=request.target)
        want.builder.build(graph, engine, options, _between(told, 0.5, 0.9))
    if here:
        told(0.9, "comparing the engine with its source")
        found = _judge(want, prepared, engine, request.runtime, where, pictures)
        parity["engine"] = found.to_dict()
    derived.write(part, _manifest(want, prepared.input, request.runtime, engine))
    about = {
        "key": want.key,
        **want.facts,
        "file": engine.name,
        "input": prepared.input.model_dump(mode="json"),
        "request": _told_request(request),
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 2),
        "notes": list(prepared.notes),
        "parity": parity,
    }
    made = shelf.publish(want.key, part, about)
    told(1.0, "done")
    return made


def _judge(
    want: Wanted,
    prepared: Prepared,
    file: Path,
    runtime: str,
    where: str,
    pictures: Sequence[Rgb],
) -> Report:
    """Puts the engine, or the graph that it is made of, through the gate."""
    of = "engine" if runtime == want.request.runtime else "graph"
    keys = _manifest(want, prepared.input, runtime, file)
    manifest = derived.write(file.parent, keys, f"{of}.yaml")
    try:
        pair = _pair(want, manifest)
        return judge(pair, want.request.precision, of, where, pictures)
    finally:
        manifest.unlink()


def _pair(want: Wanted, candidate: Path) -> Pair:
    """The source at the size that the engine's network has: that size is asked for, no error."""
    inner = inner_input(want.manifest.input, want.request)
    return Pair(want.manifest.model_copy(update={"input": inner}), want.path, candidate)


def _framed(want: Wanted, pictures: list[Rgb]) -> list[Rgb]:
    """The images as those of the cameras will be, where that is known."""
    size, spec = want.request.frame, want.manifest.input
    if size is None:
        return pictures
    return [in_frame(rgb, size, spec.resize, spec.pad) for rgb in pictures]


def _manifest(want: Wanted, fed: Input, runtime: str, file: Path) -> dict[str, Any]:
    return derived.derive(want.manifest, fed, runtime, file)


def _pictures(request: Request) -> tuple[str, list[Rgb]]:
    """Return the images to compare on, and in words where they come from."""
    source = request.frames or request.calibrate
    return named(source), read_pictures(source, request.parity_frames)


def _told_request(request: Request) -> dict[str, Any]:
    """As JSON, without passwords of cameras, and with paths that hold in any folder."""
    hidden = {
        key: named(value)
        for key in ("calibrate", "frames")
        if (value := getattr(request, key)) is not None
    }
    model = request.model
    if model.endswith((".yaml", ".yml")):
        model = str(Path(model).resolve())
    return {**asdict(request), "model": model, **hidden}


def _between(told: Told, low: float, high: float) -> Told:
    """Tells of a part as of a share of the whole."""
    return lambda share, words: told(low + (high - low) * min(max(share, 0.0), 1.0), words)
