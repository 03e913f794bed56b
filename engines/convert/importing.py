"""One call from a model of any framework to an ONNX file, its manifest and a report of parity."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.builder.frames import Rgb
from engines.builder.onnx_file import load_onnx
from engines.convert import ConvertError, origins
from engines.convert.as_it_is import keep_as_it_is
from engines.convert.asked import Asked
from engines.convert.describe import Reading
from engines.convert.described import Described, Facts, described, read_input
from engines.convert.from_tflite import TfliteNetwork
from engines.convert.gaps import compared, limits_of, output_gaps, refuse, task_gaps
from engines.convert.network import AsSession, Network, Runs, read_onnx
from engines.convert.one_image import one_image
from engines.convert.recognise import last_ops
from engines.convert.shown import feeds_of, noise, pictures_of
from engines.convert.sources import open_network
from engines.convert.tidy import open_batch, picture_input, settle
from engines.convert.told import told_by
from engines.convert.trial import MOST_S, Trial, tried
from engines.convert.watch import Watch, scratch_prefix
from engines.files import digest_of, write_whole
from engines.manifest import Manifest
from engines.model import load, session_of
from engines.runtimes import Tensors, open_session


@dataclass(frozen=True, slots=True)
class Imported:
    """The files that an import made.

    Attributes:
        manifest: its path; the model's file and the report lie beside it.
        onnx: the model's file; of TF Lite's where that was kept as it is.
        report: the report's.
        about: the report, as in the file.
        labels: the names of what is found.
        fed, origins: the manifest's ``input``, and where its keys and the labels came from.
        notes: what is to be known besides, a sentence each.
        trial: other ways of feeding it, on images that were named.
    """

    manifest: Path
    onnx: Path
    report: Path
    about: Mapping[str, Any]
    labels: tuple[str, ...]
    fed: Mapping[str, Any]
    origins: Mapping[str, str]
    notes: tuple[str, ...]
    trial: Trial | None


def import_model(asked: Asked, watch: Watch | None = None) -> Imported:
    """Converts a model, reads how it is decoded, and proves it equal to its source.

    Nothing is left behind unless all of it succeeds. A TF Lite file that cannot be converted, or
    whose outputs then differ, is kept as it is and run by LiteRT; where what is found in the images
    agrees all the same, the ONNX file is kept beside it, as NAME-onnx.

    Args:
        asked: the request.
        watch: told of the steps; None for one that raises between two of them when
            ``asked.time_limit`` is over.

    Raises:
        ValueError: what is asked does not fit the source, or no decoder fits its outputs.
        ImportError: a library is missing; names the extra.
        ConvertError: the framework or its exporter refuses, or the time is over.
        GapError: the ONNX file computes something else; by how much.
        OSError: images cannot be read, or ``out`` cannot be written.
    """
    watch = watch or Watch(asked.name, asked.time_limit)
    where, pictures = pictures_of(asked.frames)
    watch.at(f"loading {asked.source}")
    told = told_by(asked.source)
    known = origins.known(asked, told)
    asked = known.asked
    network = open_network(asked)
    facts = Facts(known, told, network.framework, where, pictures)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=scratch_prefix(), dir=asked.out) as scratch:
        folder, about = Path(scratch), None
        try:
            made, about = _converted(network, folder, facts, watch)
            refuse(asked.name, network.library, about)
        except ConvertError as error:
            if not isinstance(network, TfliteNetwork) or watch.is_over:
                raise
            watch.at("trying it as it is")
            made, kept = keep_as_it_is(network, folder, facts, (error, about))
            about = _source(asked, network) | kept
        watch.at("trying other ways of feeding it")
        most_s = min(MOST_S, watch.left_s / 2)
        session = session_of(made.manifest, 2)
        trial = tried(made.manifest, session, pictures, made.how.family, most_s)
        about |= {} if trial is None else {"tried": trial.to_dict()}
        paths = _publish(asked, folder, about)
        return Imported(*paths, about, made.how.labels, made.fed, made.origins, known.notes, trial)


def _converted(
    network: Network, folder: Path, facts: Facts, watch: Watch
) -> tuple[Described, dict[str, Any]]:
    """Write the ONNX file and its manifest, and compare it with its source."""
    asked = facts.known.asked
    onnx = folder / f"{asked.name}.onnx"
    watch.at("writing the ONNX file")
    network.write(onnx)
    source, model, said = one_image(network, read_onnx(onnx))
    picture = picture_input(model, asked)
    fed, _ = origins.fed(picture, asked, facts.told)
    watch.at("checking the graph")
    model = settle(model, picture, asked)
    load_onnx().save(model, str(onnx))
    shown = facts.pictures or noise(picture.size)
    feeds = feeds_of(read_input(fed), open_session("onnxruntime", onnx, 1), shown)
    watch.at("trying several images in a call")
    model, batch = open_batch(model, feeds, asked)
    load_onnx().save(model, str(onnx))
    watch.at("looking for its decoder")
    session = open_session("onnxruntime", onnx, 1)
    made = described(onnx, session, last_ops(model), picture, facts, shown)
    watch.at("comparing it with its source")
    about = _about(asked, network, onnx, model, made.how, batch) | _compared(
        made.manifest, (source, network.tolerance), onnx, made.feeds, shown, facts.where
    )
    about["onnx"]["by"] += said
    load(str(onnx.with_suffix(".yaml")))  # whatever does not fit is said here
    return made, about


def _source(asked: Asked, network: Network) -> dict[str, Any]:
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
    }


def _about(
    asked: Asked, network: Network, onnx: Path, model: Any, how: Reading, batch: str
) -> dict[str, Any]:
    return _source(asked, network) | {
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
    source: tuple[Runs, float],
    onnx: Path,
    feeds: list[Tensors],
    shown: list[Rgb],
    where: str,
) -> dict[str, Any]:
    session = open_session("onnxruntime", onnx, 2)
    network, tolerance = source
    gaps = output_gaps(network, session, feeds, tolerance)
    sessions = (AsSession(network, session), session)
    task = task_gaps(manifest, sessions, shown, where, limits_of(tolerance))
    decoders = [part.decoder for part in manifest.parts]
    return compared(gaps, task, decoders, len(shown), where)


def _publish(asked: Asked, folder: Path, about: Mapping[str, Any]) -> tuple[Path, Path, Path]:
    """Moves all to where it belongs, manifests last; manifest, model's file and report."""
    made = sorted(folder.iterdir(), key=lambda path: (path.suffix == ".yaml", path.name))
    report = asked.out / f"{asked.name}.parity.json"
    write_whole(report, (json.dumps(about, indent=1) + "\n").encode())
    for path in made:
        path.replace(asked.out / path.name)
    (file,) = (path.name for path in made if path.stem == asked.name and path.suffix != ".yaml")
    return asked.out / f"{asked.name}.yaml", asked.out / file, report
