"""The table of wrong configurations: each says all of its mistakes, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.load import load_settings
from pipeline.config.messages import ConfigError
from tests.support import ROOT

CASES = yaml.safe_load(Path(__file__).with_name("bad_configs.yaml").read_text(encoding="utf-8"))


def _name(case: dict[str, Any]) -> str:
    return str(case["says"][0]).partition(" ")[0]


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_says_exactly_what_is_wrong(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case.get("environment", {}).items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "mirante.yaml"
    file.write_text(case["config"], encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert [line.replace(str(file), "FILE") for line in raised.value.lines] == case["says"]
    assert raised.value.source == str(file)


def test_table_is_long_enough_and_each_case_is_its_own() -> None:
    assert len(CASES) >= 30
    assert len({str(case) for case in CASES}) == len(CASES)


def test_no_message_holds_a_secret() -> None:
    with_secret = [case for case in CASES if "hunter2" in str({**case, "says": ""})]
    assert len(with_secret) >= 8
    assert not [line for case in CASES for line in case["says"] if "hunter2" in line]


def test_page_shows_messages_that_are_true() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    shown = [
        line for line in page.splitlines() if " — " in line and not line.startswith(("|", "-"))
    ]
    assert len(shown) == 3
    assert set(shown) <= {line for case in CASES for line in case["says"]}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "byte 0 is not UTF-8 text"),
        (b"[" * 600, "nested too deeply"),
    ],
)
def test_file_that_cannot_be_read(content: bytes | None, line: str, tmp_path: Path) -> None:
    file = tmp_path / "mirante.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert raised.value.lines == [f"{file}: {line}"]
