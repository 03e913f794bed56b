"""Find model files: beside their manifest, in the local store, in a mirror, or at a URL."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import Literal

from engines.manifest import ZOO, Manifest, find, zoo_names
from mirante.home import home

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known
Place = Literal["file", "store", "mirror", "server"]
_CHUNK = 1 << 18
_TIMEOUT_S = 30.0
_parts: set[Path] = set()  # what is being written; a process may end while a thread still waits


class ModelUnavailableError(RuntimeError):
    """A model's file is not available anywhere; the message says what was tried and what to do.

    Attributes:
        tried: a line for each place.
    """

    def __init__(self, words: str, tried: Iterable[str] = ()) -> None:
        super().__init__(words)
        self.tried = tuple(tried)


class ChecksumError(RuntimeError):
    """A file is not the one that its manifest names."""


class StoreError(OSError):
    """A folder of models cannot be written; in words."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A zoo model and where it is now.

    Attributes:
        bytes: size of the file, where known.
        place: ``file`` (shipped), ``store``, ``mirror``, ``server`` when it runs on one, or None
            when it is not on this machine.
        path: the file, or None.
    """

    name: str
    task: str
    summary: str
    licence: str
    bytes: int | None
    place: Place | None
    path: Path | None


def store() -> Path:
    """The local store: $MIRANTE_HOME/models, else ~/.cache/mirante/models."""
    return home("cache") / "models"


@cache
def of_process() -> Path:
    """Return a folder for what cannot be kept: this process has it alone, and removes it.

    Raises:
        OSError: there is no place for temporary files either.
    """
    folder = Path(tempfile.mkdtemp(prefix="mirante-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def mirror() -> Path | None:
    """The folder that MIRANTE_MODEL_MIRROR names."""
    name = os.environ.get("MIRANTE_MODEL_MIRROR")
    return Path(name) if name else None


def default_mirror() -> Path | None:
    """MIRANTE_MODEL_MIRROR, else shared/models beside the repository's checkout where there is one.

    Only tests and the command line use it, to set the variable.
    """
    beside = ZOO.parents[2] / "shared" / "models"
    return mirror() or (beside if beside.is_dir() else None)


def use_default_mirror() -> None:
    """Sets MIRANTE_MODEL_MIRROR to the default mirror, where there is one."""
    if (folder := default_mirror()) is not None:
        os.environ["MIRANTE_MODEL_MIRROR"] = str(folder)


def resolve_file(
    manifest: Manifest, progress: Progress | None = None, tried: list[str] | None = None
) -> Path:
    """The model's file, its checksum verified; downloaded into the store where need be.

    A file with a wrong checksum is refused, and removed if it is in the store; the search continues
    with the next place.

    Args:
        manifest: the model's.
        progress: called with (bytes so far, bytes in all or None) while downloading.
        tried: gets a line for each place where the file is not, as soon as that is known.

    Raises:
        ModelUnavailableError: naming every place that was tried; or the model is on a server.
    """
    if manifest.server is not None:
        raise ModelUnavailableError(f"model {manifest.name}: runs on a server, there is no file")
    tried = [] if tried is None else tried
    for place, path in _places(manifest):
        if _accept(manifest, place, path, tried):
            return path
    if mirror() is None:
        tried.append("mirror: MIRANTE_MODEL_MIRROR is not set")
    if manifest.url:
        tried.append(f"{manifest.url}: not finished")
        try:
            return _fetched(manifest, progress)
        except (OSError, HTTPException, ChecksumError, ValueError) as error:  # or a wrong proxy
            tried[-1] = f"{manifest.url}: {error}"
    else:
        tried.append("URL: none, the file is not published as it is")
    raise ModelUnavailableError(_nowhere(manifest, tried), tried)


def is_here(manifest: Manifest) -> bool:
    """Return True if the file is on this machine and intact; log a damaged one, and leave it."""
    return manifest.server is not None or any(
        _accept(manifest, place, path, [], removes=False) for place, path in _places(manifest)
    )


def pull(name: str, progress: Progress | None = None) -> Path:
    """Puts a model's file into the store, from the mirror or its URL, unless it is shipped.

    Raises:
        ManifestError: no such model.
        ModelUnavailableError: as ``resolve_file``.
    """
    manifest = find(name)
    path = resolve_file(manifest, progress)
    if mirror() is None or path.parent != mirror():
        return path
    total = path.stat().st_size
    with path.open("rb") as source:
        return _keep(manifest, source, total, progress, store())


def show(name: str) -> tuple[Manifest, Listing]:
    """The manifest of a zoo model or of a path, and where its file is now.

    Raises:
        ManifestError: no such model.
    """
    manifest = find(name)
    return manifest, listing_of(manifest)


def listing_of(manifest: Manifest) -> Listing:
    """Return where the file of a model is now."""
    found = next(((p, path) for p, path in _places(manifest) if path.is_file()), None)
    place, path = found or ("server" if manifest.server else None, None)
    size = path.stat().st_size if path else manifest.bytes
    return Listing(
        manifest.name, manifest.tasks, manifest.summary, manifest.licence, size, place, path
    )


def list_models() -> list[Listing]:
    """The zoo, and where each of its files is now. Nothing is read or verified."""
    return [show(name)[1] for name in zoo_names()]


def _places(manifest: Manifest) -> list[tuple[Place, Path]]:
    """Return the places where the file may lie on this machine, in order."""
    if manifest.server is not None:
        return []
    name = Path(manifest.file).name
    places: list[tuple[Place, Path]] = []
    if manifest.folder is not None:
        places.append(("file", manifest.folder / manifest.file))
    places.append(("store", store() / name))
    if (folder := mirror()) is not None:
        places += [("mirror", folder / other) for other in (name, *manifest.aliases)]
    return places


def _accept(
    manifest: Manifest, place: Place, path: Path, tried: list[str], *, removes: bool = True
) -> bool:
    try:
        if not path.is_file():
            tried.append(f"{place} {path}: no such file")
            return False
        if manifest.sha256 is None:
            return True
        with path.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        tried.append(f"{place} {path}: {error.strerror}")
        return False
    if got == manifest.sha256:
        return True
    removed = ""
    if place == "store" and removes:
        try:
            path.unlink(missing_ok=True)
            removed = ", removed"
        except OSError as error:
            removed = f", and cannot be removed: {error.strerror}"
    tried.append(f"{place} {path}: {_mismatch(manifest, got)}{removed}")
    log.warning("model %s: refused %s", manifest.name, tried[-1])
    return False


def _mismatch(manifest: Manifest, got: str) -> str:
    return f"wrong checksum: expected sha256 {manifest.sha256}, got {got}"


def _fetched(manifest: Manifest, progress: Progress | None) -> Path:
    """Download into the store, or for this process alone where the store cannot be written."""
    try:
        return _download(manifest, progress, store())
    except StoreError as error:
        kept = of_process() / Path(manifest.file).name
        if kept.is_file():
            return kept
        log.warning("model %s: %s; it is fetched for this process alone", manifest.name, error)
        return _download(manifest, progress, of_process())


def _download(manifest: Manifest, progress: Progress | None, folder: Path) -> Path:
    assert manifest.url is not None
    log.info("model %s: downloading %s", manifest.name, manifest.url)
    # The manifest allows http and https only.
    with urllib.request.urlopen(manifest.url, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        length = answer.headers.get("Content-Length")
        return _keep(manifest, answer, int(length) if length else manifest.bytes, progress, folder)


def _keep(
    manifest: Manifest,
    source: BufferedIOBase,
    total: int | None,
    progress: Progress | None,
    folder: Path,
) -> Path:
    """Copies into a folder under another name, verifies, renames: no partial file ever stays."""
    target = folder / Path(manifest.file).name
    digest, done = hashlib.sha256(), 0
    part = _begin(folder)
    _parts.add(part)
    try:
        with part.open("wb", buffering=0) as file:
            # A piece as it comes: a server that trickles is not waited for to fill a whole one.
            while (total is None or done < total) and (chunk := source.read1(_CHUNK)):
                _write(folder, file, chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if total is not None and done != total:
            raise OSError(f"incomplete: {done} of {total} bytes")
        if manifest.sha256 not in (None, digest.hexdigest()):
            raise ChecksumError(_mismatch(manifest, digest.hexdigest()))
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        _parts.discard(part)
    return target


def _begin(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
    os.close(handle)
    return Path(name)


def _write(folder: Path, file: FileIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}") from error


@atexit.register
def _remove_parts() -> None:
    for part in list(_parts):
        part.unlink(missing_ok=True)


def _nowhere(manifest: Manifest, tried: list[str]) -> str:
    file = Path(manifest.file).name
    ways = [f"put {file} into {store()}", "set MIRANTE_MODEL_MIRROR to a folder that holds it"]
    if manifest.obtain:
        ways.insert(0, manifest.obtain)
    lines = "\n".join(f"  - {line}" for line in tried)
    where = f"model {manifest.name}: {file} is not available anywhere"
    return f"{where}\n{lines}\nTo get it: {'; or '.join(ways)}."
