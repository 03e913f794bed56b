"""One call from a request to an engine that is proved equal to its source, built once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engines.builder import derived
from engines.builder.builders import BuildError, GpuBuilder, Options, Told, between
from engines.builder.frames import Rgb, identity, in_frame, named, read_pictures
from engines.builder.gate import Pair, judge, runs_here
from engines.builder.key import Wanted, wanted
from engines.builder.onnx_file import load_onnx
from engines.builder.parity import ParityError, Report
from engines.builder.prepare import Prepared, inner_input, prepare
from engines.builder.request import Request
from engines.builder.sharing import Share
from engines.builder.structure import structure_of
from engines.files import write_whole, writing
from engines.manifest import Input
from engines.store import engines as shelf
from engines.store.engines import Engine

__all__ = ["Engine", "ParityError", "Request", "build", "find", "list_engines", "prove"]

_PREPARED, _BUILT = 0.2, 0.9  # shares of a build: TensorRT takes most of it


def _silent(_share: float | None, _words: str) -> None:
    pass


def find(request: Request) -> Engine | None:
    """The engine that ``request`` asks for, if it was built, here or for the shared folder.

    Raises:
        as ``build``, for what is wrong before anything is built.
    """
    want = wanted(request)
    if (engine := _kept(want)) is not None or request.store is None:
        return engine
    try:
        with writing(shelf.shelf()), shelf.locked(want.key, wait=False):
            return _found(want, Share(request.store, want.key))
    except BlockingIOError:  # it is being built
        return None


def build(request: Request, told: Told = _silent) -> Engine:
    """The engine that ``request`` asks for: found, or built and put through the parity gate.

    Two processes that ask for the same build it once. An engine for a device that is not here is
    judged by its graph, and by ``prove`` once it is there.

    Args:
        request: what is wanted.
        told: called with the share done, 0 to 1, and what is being done; None for the share
            where nothing tells how far it is.

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
    told(None, "waiting for its turn")
    with writing(shelf.shelf()), shelf.locked(want.key):
        share = Share(request.store, want.key)
        if (engine := _found(want, share)) is not None:
            return engine  # proved, or to be proved by whoever runs it
        with share.turn(told):
            if (engine := _found(want, share)) is None:
                with shelf.bench(want.key) as part:
                    engine = _make(want, part, told)
                share.leave(engine)
            return engine


def _found(want: Wanted, share: Share) -> Engine | None:
    """The engine of this machine's store, or of the shared folder; to be used under its lock."""
    if (engine := _kept(want)) is None and share.take():
        engine = _kept(want)
    return engine


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
        raise BuildError(
            f"engine {engine.key}: model, library or driver has changed since; rebuild it"
        )
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
    shelf.say_how_to_load(part, request.compatible, request.dla)
    # There, it goes with what else a killed build leaves.
    with TemporaryDirectory(prefix="scratch-", dir=part) as scratch:
        graph = Path(scratch) / "graph.onnx"
        prepared = prepare(
            want.manifest, want.path, request, pictures, calibration, between(told, 0.0, _PREPARED)
        )
        parity: dict[str, Any] = {"graph": None, "engine": None}
        here = runs_here(want.builder, want.facts["device"])
        prepared, found = _agreeing(want, prepared, graph, here, where, pictures, told)
        parity["graph"] = None if found is None else found.to_dict()
        work = _Work(want, prepared, graph, part / f"engine{want.builder.suffix}", where, pictures)
        try:
            said, notes, report = work.done(here, told)
        except ParityError as error:
            raise _with_notes(error, prepared) from error
    parity["engine"] = None if report is None else report.to_dict()
    derived.write(part, _manifest(want, prepared.input, request.runtime, work.engine))
    about = {
        "key": want.key,
        **want.facts,
        **said,
        "file": work.engine.name,
        "input": prepared.input.model_dump(mode="json"),
        "request": _told_request(request),
        "built": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": round(time.monotonic() - started, 2),
        "notes": [*prepared.notes, *notes],
        "parity": parity,
    }
    made = shelf.publish(want.key, part, about)
    told(1.0, "done")
    return made


def _agreeing(
    want: Wanted,
    prepared: Prepared,
    graph: Path,
    here: bool,
    where: str,
    pictures: Sequence[Rgb],
    told: Told,
) -> tuple[Prepared, Report | None]:
    """Write the graph to build: with as many layers in int8 or fp8 as the gate lets through.

    Where the engine can run here, the last graph there is to try is not judged: the engine is.
    """
    while True:
        load_onnx().save(prepared.model, str(graph))
        if here and prepared.gentler is None:
            return prepared, None
        told(None, "comparing the graph with its source")
        try:
            return prepared, _judge(want, prepared, graph, "onnxruntime", where, pictures)
        except ParityError as error:
            if prepared.gentler is None:
                raise _with_notes(error, prepared) from error
            prepared = prepared.gentler()


def _with_notes(error: ParityError, prepared: Prepared) -> ParityError:
    """Say with the figures which layers stayed as they were in vain."""
    return ParityError("; ".join([str(error), *prepared.notes]))


@dataclass(frozen=True, slots=True)
class _Work:
    """The making of an engine's file from its graph.

    Attributes:
        want: the request, resolved.
        prepared: the graph.
        graph: its file.
        engine: the file to write.
        where: the images come from.
        pictures: those on which it is judged.
    """

    want: Wanted
    prepared: Prepared
    graph: Path
    engine: Path
    where: str
    pictures: Sequence[Rgb]

    def done(self, here: bool, told: Told) -> tuple[dict[str, Any], list[str], Report | None]:
        """Write the engine: another one with these weights, where that is possible, else built.

        Returns:
            What ``build.json`` says of it, notes, and the gate's report if it can run here.

        Raises:
            BuildError, ParityError: as ``build``.
        """
        said, notes = dict[str, Any](), list[str]()
        if self.want.request.refit:
            said["structure"] = structure_of(self.prepared.model)
            old = self._alike(said["structure"]) if here else None
            if old is not None:
                told(None, f"giving engine {old.key} these weights")
                try:
                    self._refit(old)
                    return {**said, "refitted": old.key}, notes, self._judged(here, told)
                except BuildError as error:  # also where the gate refuses what came of it
                    notes.append(f"built, as giving {old.key} these weights failed: {error}")
        self._build(here, told)
        return said, notes, self._judged(here, told)

    def _alike(self, structure: str) -> Engine | None:
        """Return an engine that differs in its weights alone."""
        facts = {**self.want.facts, "structure": structure}
        same = ("structure", "library", "device", "driver", "batch", "precision")
        return next(
            (
                engine
                for engine in shelf.engines()
                if all(engine.about.get(name) == facts.get(name) for name in same)
            ),
            None,
        )

    def _refit(self, old: Engine) -> None:
        builder = self.want.builder
        if not isinstance(builder, GpuBuilder):
            raise BuildError(f"{self.want.request.runtime} takes no weights later")
        builder.refit(old.file, self.graph, self.engine)

    def _build(self, here: bool, told: Told) -> None:
        request, builder = self.want.request, self.want.builder
        options = Options(
            profiles=self.prepared.profiles,
            target=request.target,
            refit=request.refit,
            compatible=request.compatible,
            dla=request.dla,
            timings=builder.timings() if here and isinstance(builder, GpuBuilder) else None,
        )
        builder.build(self.graph, self.engine, options, between(told, _PREPARED, _BUILT))

    def _judged(self, here: bool, told: Told) -> Report | None:
        if not here:
            return None
        told(None, "comparing the engine with its source")
        runtime = self.want.request.runtime
        return _judge(self.want, self.prepared, self.engine, runtime, self.where, self.pictures)


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
    return {**asdict(request), "model": model, "store": None, **hidden}
