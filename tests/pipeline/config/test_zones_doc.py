"""The configurations of the page on objects are ones."""

from __future__ import annotations

import re

import pytest

from mirante.zones.rules import read_rules
from pipeline.config.load import parse_settings
from tests.support import ROOT

PAGE = (ROOT / "docs" / "objects.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Zones and lines\n")[2].partition("\n## ")[0]
CONFIGURATIONS = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
BLOCKS = [each for each in CONFIGURATIONS if "- zones:" in each]


def test_all_others_are_configurations_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{(\w+)\}", PAGE):
        monkeypatch.setenv(name, "x")
    for block in CONFIGURATIONS:
        if block.startswith("cameras:"):
            assert len(parse_settings(block).cameras) == 1


@pytest.mark.parametrize("block", BLOCKS, ids=["shop", "road"])
def test_an_example_is_a_configuration(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_PASSWORD", "ROAD_PASSWORD"):
        monkeypatch.setenv(name, "x")
    (camera,) = parse_settings(block).cameras.values()
    (stage,) = [each for each in camera.stages or () if each.key() == "zones"]
    assert read_rules(stage.live["zones"]).lines


def test_every_key_is_explained() -> None:
    keys = [name for rule in ("Rule", "Zone", "Line") for name in _fields(rule)]
    assert [name for name in keys if f"`{name}" not in SECTION and f"{name}:" not in SECTION] == []


def _fields(rule: str) -> list[str]:
    import mirante.zones.rules

    return list(getattr(mirante.zones.rules, rule).__struct_encode_fields__)
