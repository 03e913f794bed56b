"""An image and what was found in it, as one binary message of the WebSocket."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from mirante.wire.framed import framed, unframed
from mirante.wire.masks import check_parts, decode_mask, encode_mask
from mirante.wire.messages import MaskPart, MasksMessage

_read_masks = msgspec.json.Decoder(MasksMessage)


class PictureHead(msgspec.Struct, frozen=True):
    """The header of a message on a ``preview`` channel, as far as it is needed here."""

    camera: str
    seq: int
    epoch: int


_read_picture = msgspec.json.Decoder(PictureHead)


def unpack_picture(message: bytes) -> tuple[PictureHead, bytes]:
    """The header and the JPEG of a message on a ``preview`` channel.

    Raises:
        ValueError: it is not such a message.
    """
    try:
        header, jpeg = unframed(message)
        return _read_picture.decode(header), jpeg
    except (ValueError, RecursionError) as error:
        raise ValueError(f"preview: {error}") from None


@dataclass(frozen=True, slots=True)
class Bundle:
    """One frame for pages: its image and its results.

    Attributes:
        camera: the camera's name.
        masks: what the parts behind the second are; planes are packed bits and zlib.
        parts: the JPEG, the ``detections`` message as it is on the wire, and each mask's planes.
    """

    camera: str
    masks: tuple[MaskPart, ...]
    parts: tuple[bytes, ...]

    def message(self, number: int, skipped: int) -> bytes:
        """The message for one page.

        Args:
            number: of this bundle among those of its camera that the page was sent.
            skipped: bundles of the camera that the page was spared since the last.
        """
        header = {
            "type": "frame",
            "camera": self.camera,
            "number": number,
            "skipped": skipped,
            "parts": [len(part) for part in self.parts],
            "masks": self.masks,
        }
        return framed(header, *self.parts)


def make_bundle(
    camera: str, jpeg: bytes, detections: bytes, masks: dict[bytes, bytes] | None
) -> Bundle:
    """Puts a frame together; masks of other encodings become ``bits``, the one that pages know.

    Args:
        camera: the camera's name.
        jpeg: the image.
        detections: field ``json`` of its ``detections`` entry.
        masks: fields of its ``masks`` entry; None where there is none.

    Raises:
        WireError, msgspec.MsgspecError, RecursionError: the masks are not as the wire format says.
    """
    described = _read_masks.decode(masks[b"json"]).masks if masks else []
    check_parts(described)
    drawn = [as_bits(part, masks[part.field.encode()]) for part in described] if masks else []
    return Bundle(
        camera,
        tuple(part for part, _ in drawn),
        (jpeg, detections, *(planes for _, planes in drawn)),
    )


def as_bits(part: MaskPart, data: bytes) -> tuple[MaskPart, bytes]:
    """Return a mask of any encoding, its description and its bytes, in ``bits``.

    Raises:
        WireError: the bytes are not what the description says.
    """
    if part.encoding == "bits":
        return part, data
    return encode_mask(decode_mask(part, data), int(part.field[1:]), "bits")
