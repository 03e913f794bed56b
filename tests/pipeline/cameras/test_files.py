"""What is missing of a file, from bytes that are written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.files import broken_at, end_of, missing
from pipeline.cameras.state import End, Fault


def box(kind: str, size: int, long: bool = False) -> bytes:
    if long:
        return b"\0\0\0\1" + kind.encode() + size.to_bytes(8, "big") + bytes(size - 16)
    return size.to_bytes(4, "big") + kind.encode() + bytes(size - 8)


FTYP, MOOV, MDAT = box("ftyp", 24), box("moov", 120), box("mdat", 1000)
WHOLE = FTYP + MOOV + MDAT
RIFF = b"RIFF" + (992).to_bytes(4, "little") + bytes(992)
EBML = b"\x1a\x45\xdf\xa3\x84" + bytes(4)
MKV = EBML + b"\x18\x53\x80\x67" + b"\x01\0\0\0\0\0\x01\0" + bytes(256)
LIVE = EBML + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7 + bytes(256)
INDEX = "its index (moov) is missing: it was not written to its end, or is cut"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE, ""),
        (FTYP + MDAT + MOOV, ""),
        (FTYP + MOOV + box("mdat", 1000, long=True), ""),
        (FTYP + MOOV + b"\0\0\0\0mdat" + bytes(500), ""),  # a box up to the end
        (WHOLE + box("moof", 80) + MDAT, ""),
        (WHOLE[:-300], "300 of its 1,144 bytes are missing"),
        (WHOLE + box("moof", 80) + MDAT[:900], "100 of its 2,224 bytes are missing"),
        (FTYP + box("mdat", 1000, long=True)[:700], INDEX),
        (FTYP + MDAT, INDEX),
        (FTYP + MOOV, "its data (mdat) is missing"),
        (RIFF, ""),
        (RIFF[:600], "400 of its 1,000 bytes are missing"),
        (MKV, ""),
        (MKV[:200], "77 of its 277 bytes are missing"),
        (LIVE[:200], ""),  # a recording that states no length
        (b"", ""),
        (b"hello", ""),
        (b"\x47" * 1880, ""),  # nobody can tell of a transport stream
    ],
)
def test_what_is_missing(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(content)
    assert missing(path) == words


def test_a_file_that_cannot_be_read_lacks_nothing_here(tmp_path: Path) -> None:
    assert missing(tmp_path / "none") == ""


def test_the_end_of_a_whole_file_of_a_cut_one_and_of_one_without_frames(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    whole.write_bytes(WHOLE)
    cut.write_bytes(WHOLE[:-300])
    assert end_of(whole, 80) == End(FaultCode.END_OF_FILE, "end of file")
    told = end_of(cut, 43)
    assert isinstance(told, End)
    assert told.code == FaultCode.FILE_CUT
    assert told.reason == (
        "end of a file that is cut: 300 of its 1,144 bytes are missing; 43 frames read"
    )
    for path, words in ((whole, "it has no frame"), (cut, "300 of its 1,144 bytes are missing")):
        assert end_of(path, 0) == Fault(FaultCode.UNREADABLE, f"not a readable video: {words}")
    assert end_of(None, 3).code == FaultCode.END_OF_FILE


def test_an_error_in_a_file_is_no_reason_to_connect_again(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(WHOLE[:-300])
    other = Fault(FaultCode.OTHER, "Internal data stream error.")
    told = broken_at(path, 12, other)
    assert isinstance(told, End)
    assert told.reason.endswith("12 frames read")
    path.write_bytes(WHOLE)
    told = broken_at(path, 12, other)
    assert told.code.needs_repair
    assert told.reason == "not a readable video: Internal data stream error; 12 frames were read"
    path.write_bytes(FTYP + MDAT)
    unreadable = Fault(FaultCode.UNREADABLE, "not a readable video: no moov")
    assert broken_at(path, 0, unreadable).reason == f"not a readable video: {INDEX}"
    failed = Fault(FaultCode.STAGE_FAILED, "mirinfer: RuntimeError")
    assert broken_at(path, 12, failed) is failed
