"""An import of a network with several tasks: its heads as asked, or as its outputs tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from engines.convert.describe import Reading, reading
from engines.convert.origins import ASSUMED, OPTION, Known
from engines.convert.recognise.evidence import Seen, Tensor
from engines.convert.recognise.several import Head, parted, several, with_output
from engines.convert.tidy import Picture
from engines.decoders import DECODERS
from engines.found import kind_of
from engines.runtimes import Session, TensorInfo, Tensors

# Keys of a head that stand in the manifest as they are in the file of heads.
_MORE = ("classes", "threshold", "thresholds", "iou", "skeleton", "keypoint_threshold")
_YOLOP = {"det_out", "drive_area_seg", "lane_line_seg"}


def of_heads(
    session: Session, ops: Mapping[str, str], picture: Picture, known: Known, feeds: Tensors
) -> Reading | None:
    """The heads of a network with several tasks; None for one with one task.

    Arguments: as of ``reading``. What the file of ``--heads`` leaves out is found out.

    Raises:
        RecogniseError, RefusalError, ValueError: as of ``reading``, of a head.
    """
    asked = known.asked
    if asked.heads is None and (asked.task is not None or asked.decoder != "auto"):
        return None
    outputs = session.run(feeds)
    tensors = tuple(Tensor(name, outputs[name], ops.get(name, "")) for name in session.outputs)
    seen = Seen(picture.size, asked.labels, tensors)
    if asked.heads is None:
        found = tuple(_found(head, known) for head in several(seen))
    else:
        seen_by = _Seen(session, ops, picture, feeds, seen)
        found = tuple(_asked(head, known, seen_by) for head in asked.heads)
    if not found:
        return None
    return Reading(
        "",
        ", ".join(head.decoder for head in found),
        {},
        tuple(dict.fromkeys(label for head in found for label in head.labels)),
        tuple(f"{head.task}: {'; '.join(head.reasons)}" for head in found),
        _family(seen, found),
        found[0].origin,
        heads=found,
    )


def _family(seen: Seen, heads: Sequence[Reading]) -> str:
    """YOLOP by the names of its outputs; else the family of a head that is of any."""
    if {tensor.name for tensor in seen.tensors} >= _YOLOP:
        return "yolop"
    return next((head.family for head in heads if head.family), "")


def _found(head: Head, known: Known) -> Reading:
    read, labels = head
    names = labels or tuple(f"class_{i}" for i in range(read.labels or 0))
    origin = known.labels if labels else ASSUMED
    return Reading(read.task, read.decoder, read.options, names, read.reasons, read.family, origin)


@dataclass(frozen=True)
class _Seen:
    """A network, and what one run of it gave."""

    session: Session
    ops: Mapping[str, str]
    picture: Picture
    feeds: Tensors
    seen: Seen


class _Some:
    """A session of which some outputs are there, computed already."""

    def __init__(self, session: Session, tensors: Sequence[Tensor]) -> None:
        self.inputs: Mapping[str, TensorInfo] = session.inputs
        self.outputs: Mapping[str, TensorInfo] = {
            tensor.name: session.outputs[tensor.name] for tensor in tensors
        }
        self._computed = {tensor.name: tensor.value for tensor in tensors}

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Return what was computed."""
        return dict(self._computed)


def _asked(head: Mapping[str, Any], known: Known, at: _Seen) -> Reading:
    """One head of the file of heads: planes are looked for in outputs that are such, else not."""
    kind = kind_of(head["task"])
    planes, others = parted(at.seen)
    own = (planes if kind.finds_masks and not kind.finds_boxes else others) or at.seen.tensors
    request = replace(
        known.asked,
        heads=None,
        task=head["task"],
        decoder=head.get("decoder", "auto"),
        options=head.get("options", {}),
        labels=head.get("labels"),
        keypoints=head.get("keypoints"),
    )
    some = _Some(at.session, own)
    how = reading(some, at.ops, at.picture, Known(request, OPTION, ()), at.feeds)
    options = how.options
    if how.decoder in DECODERS:
        options = with_output(how.decoder, options, own)
    more = {key: head[key] for key in _MORE if key in head}
    return replace(how, options=options, more=more)
