"""How the heads of a model are read on a GPU: which kernels take the place of a decoder's first
steps, and what the decoder makes of what they leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from engines.cuda.around import Bytes, Read
from engines.cuda.read_masks import MaskReader
from engines.cuda.read_rows import RowReader
from engines.decoders import Spec
from engines.found import Found
from engines.head import Head
from engines.placement import Placement
from engines.runtimes import TensorInfo

MASKS = ("argmax", "sigmoid")
ROWS = ("yolov5", "yolov8", "yolox")


class Reader(Protocol):
    """The reading of one head."""

    def read(self, at: Placement) -> Read:
        """Return what is read for an image that lies so in the input."""

    def found(self, kept: Bytes, at: Placement) -> Found:
        """Return what the head finds, from the bytes that came back.

        Raises:
            RuntimeError: values that were read are not finite.
        """


def readers_of(
    model: str,
    heads: Sequence[tuple[Head, Spec]],
    outputs: Mapping[str, TensorInfo],
) -> tuple[Reader, ...]:
    """Return a reader for each head; none where the outputs are to come to the host.

    That is so where a decoder has no kernel, as for all but ``MASKS`` and ``ROWS``; where outputs
    are of sizes that are not known before, or no floats; and where a head does not fit its outputs,
    which its decoder then says.

    Args:
        model: its name, for errors.
        heads: of the model, each with what its decoder knows.
        outputs: of the network.
    """
    found = [_reader(model, head, spec, outputs) for head, spec in heads]
    readers = tuple(each for each in found if each is not None)
    return readers if len(readers) == len(found) else ()


def _reader(model: str, head: Head, spec: Spec, outputs: Mapping[str, TensorInfo]) -> Reader | None:
    if head.decoder in MASKS:
        return MaskReader.of(model, head, spec, outputs)
    if head.decoder in ROWS:
        return RowReader.of(model, head, spec, outputs)
    return None
