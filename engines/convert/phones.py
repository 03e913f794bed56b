"""Files for phones: LiteRT's and ExecuTorch's, made of a model's own framework and proved equal."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.builder.derived import derive, write
from engines.convert import ConvertError
from engines.convert.asked import Asked, InputKeys
from engines.convert.from_torch import TorchNetwork
from engines.convert.gaps import compared, limits_of, output_gaps, refuse, task_gaps
from engines.convert.network import EXACT, AsSession, Runs
from engines.convert.shown import feeds_of, noise, pictures_of
from engines.convert.sources import open_network
from engines.files import digest_of, write_whole
from engines.made import network_of
from engines.manifest import Manifest, find
from engines.model import load
from engines.names import resolve
from engines.runtimes import open_session
from engines.runtimes.names import RUNTIMES

# Stands above this room, so it is found by name.
_REBUILD = "training.own:rebuild"
TARGETS = {
    "executorch": "engines.convert.to_executorch:to_executorch",
    "litert": "engines.convert.to_litert:to_litert",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was made, not yet judged.

    Attributes:
        library: what made it, with the version.
        suffix: of the file.
        run: what runs it here, its inputs and outputs named as the ONNX file's.
    """

    library: str
    suffix: str
    run: Runs


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that an export made.

    Attributes:
        file: for the phone.
        report: on parity with the ONNX file.
        manifest: that runs it here; None where no runtime here does.
        about: the report, as in the file.
    """

    file: Path
    report: Path
    manifest: Path | None
    about: Mapping[str, Any]


Maker = Callable[[Any, Manifest, Path], Made]


def export_model(
    model: str,
    to: str,
    out: Path,
    *,
    source: str | None = None,
    network: str | None = None,
    frames: str | None = None,
) -> Exported:
    """Makes a file for phones, and proves it equal to the model's ONNX file.

    It is made of the network in its own framework: our own networks are built again, imported ones
    are read where they were imported from.

    Args:
        model: zoo name, or path of a manifest.
        to: ``litert`` or ``executorch``.
        out: folder.
        source: the framework's file, or ``package.module:function``; None for what is known.
        network: what makes the module of a PyTorch state dict.
        frames: images to compare on; None for noise.

    Raises:
        ValueError: there is no such model or target, or its source is not known.
        ImportError: a library is missing; names the extra.
        ConvertError: the library cannot convert the network; its name, version and reason.
        GapError: the file computes something else than the ONNX file; by how much.
        OSError: images cannot be read, or ``out`` cannot be written.
    """
    maker: Maker = resolve("target", to, TARGETS)
    manifest, onnx = network_of(find(model))
    if manifest.runs_on != "onnxruntime":
        raise ValueError(f"model {manifest.name}: expected an ONNX file, got {manifest.file}")
    where, pictures = pictures_of(frames)
    told, made_of = _network(manifest, onnx, source, network)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as scratch:
        file = Path(scratch) / manifest.name
        made = maker(made_of, manifest, file)
        file = file.rename(file.with_name(f"{manifest.name}{made.suffix}"))
        about = {
            "name": manifest.name,
            "source": told,
            "library": made.library,
            "sha256": digest_of(file),
            "bytes": file.stat().st_size,
        } | _compared(manifest, onnx, made, pictures or noise(manifest.input.size), where)
        refuse(f"{manifest.name}{made.suffix} by {made.library}", onnx.name, about)
        return _publish(manifest, file, to, out, about)


def _compared(
    manifest: Manifest, onnx: Path, made: Made, shown: list[Any], where: str
) -> dict[str, Any]:
    session = open_session("onnxruntime", onnx, 1)
    gaps = output_gaps(session, made.run, feeds_of(manifest.input, session, shown), EXACT)
    phone = AsSession(made.run, session)
    task = task_gaps(manifest, (session, phone), shown, where, limits_of(EXACT))
    decoders = [part.decoder for part in manifest.parts]
    return compared(gaps, task, decoders, len(shown), where)


def _network(
    manifest: Manifest, onnx: Path, source: str | None, network: str | None
) -> tuple[str, Any]:
    """Return the network in its own framework, and in words where it comes from."""
    report = onnx.with_name(f"{manifest.name}.parity.json")
    if source is None and report.is_file():
        told = json.loads(report.read_text(encoding="utf-8"))["source"]
        source, network = told["is"], network or told["network"]
    asked = Asked(
        source=source or onnx.name,
        name=manifest.name,
        out=onnx.parent,
        size=manifest.input.size,
        input=InputKeys(name=manifest.input.name, layout=manifest.input.layout),
        network=network,
        dynamic="none",
    )
    if source is None:
        rebuilt = resolve("network", _REBUILD, {})(onnx)
        if rebuilt is None:
            raise ValueError(
                f"source: missing, and required: {manifest.name} is neither one of this project's "
                "networks nor imported by mirante models import; name its framework's file"
            )
        return f"{onnx.name}, built again", TorchNetwork(rebuilt, asked)
    found = open_network(asked)
    if found.framework in ("ONNX", "TF Lite"):
        raise ConvertError(
            f"{source}: {found.framework} is not converted for phones; name the file of the "
            "framework that it was made of with --source"
        )
    return source, found


def _publish(
    manifest: Manifest, file: Path, to: str, out: Path, about: Mapping[str, Any]
) -> Exported:
    """Moves all to where it belongs, the manifest last; LiteRT's is tried out before."""
    run_by = _manifest(manifest, file, to) if to in RUNTIMES else None
    target = out / file.name
    report = out / f"{manifest.name}-{to}.parity.json"
    file.replace(target)
    write_whole(report, (json.dumps(about, indent=1) + "\n").encode())
    if run_by is not None:
        run_by = run_by.replace(out / run_by.name)
    return Exported(target, report, run_by, about)


def _manifest(manifest: Manifest, file: Path, runtime: str) -> Path:
    keys = derive(manifest, manifest.input, runtime, file)
    keys["name"] = f"{manifest.name}-{runtime}"
    keys["source"] = f"{manifest.source or manifest.name}; mirante models export"
    path = write(file.parent, keys, f"{keys['name']}.yaml")
    load(str(path))
    return path
