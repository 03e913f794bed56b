"""Models that travel to workers: named by what they hold, put where workers fetch them.

``fleet/NAME@DIGEST`` names a model for ever: the digest is that of its manifest, which names the
digest of its file. Both are blobs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from engines.files import digest_of
from engines.manifest import Manifest, find
from engines.store.models import resolve_file, show
from pipeline.control.blob_places import BlobError, BlobPlace, digest_of_bytes

SUFFIXES = (".onnx", ".tflite")  # of networks that are one file
MOST_MANIFEST = 1 << 20  # bytes
_LOCAL = ("url", "aliases", "obtain", "source")  # what a manifest says of other places


class Pinned(NamedTuple):
    """A model that travels.

    Attributes:
        name: its manifest's.
        digest: SHA-256 of the manifest that is there, in hexadecimal digits.
    """

    name: str
    digest: str

    def __str__(self) -> str:
        return f"fleet/{self.name}@{self.digest}"


def pinned(model: str) -> Pinned | None:
    """Read what a stage calls a model; None where it is not one that travels."""
    found = re.fullmatch(r"fleet/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})@([0-9a-f]{64})", model)
    return Pinned(found[1], found[2]) if found else None


def must_travel(model: str) -> bool:
    """Return whether other machines cannot get a model by its name: it is a path's, or the zoo's
    and not published.

    Raises:
        ManifestError: no such model.
    """
    if pinned(model) is not None:
        return False
    manifest, listing = show(model)
    is_path = model.endswith((".yaml", ".yml"))
    return manifest.server is None and (is_path or (not manifest.url and listing.place != "file"))


def carry(place: BlobPlace, model: str) -> Pinned:
    """Put a model of this machine where workers fetch it, unless it is there; return its name.

    Args:
        place: where to.
        model: zoo name, or path of a manifest.

    Raises:
        ManifestError, ModelUnavailableError: there is none, or its file is not here.
        BlobError: it is not one file, or the place does not take it.
    """
    manifest = find(model)
    file = resolve_file(manifest)
    text = _packed(model, manifest, file)
    name = Pinned(manifest.name, digest_of_bytes(text))
    digest = digest_of(file)
    if not place.has(digest):
        place.put(digest, file)
    if not place.has(name.digest):  # last: whoever finds it finds the file too
        with tempfile.TemporaryDirectory() as folder:
            about = Path(folder) / f"{manifest.name}.yaml"
            about.write_bytes(text)
            place.put(name.digest, about)
    return name


def carried(place: BlobPlace, stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the stages of a camera, each ``model`` that must travel by its name for that, put
    where workers fetch it.

    Raises:
        ManifestError, ModelUnavailableError, BlobError: as of ``carry``.
    """
    return [
        {**stage, "model": str(carry(place, stage["model"]))}
        if isinstance(stage.get("model"), str) and must_travel(stage["model"])
        else stage
        for stage in stages
    ]


def file_of(place: BlobPlace, digest: str) -> str:
    """Return the digest of the file that a manifest which is there names.

    Raises:
        BlobError: the manifest is not there, or is none.
    """
    return str(read_about(b"".join(place.read(digest)), digest)["sha256"])


def read_about(text: bytes, digest: str) -> dict[str, Any]:
    """Read a manifest that was fetched.

    Raises:
        BlobError: its digest is another, or it is none that ``carry`` put there.
    """
    if (got := digest_of_bytes(text)) != digest:
        raise BlobError(f"wrong hash: expected sha256 {digest}, got {got}")
    about = yaml.safe_load(text)
    is_one = isinstance(about, dict) and all(key in about for key in ("file", "sha256", "bytes"))
    if not is_one or Path(str(about["file"])).name != about["file"]:
        raise BlobError("it is not the manifest of a model")
    return dict(about)


def _packed(model: str, manifest: Manifest, file: Path) -> bytes:
    """Return the manifest as it travels: with the digest of its file, which lies beside it."""
    if file.suffix not in SUFFIXES:
        words = f"expected a network in one file ({', '.join(SUFFIXES)}), got {file.name}"
        raise BlobError(f"model {manifest.name}: {words}")
    if (beside := _named_in(file)) is not None:
        raise BlobError(
            f"model {manifest.name}: its weights are in {beside} beside {file.name}; expected one "
            "file: mirante models import makes one"
        )
    assert manifest.folder is not None
    is_path = model.endswith((".yaml", ".yml"))
    source = Path(model) if is_path else manifest.folder / f"{model}.yaml"
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    document = {key: value for key, value in document.items() if key not in _LOCAL}
    document |= {"file": file.name, "sha256": digest_of(file), "bytes": file.stat().st_size}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=True).encode()


def _named_in(file: Path) -> str | None:
    """Return a file beside a network's that the network names; None where there is none."""
    content = file.read_bytes()
    names = (path.name for path in file.parent.iterdir() if path != file and path.is_file())
    return next((name for name in names if len(name) > 4 and name.encode() in content), None)
