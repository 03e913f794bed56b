"""Other weights into an engine that is there, instead of building it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.builder.builders import BuildError
from engines.files import write_whole
from engines.runtimes.tensorrt.library import Library


def refit(lib: Library, engine: Path, onnx: Path, out: Path) -> None:
    """Write an engine with the weights of a graph; seconds, where building it takes minutes.

    Args:
        lib: the library that built it.
        engine: its file, built to be given other weights; it stays as it is.
        onnx: a graph of the same structure.
        out: the file to write.

    Raises:
        BuildError: the library refuses the engine or the weights; says which are missing.
    """
    trt = lib.trt
    with lib.heard() as messages:

        def refused(what: str) -> BuildError:
            return BuildError("; ".join((f"{engine}: {what}", *messages)))

        found = trt.Runtime(lib.logger).deserialize_cuda_engine(engine.read_bytes())
        if found is None:
            raise refused("cannot be loaded")
        if not found.refittable:
            raise refused("was not built to take other weights")
        refitter = trt.Refitter(found, lib.logger)
        parser = trt.OnnxParserRefitter(refitter, lib.logger)
        if not parser.refit_from_file(str(onnx)):
            said = [parser.get_error(index).desc() for index in range(parser.num_errors)]
            raise refused("; ".join(("refuses the weights", *said)))
        if missing := list(refitter.get_missing_weights()):
            raise refused(f"{onnx} lacks the weights {', '.join(missing[:5])}")
        if not refitter.refit_cuda_engine():
            raise refused("could not be given the weights")
        write_whole(out, bytes(found.serialize_with_config(_whole(trt, found))))


def _whole(trt: Any, engine: Any) -> Any:
    """How it is written: with its weights, and so that it takes others again."""
    config = engine.create_serialization_config()
    config.clear_flag(trt.SerializationFlag.EXCLUDE_WEIGHTS)
    if hasattr(trt.SerializationFlag, "INCLUDE_REFIT"):  # 10.13 has no such flag
        config.set_flag(trt.SerializationFlag.INCLUDE_REFIT)
    return config
