"""The engines of this machine: ``$MIRANTE_HOME/engines/<key>``, each whole or not there.

An engine is made in a folder beside, forced to the disk and renamed; a lock on a file of its own,
which the kernel gives back however its holder ends, lets one process build and others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from engines.files import write_whole
from engines.runtimes import RefusedError
from engines.store.models import store

log = logging.getLogger(__name__)

ABOUT = "build.json"
LOADING = "loading.json"
MANIFEST = "manifest.yaml"
# What others read in build.json.
_SAID = {"batch", "built", "device", "file", "files", "input", "parity", "request", "role"}


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine in the store.

    Attributes:
        key: its name there.
        folder: where it lies.
        about: what ``build.json`` says: request, model, library, device, files, parity, seconds.
        fresh: built by the call that gave it, not found.
    """

    key: str
    folder: Path
    about: Mapping[str, Any]
    fresh: bool = False

    @property
    def manifest(self) -> Path:
        """Return the path that ``engines.load`` takes."""
        return self.folder / MANIFEST

    @property
    def file(self) -> Path:
        """The engine's own file."""
        return self.folder / str(self.about["file"])

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(int(each["bytes"]) for each in self.about["files"].values())

    @property
    def is_proved(self) -> bool:
        """True if the engine itself passed the parity gate, not only the graph it is made of."""
        return bool(self.about["parity"]["engine"])


class Loading(msgspec.Struct, frozen=True):
    """What an engine's library must be told.

    Attributes:
        holds_code: code of the version that built it is inside, and may be run.
        dla: the core of a Jetson's accelerator that it is for.
    """

    holds_code: bool = False
    dla: int | None = None


_read_loading = msgspec.json.Decoder(Loading)


def shelf() -> Path:
    """The folder of engines."""
    return store().with_name("engines")


def get(key: str) -> Engine | None:
    """The engine of that key, if it is there and its files are what was built."""
    return read_whole(shelf() / key)


def read_whole(folder: Path) -> Engine | None:
    """The engine in a folder, if it is there and its files are what was built."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        files = dict(about["files"])
        if not files or not about.keys() >= _SAID or "engine" not in about["parity"]:
            raise ValueError(f"{ABOUT} lacks {', '.join(sorted(_SAID - about.keys())) or 'files'}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("engine %s: damaged, not used: %s", folder, error)
        return None
    for name, said in files.items():
        if (wrong := _wrong(folder / name, said)) is not None:
            log.warning("engine %s: damaged, not used: %s", folder, wrong)
            return None
    return Engine(folder.name, folder, about) if (folder / MANIFEST).is_file() else None


def say_how_to_load(folder: Path, holds_code: bool, dla: int | None) -> None:
    """Write beside an engine that is being built what its library must be told to load it."""
    if holds_code or dla is not None:
        said = {"holds_code": holds_code, "dla": dla}
        (folder / LOADING).write_text(json.dumps(said) + "\n", encoding="utf-8")


def how_to_load(file: Path) -> Loading:
    """Return what an engine's library must be told to load it.

    Engines that hold code run it, so that this is believed of those in this machine's store alone,
    and of those being built there.

    Raises:
        RefusedError: it is not readable.
    """
    said = file.with_name(LOADING)
    if file.resolve().parent.parent != shelf().resolve() or not said.is_file():
        return Loading()
    try:
        return _read_loading.decode(said.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise RefusedError(f"{said}: damaged; build the engine again: {error}") from error


def check_whole(folder: Path) -> None:
    """Of a folder that holds an engine, checks every file; a manifest names but one of them.

    Raises:
        RefusedError: a file is not what was built.
    """
    if (folder / ABOUT).is_file() and folder.parent == shelf() and get(folder.name) is None:
        raise RefusedError(f"engine {folder}: damaged; build it again: mirante engines build")


def engines() -> list[Engine]:
    """Return all complete engines, by key."""
    folders = sorted(path for path in shelf().glob("[!.]*") if path.is_dir())
    return [engine for path in folders if (engine := get(path.name)) is not None]


@contextmanager
def locked(key: str, where: Path | None = None, wait: bool = True) -> Iterator[None]:
    """Waits for whoever builds this engine; then this process is the one that does.

    Args:
        key: of the engine.
        where: the folder that holds the key; None for that of engines.
        wait: for another process; else that is an error.

    Raises:
        BlockingIOError: another process builds it, and this one is not to wait.
    """
    folder = (where or shelf()) / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / key).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def bench(key: str) -> Iterator[Path]:
    """A folder to build in, gone afterwards unless published; to be used under the lock.

    What killed processes left of the same engine is removed first: whoever left it holds the lock
    no more.
    """
    for left in shelf().glob(f".{key}.*"):
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=shelf()))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def publish(key: str, part: Path, about: Mapping[str, Any]) -> Engine:
    """Makes a folder the engine of that key, at once and for good; to be used under the lock."""
    # What TensorRT-RTX compiled for the GPU here (.cache) is written again while engines run.
    files = sorted(
        path
        for path in part.iterdir()
        if path.name not in (ABOUT, MANIFEST) and path.suffix != ".cache"
    )
    about = {**about, "files": {path.name: _said(path) for path in files}}
    (part / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    part.chmod(0o755)
    for path in (*part.iterdir(), part):
        to_disk(path)
    final = shelf() / key
    if final.exists():  # damaged, else it had been found
        old = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=shelf()))
        final.replace(old / "damaged")
    part.replace(final)
    to_disk(shelf())
    return replace(_whole(key), fresh=True)


def note(key: str, changes: Mapping[str, Any]) -> Engine:
    """Changes what ``build.json`` says of an engine."""
    with locked(key):
        engine = _whole(key)
        text = json.dumps({**engine.about, **changes}, indent=1) + "\n"
        write_whole(engine.folder / ABOUT, text.encode())
        return _whole(key)


def remove(key: str) -> None:
    """Takes an engine away, whole or damaged.

    Raises:
        ValueError: there is none.
    """
    folder = shelf() / key
    if not key or Path(key).name != key or key.startswith(".") or not folder.is_dir():
        raise ValueError(f'no engine "{key}" in {shelf()}; mirante engines list names them')
    with locked(key), bench(key) as part:
        folder.replace(part / "removed")


def prune() -> list[str]:
    """Takes away what nothing uses: damaged engines, and leftovers of builds that were killed.

    Of engines that differ only in the version of a library or of the model, the newest stays.

    Returns:
        The keys of the engines that went.
    """
    there = [path.name for path in sorted(shelf().glob("[!.]*")) if path.is_dir()]
    whole = [engine for key in there if (engine := get(key)) is not None]
    newest: dict[str, Engine] = {}
    for engine in sorted(whole, key=lambda each: str(each.about["built"])):
        newest[str(engine.about["role"])] = engine
    kept = {engine.key for engine in newest.values()}
    gone = [key for key in there if key not in kept]
    for key in gone:
        remove(key)
    for key in {left.name[1:].rpartition(".")[0] for left in shelf().glob(".*.*")}:
        with locked(key), bench(key):
            pass
    return gone


def _whole(key: str) -> Engine:
    engine = get(key)
    if engine is None:
        raise OSError(f"{shelf() / key}: gone or damaged; build it again")
    return engine


def _said(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _wrong(path: Path, said: Mapping[str, Any]) -> str | None:
    if not path.is_file():
        return f"{path.name}: missing"
    if (size := path.stat().st_size) != said["bytes"]:
        return f"{path.name}: expected {said['bytes']} bytes, got {size}"
    return None if _said(path) == said else f"{path.name}: wrong checksum"


def to_disk(path: Path) -> None:
    """Force a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
