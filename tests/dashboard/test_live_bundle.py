"""One frame as a message: what passes as it is, what is put into other words, and its layout."""

from __future__ import annotations

from typing import get_args

import msgspec
import numpy as np
import pytest

from dashboard.live.bundle import make_bundle, unpack_picture
from mirante import Detections, FrameResult
from mirante.wire import encode
from mirante.wire.errors import WireError
from mirante.wire.framed import framed
from mirante.wire.masks import decode_mask
from mirante.wire.messages import MaskEncoding, MaskPart
from tests.support.bundles import band, masks_entry, unpacked

ENCODINGS = get_args(MaskEncoding)


def test_bits_picture_and_results_pass_byte_for_byte() -> None:
    entry = masks_entry("bits", band())
    bundle = make_bundle("gate", b"an image", b'{"as": "it is"}', entry)
    header, parts = unpacked(bundle.message(7, 3))
    assert parts == [b"an image", b'{"as": "it is"}', entry[b"m0"]]
    assert (header["type"], header["camera"]) == ("frame", "gate")
    assert (header["number"], header["skipped"]) == (7, 3)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_masks_of_every_encoding_arrive_as_bits_and_are_equal(encoding: str) -> None:
    small, large = band(30 * 5, 90), band(151, 91)
    bundle = make_bundle("gate", b"", b"{}", masks_entry(encoding, small, large))
    header, parts = unpacked(bundle.message(1, 0))
    described = [msgspec.convert(mask, MaskPart) for mask in header["masks"]]
    assert [part.encoding for part in described] == ["bits", "bits"]
    for part, data, mask in zip(described, parts[2:], (small, large), strict=True):
        read = decode_mask(part, data)
        assert part.labels == ["lane", "road"]
        assert read.xyxy == mask.xyxy
        assert np.array_equal(read.planes, mask.planes)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_mask_of_an_object_arrives_with_its_index(encoding: MaskEncoding) -> None:
    ones, ids = np.ones(2, np.float32), np.zeros(2, np.int32)
    found = Detections(np.zeros((2, 4), np.float32), ones, ids, ("face",)).with_masks([(1, band())])
    result = FrameResult("gate", 2, 1, 0, "arrival", 640, 360, found, (band(),))
    entry = encode(result, encoding).masks
    assert entry
    fields = {field.encode(): data for field, data in entry.items()}
    header, parts = unpacked(make_bundle("gate", b"", b"{}", fields).message(1, 0))
    assert [mask.get("object") for mask in header["masks"]] == [None, 1]
    bits = encode(result, "bits").masks
    assert bits
    assert parts[2] == parts[3] == bits["m1"]


def test_a_frame_without_masks_has_two_parts() -> None:
    header, parts = unpacked(make_bundle("gate", b"j", b"{}", None).message(1, 0))
    assert (header["masks"], len(parts)) == ([], 2)


def test_masks_that_are_damaged_are_refused() -> None:
    entry = masks_entry("rle", band())
    with pytest.raises(WireError):
        make_bundle("gate", b"", b"{}", entry | {b"m0": entry[b"m0"][:-3]})
    with pytest.raises(msgspec.MsgspecError):
        make_bundle("gate", b"", b"{}", entry | {b"json": b'{"masks": 7}'})


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "preview"),
        (b"\0\0\0\xff{}", "expected a header of 255 bytes, got 6 in all"),
        (framed({"camera": "gate", "seq": "one", "epoch": 1}), "seq"),
        (framed({"camera": "gate"}), "seq"),
    ],
)
def test_a_picture_that_is_none_is_refused_in_words(message: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack_picture(message)


def test_a_picture_is_its_header_and_its_jpeg() -> None:
    head, jpeg = unpack_picture(framed({"camera": "gate", "seq": 5, "epoch": 9, "x": 1}, b"jpeg"))
    assert (head.camera, head.seq, head.epoch, jpeg) == ("gate", 5, 9, b"jpeg")
