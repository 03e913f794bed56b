"""The folder in which machines of one kind share their engines: one builds, the others copy.

``<folder>/<key>`` is laid out as in a machine's own store. Whoever may write there can run code on
the machines that read it, as by any program.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from engines.store.engines import (
    ABOUT,
    MANIFEST,
    Engine,
    bench,
    publish,
    read_whole,
    to_disk,
)


def take(folder: Path, key: str) -> Engine | None:
    """Copy an engine into this machine's store; to be used under its lock.

    Returns:
        The engine; None where there is none, or a damaged one, which the log tells.

    Raises:
        OSError: the folder is not there, or cannot be read; or the store cannot be written.
    """
    _check(folder)
    there = folder / key
    if not (there / ABOUT).is_file():
        return None
    with bench(key) as part:
        for path in there.iterdir():
            if path.is_file():
                shutil.copyfile(path, part / path.name)
        found = read_whole(part)  # of what was copied: the network may fail too
        if found is None or found.about["key"] != key:
            return None
        for path in part.iterdir():
            if path.name not in (ABOUT, MANIFEST, *found.about["files"]):
                path.unlink()
        return replace(publish(key, part, found.about), fresh=False)


def leave(folder: Path, engine: Engine) -> None:
    """Copy an engine of this machine's store there, whole or not at all.

    Raises:
        OSError: the folder is not there, or cannot be written.
    """
    _check(folder)
    final = folder / engine.key
    if read_whole(final) is not None:
        return
    part = Path(tempfile.mkdtemp(prefix=f".{engine.key}.", dir=folder))
    try:
        for name in (ABOUT, MANIFEST, *engine.about["files"]):
            shutil.copyfile(engine.folder / name, part / name)
            to_disk(part / name)
        part.chmod(0o755)
        if final.exists():  # damaged
            final.replace(part.with_name(f"{part.name}.damaged"))
        part.replace(final)
    except OSError:
        if read_whole(final) is None:  # else another machine was faster
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(part.with_name(f"{part.name}.damaged"), ignore_errors=True)


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder that machines share, found none")
