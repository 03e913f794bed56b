"""Models that were fetched, on this machine: each whole or not there, and no more than a bound.

``$MIRANTE_HOME/models/fleet/DIGEST`` holds a manifest and its file. They are fetched into a folder
beside, compared with their digests and renamed, by one process of the machine while others wait.
Those that were not used for longest go first; none goes that a process uses, which a lock tells.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from engines.files import digest_of
from engines.store.engines import locked, to_disk
from engines.store.models import store
from pipeline.control.blob_places import BlobError, BlobPlace, digest_of_bytes
from pipeline.control.carried_models import MOST_MANIFEST, Pinned, read_about

USED = ".used"


def shelf() -> Path:
    """Return the folder of models that were fetched."""
    return store() / "fleet"


class BlobStore:
    """The models that were fetched, and those that this process uses.

    Args:
        places: where they are fetched from: the first that has one is asked for it.
        max_bytes: maximum size of all on this machine.
        gives_up: whether a file that is on its way is to be given up.
    """

    def __init__(
        self,
        places: Sequence[BlobPlace],
        max_bytes: int,
        gives_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._places, self._max_bytes, self._gives_up = places, max_bytes, gives_up
        self._used: dict[str, IO[bytes]] = {}
        self._compared: set[str] = set()  # digests of models that were found whole here

    def find(self, model: Pinned) -> Path | None:
        """Return the manifest of a model that is here, which this process uses from now on; None
        where it is not here, or not compared yet: ``fetch`` does that.
        """
        if model.digest in self._used:
            return _manifest(model)
        try:
            if model.digest not in self._compared or not _is_here(model):
                return None
            self._use(model.digest)
        except FileNotFoundError:  # removed meanwhile
            return None
        return _manifest(model)

    def fetch(self, model: Pinned) -> None:
        """Fetch a model, unless it is here, whole; blocks.

        Raises:
            BlobError: no place has it, or what it has is another; the store is full.
            OSError: the store cannot be written.
        """
        if not _is_whole(model):
            with locked("all", shelf()):  # one after another, so that the bound holds
                if not _is_whole(model):
                    self._fetch(model)
        self._compared.add(model.digest)

    def _fetch(self, model: Pinned) -> None:
        place = self._having(model)
        about_text = _bounded(place, model.digest, MOST_MANIFEST)
        about = read_about(about_text, model.digest)
        self._make_room(int(about["bytes"]) + len(about_text))
        with _draft(model.digest) as part:
            (part / f"{model.name}.yaml").write_bytes(about_text)
            path = part / str(about["file"])
            self._keep(place, str(about["sha256"]), int(about["bytes"]), path)
            (part / USED).touch()
            for path in (*part.iterdir(), part):
                to_disk(path)
            final = shelf() / model.digest
            shutil.rmtree(final, ignore_errors=True)  # damaged, else it had been found
            part.replace(final)
            to_disk(shelf())

    def release(self, but: set[str]) -> None:
        """Stop using all models but those of these digests."""
        for digest in self._used.keys() - but:
            self._used.pop(digest).close()

    def close(self) -> None:
        """Stop using all."""
        self.release(set())

    def _use(self, digest: str) -> None:
        path = shelf() / digest / USED
        with ExitStack() as closing:
            file = closing.enter_context(path.open("r+b"))
            fcntl.flock(file, fcntl.LOCK_SH)
            if path.stat().st_ino != os.fstat(file.fileno()).st_ino:  # removed while this waited
                raise FileNotFoundError(path)
            closing.pop_all()
        self._used[digest] = file
        os.utime(path)

    def _having(self, model: Pinned) -> BlobPlace:
        for place in self._places:
            if place.has(model.digest):
                return place
        names = " and ".join(place.name for place in self._places)
        raise BlobError(f"{names} does not have {model}; put it there: mirante fleet models put")

    def _keep(self, place: BlobPlace, digest: str, size: int, path: Path) -> None:
        """Write a file as it comes, and compare it.

        Raises:
            BlobError: it is another, or longer, or it is given up.
        """
        got, done = hashlib.sha256(), 0
        with path.open("xb") as file:
            for piece in place.read(digest):
                if self._gives_up():
                    raise BlobError(f"{path.name} is given up", is_away=True)
                done += len(piece)
                if done > size:
                    break
                got.update(piece)
                file.write(piece)
        if done != size or got.hexdigest() != digest:
            words = f"expected {size} bytes of sha256 {digest}, got {done} of {got.hexdigest()}"
            raise BlobError(f"{place.name}: refused {path.name}, wrong hash: {words}")

    def _make_room(self, needed: int) -> None:
        """Remove models that nobody uses until there is room, those not used for longest first.

        A disk may hold less than the bound: the volume of a pod, or one that is nearly full.
        """
        sizes = {each: _size(each) for each in shelf().glob("[0-9a-f]*") if each.is_dir()}
        total = sum(sizes.values()) + needed
        held = total - needed + shutil.disk_usage(shelf()).free
        for folder in sorted(sizes, key=_used_at):
            if total <= min(self._max_bytes, held):
                break
            if _remove(folder):
                total -= sizes[folder]
        if total > held:
            words = f"{held / 2**20:.1f} MiB for models that travel, expected room for"
            raise BlobError(f"{shelf()}: the disk has {words} {total / 2**20:.1f} MiB")
        if total > self._max_bytes:
            raise BlobError(
                f"fleet.models_gib: {self._max_bytes / 2**30:.3g} — expected room for "
                f"{needed / 2**20:.1f} MiB beside the models that cameras of this machine use"
            )


def _manifest(model: Pinned) -> Path:
    return shelf() / model.digest / f"{model.name}.yaml"


def _is_here(model: Pinned) -> bool:
    """Return whether a model is here, its manifest intact."""
    try:
        return digest_of_bytes(_manifest(model).read_bytes()) == model.digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_whole(model: Pinned) -> bool:
    """Return whether a model is here, its file intact too, which takes a while to compare."""
    if not _is_here(model):
        return False
    about = read_about(_manifest(model).read_bytes(), model.digest)
    try:
        return digest_of(_manifest(model).with_name(str(about["file"]))) == str(about["sha256"])
    except FileNotFoundError:
        return False


@contextmanager
def _draft(digest: str) -> Iterator[Path]:
    """A folder to fetch into, gone afterwards unless renamed; to be used under the lock.

    What killed processes left of the same model goes first.
    """
    for left in shelf().glob(f".{digest}.*"):
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{digest}.", dir=shelf()))
    try:
        part.chmod(0o755)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _bounded(place: BlobPlace, digest: str, most: int) -> bytes:
    data = b""
    for piece in place.read(digest):
        data += piece
        if len(data) > most:
            raise BlobError(f"{place.name}: {digest} is not a manifest: more than {most} bytes")
    return data


def _remove(folder: Path) -> bool:
    """Remove a model unless a process uses it; return whether it is gone."""
    try:
        with (folder / USED).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = folder.with_name(f".{folder.name}.gone")
            folder.replace(gone)  # at once, for whoever looks for it now
    except BlockingIOError:
        return False
    except OSError:  # a damaged one
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)
    return not folder.exists()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _used_at(folder: Path) -> float:
    try:
        return (folder / USED).stat().st_mtime
    except OSError:
        return 0.0
