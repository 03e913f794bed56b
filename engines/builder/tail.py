"""Cut a network's tail: selecting boxes is left to the decoders, as GPUs do not run it."""

from __future__ import annotations

from typing import Any

from engines.builder.builders import BuildError

# Outputs whose size depends on what is in the image: TensorRT refuses some, and of the others an
# engine cannot have its memory planned.
SELECTING = ("NonMaxSuppression", "NonZero", "Loop", "If", "Scan", "Unique", "Compress", "RoiAlign")
_PLUGINS = ("BatchedNMS", "EfficientNMS", "MultiscaleRoiAlign")


def check_tail(model: Any) -> None:
    """Refuses networks that select boxes inside the graph.

    Raises:
        BuildError: naming the nodes, and how to export the network without them.
    """
    found = [
        f"{node.op_type} {node.name or node.output[0]}"
        for node in model.graph.node
        if node.op_type in SELECTING or node.op_type.startswith(_PLUGINS)
    ]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise BuildError(
            f"the network selects boxes by itself ({', '.join(found[:3])}{more}), which TensorRT "
            "does not run: export it so that it ends at raw boxes and scores, without non-maximum "
            "suppression, and let the manifest's decoder (yolov8, yolox, …) select; or use "
            "--runtime onnxruntime, which runs it"
        )
