"""TF Lite files that are no ONNX file: kept as they are, and run by LiteRT."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.builder.onnx_file import load_onnx
from engines.convert import ConvertError
from engines.convert.described import Described, Facts, described
from engines.convert.from_tflite import TfliteNetwork
from engines.convert.gaps import compared, limits_of, task_gaps
from engines.convert.network import EXACT
from engines.convert.shown import noise
from engines.convert.tidy import picture_input
from engines.files import digest_of
from engines.model import load
from engines.runtimes import Session, open_session


def keep_as_it_is(
    network: TfliteNetwork,
    folder: Path,
    facts: Facts,
    instead: tuple[ConvertError, Mapping[str, Any] | None],
) -> tuple[Described, dict[str, Any]]:
    """Write NAME.tflite and its manifest into a folder; return that, and a report.

    An ONNX file that is there stays, as NAME-onnx, if the same is found by it.

    Args:
        network: the file, loaded.
        folder: where they are written.
        facts: what is known of it.
        instead: why it is no ONNX file, and the report of the one that was made, if any.

    Raises:
        ValueError: no decoder fits its outputs, or what is asked does not fit it.
    """
    asked = facts.known.asked
    why, converted = instead
    agrees = converted is not None and bool(converted["task"].get("agrees"))
    _set_apart(folder, asked.name, agrees)
    file = folder / f"{asked.name}.tflite"
    shutil.copyfile(network.path, file)
    session = open_session("litert", file, 1)
    picture = picture_input(_inputs(session), asked)
    shown = facts.pictures or noise(picture.size)
    made = described(file, session, {}, picture, facts, shown)
    load(str(file.with_suffix(".yaml")))
    task = task_gaps(made.manifest, (session, session), shown, facts.where, limits_of(EXACT))
    kept = {
        "because": str(why) if converted is None else _differs(converted),
        "sha256": digest_of(file),
        "bytes": file.stat().st_size,
        "beside": None,
    }
    if agrees and converted is not None:
        kept["beside"] = {key: converted[key] for key in ("onnx", "outputs", "task")}
    about = {
        "kept": kept,
        "decoder": {"name": made.how.decoder, "because": list(made.how.reasons)},
    }
    decoders = [part.decoder for part in made.manifest.parts]
    return made, about | compared({}, task, decoders, len(shown), facts.where)


def _differs(converted: Mapping[str, Any]) -> str:
    return f"the ONNX file differs: {'; '.join(converted['missed'])}"


def _set_apart(folder: Path, name: str, stays: bool) -> None:
    """Renames the ONNX file and its manifest to NAME-onnx, or removes them."""
    onnx, manifest = folder / f"{name}.onnx", folder / f"{name}.yaml"
    if stays:
        onnx = onnx.rename(folder / f"{name}-onnx.onnx")
        text = manifest.read_text(encoding="utf-8")
        text = text.replace(f"name: {name}\n", f"name: {onnx.stem}\n", 1)
        text = text.replace(f"\nfile: {name}.onnx\n", f"\nfile: {onnx.name}\n", 1)
        onnx.with_suffix(".yaml").write_text(text, encoding="utf-8")
    else:
        onnx.unlink(missing_ok=True)
    manifest.unlink(missing_ok=True)


def _inputs(session: Session) -> Any:
    """The session's inputs as an ``onnx.ModelProto`` has them, without a network."""
    onnx = load_onnx()
    kind_of = onnx.helper.np_dtype_to_tensor_dtype
    infos = [
        onnx.helper.make_tensor_value_info(name, kind_of(info.dtype), list(info.shape))
        for name, info in session.inputs.items()
    ]
    return onnx.helper.make_model(onnx.helper.make_graph([], "inputs", infos, []))
