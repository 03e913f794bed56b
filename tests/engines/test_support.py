from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import support_table as support


def test_the_documents_table_is_what_the_tests_have_seen() -> None:
    assert support.rendered() == support.DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "support.json"
    path.write_text(json.dumps({"U-Net | ONNX | litert | fp32": ""}))
    monkeypatch.setattr(support, "ROWS", path)
    monkeypatch.delenv("MIRANTE_RECORD", raising=False)
    return path


def test_a_row_that_the_table_lacks_fails_the_test(rows: Path) -> None:
    support.record("U-Net", "ONNX", "litert", "fp32")
    with pytest.raises(AssertionError, match=r"U-Net \| ONNX \| litert \| int8: not in"):
        support.record("U-Net", "ONNX", "litert", "int8")


def test_a_row_that_is_not_as_the_table_says_fails_the_test(rows: Path) -> None:
    with pytest.raises(AssertionError, match="the table says '', the test 'no such op'"):
        support.record("U-Net", "ONNX", "litert", "fp32", "no such op")


def test_rows_are_recorded_on_request(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRANTE_RECORD", "1")
    support.record("U-Net", "ONNX", "litert", "int8", "no such op")
    support.record("U-Net", "ONNX", "litert", "fp16")
    assert support.table().splitlines()[2:] == [
        "| U-Net | ONNX | `litert` | fp16, fp32 | yes |",
        "| U-Net | ONNX | `litert` | int8 | no: no such op |",
    ]
