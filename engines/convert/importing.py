"""One call from a model of any framework to an ONNX file, its manifest and a report of parity."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engines.builder.frames import Rgb
from engines.builder.onnx_file import load_onnx
from engines.convert import origins
from engines.convert.asked import Asked
from engines.convert.describe import Reading, reading, write_manifest
from engines.convert.gaps import compared, limits_of, output_gaps, refuse, task_gaps
from engines.convert.network import AsSession, Network, read_onnx
from engines.convert.shown import feeds_of, noise, pictures_of
from engines.convert.sources import open_network
from engines.convert.tidy import open_batch, picture_input, settle
from engines.convert.told import told_by
from engines.files import digest_of, write_whole
from engines.manifest import Input, Manifest, ManifestError, explain
from engines.model import load
from engines.runtimes import Tensors, open_session


@dataclass(frozen=True, slots=True)
class Imported:
    """The files that an import made.

    Attributes:
        manifest: its path; the ONNX file and the report lie beside it.
        onnx, report: their paths.
        about: the report, as in the file.
        labels: the names of what is found.
        fed, origins: the manifest's ``input``, and where its keys and the labels came from.
        notes: what is to be known besides, a sentence each.
    """

    manifest: Path
    onnx: Path
    report: Path
    about: Mapping[str, Any]
    labels: tuple[str, ...]
    fed: Mapping[str, Any]
    origins: Mapping[str, str]
    notes: tuple[str, ...]


def import_model(asked: Asked) -> Imported:
    """Converts a model, reads how it is decoded, and proves it equal to its source.

    Nothing is left behind unless all of it succeeds.

    Raises:
        ValueError: what is asked does not fit the source, or no decoder fits its outputs.
        ImportError: a library is missing; names the extra.
        ConvertError: the framework or its exporter refuses.
        GapError: the ONNX file computes something else; by how much.
        OSError: images cannot be read, or ``out`` cannot be written.
    """
    where, pictures = pictures_of(asked.frames)
    told = told_by(asked.source)
    known = origins.known(asked, told)
    asked = known.asked
    network = open_network(asked)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=asked.out) as scratch:
        onnx = Path(scratch) / f"{asked.name}.onnx"
        network.write(onnx)
        picture = picture_input(model := read_onnx(onnx), asked)
        fed, _ = origins.fed(picture, asked, told)
        model = settle(model, picture, asked)
        load_onnx().save(model, str(onnx))
        shown = pictures or noise(picture.size)
        feeds = feeds_of(_input(fed), open_session("onnxruntime", onnx, 1), shown)
        model, batch = open_batch(model, feeds, asked)
        load_onnx().save(model, str(onnx))
        how = reading(onnx, picture, known, feeds[0])
        fed, sources = origins.fed(picture, asked, told, how.family)
        sources |= {"labels": how.origin}
        feeds = feeds_of(_input(fed), open_session("onnxruntime", onnx, 1), shown)
        source = _told_source(asked, network, told.author)
        manifest = write_manifest(onnx, asked, fed, how, source, sources)
        about = _about(asked, network, onnx, model, how, batch) | _compared(
            manifest, network, onnx, feeds, shown, where
        )
        load(str(onnx.with_suffix(".yaml")))  # whatever does not fit is said here
        refuse(asked.name, network.library, about)
        return Imported(*_publish(asked, onnx, about), about, how.labels, fed, sources, known.notes)


def _told_source(asked: Asked, network: Network, author: str) -> str:
    """For the manifest: names, no paths of this machine."""
    name = Path(asked.source).name if Path(asked.source).exists() else asked.source
    made = f" in {asked.network}" if asked.network else ""
    by = f" by {author:.80}" if author else ""
    return f"{name}{made}{by} ({network.framework}); mirante models import"


def _about(
    asked: Asked, network: Network, onnx: Path, model: Any, how: Reading, batch: str
) -> dict[str, Any]:
    path = Path(asked.source)
    return {
        "name": asked.name,
        "source": {
            "is": str(path.resolve()) if path.exists() else asked.source,
            "sha256": digest_of(path) if path.is_file() else None,
            "network": asked.network,
            "framework": network.framework,
            "library": network.library,
        },
        "onnx": {
            "by": network.how,
            "sha256": digest_of(onnx),
            "bytes": onnx.stat().st_size,
            "opset": max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")),
            "dynamic": asked.dynamic,
            "batch": batch,
        },
        "decoder": {"name": how.decoder, "because": list(how.reasons)},
    }


def _compared(
    manifest: Manifest,
    network: Network,
    onnx: Path,
    feeds: list[Tensors],
    shown: list[Rgb],
    where: str,
) -> dict[str, Any]:
    session = open_session("onnxruntime", onnx, 2)
    gaps = output_gaps(network, session, feeds, network.tolerance)
    sessions = (AsSession(network, session), session)
    task = task_gaps(manifest, sessions, shown, where, limits_of(network.tolerance))
    decoders = [part.decoder for part in manifest.parts]
    return compared(gaps, task, decoders, len(shown), where)


def _publish(asked: Asked, onnx: Path, about: Mapping[str, Any]) -> tuple[Path, Path, Path]:
    """Moves all to where it belongs, the manifest last; manifest, ONNX file and report."""
    manifest = onnx.with_suffix(".yaml")
    target = asked.out / onnx.name
    report = asked.out / f"{asked.name}.parity.json"
    onnx.replace(target)
    write_whole(report, (json.dumps(about, indent=1) + "\n").encode())
    manifest.replace(asked.out / manifest.name)
    return asked.out / manifest.name, target, report


def _input(keys: Mapping[str, Any]) -> Input:
    """Raises ManifestError, naming key, value and what was expected."""
    try:
        return Input.model_validate(keys)
    except ValidationError as error:
        raise ManifestError(f"input: {explain(error)}") from None
