"""Float16, made in the graph: nvidia-modelopt's AutoCast decides node by node."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, inputs_of, shape_of
from engines.builder.onnx_file import load_onnx
from engines.builder.quiet import quiet

# Of which a rounding moves boxes by pixels: grids, sampling places and sizes stay float32.
KEPT = ("GridSample", "Range", "TopK", "ArgMax", "CumSum")


def to_float16(model: Any, feeds: Sequence[Feeds]) -> Any:
    """The network with float16 inside; inputs and outputs keep their types.

    Nodes whose values would leave float16's range on ``feeds`` stay float32, as do ``KEPT``.

    Args:
        model: of fixed sizes but for the batch.
        feeds: what it is fed for some images, batch 1.

    Raises:
        ImportError: nvidia-modelopt, or the torch that it imports, is missing.
        BuildError: AutoCast cannot convert it.
    """
    onnx = load_onnx()
    with quiet():
        try:
            from modelopt.onnx.autocast import convert_to_mixed_precision
        except ImportError as error:
            raise ImportError(
                f"fp16 is made by nvidia-modelopt, which is missing ({error}); "
                'pip install "mirante[build]"'
            ) from error
        _hush()
        with tempfile.TemporaryDirectory(prefix="mirante-fp16-") as folder:
            path, data = Path(folder) / "model.onnx", Path(folder) / "feeds.npz"
            onnx.save(model, path)
            np.savez(data, **_together(model, feeds))  # type: ignore[arg-type]
            try:
                half = convert_to_mixed_precision(
                    str(path),
                    keep_io_types=True,
                    calibration_data=str(data),
                    op_types_to_exclude=list(KEPT),
                )
            except Exception as error:  # it raises what its many parts raise
                said = " ".join(str(error).split()) or type(error).__name__
                raise BuildError(
                    f"fp16: AutoCast cannot convert the network: {said:.400}"
                ) from error
    return half


def _together(model: Any, feeds: Sequence[Feeds]) -> dict[str, NDArray[Any]]:
    """All in one call where the network takes several, else the first."""
    if all(shape_of(each)[:1] == (None,) for each in inputs_of(model).values()):
        return {name: np.concatenate([each[name] for each in feeds]) for name in feeds[0]}
    return dict(feeds[0])


def _hush() -> None:
    """Takes away its loggers' handlers and words: they go to standard output, at import too."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("modelopt"):
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.setLevel(logging.CRITICAL)
