"""The values of the chart: each is described, its default is right, and what is not is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from pipeline.config.settings import Settings
from tests.support.chart import CHART, EXAMPLES, render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
BAD = yaml.safe_load(Path(__file__).with_name("bad_values.yaml").read_text(encoding="utf-8"))
OF_THE_CHART = {"worker", "metrics", "dashboard", "cameras"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to beside what it says itself."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    return {**resolved(SCHEMA["definitions"][reference]), **schema} if reference else schema


def nodes(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each key that there may be, with what is said of it."""
    schema = resolved(schema)
    for key, inner in (schema.get("properties", {}) | schema.get("patternProperties", {})).items():
        yield f"{place}.{key}", inner
        yield from nodes(f"{place}.{key}", inner)
    if isinstance(schema.get("items"), dict):
        yield from nodes(f"{place}[]", schema["items"])


def test_each_value_is_described_and_nothing_else_is_taken() -> None:
    assert [place for place, schema in nodes("", SCHEMA) if not schema.get("description")] == []
    free = {".global", ".cameras.^(0|[1-9][0-9]{0,2})$.^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
    free |= {
        f".config.{key}" for key in SCHEMA["properties"]["config"]["properties"] if key != "redis"
    }
    free |= {".config.redis.retention"}
    for place, schema in [("", SCHEMA), *nodes("", SCHEMA)]:
        whole = resolved(schema)
        if whole.get("type") == "object" and place not in free:
            assert whole.get("additionalProperties") in (False, {"type": "string"}), place


def test_the_file_of_values_has_every_key_and_is_right() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft7Validator(SCHEMA).iter_errors(VALUES)] == []

    def compare(schema: dict[str, Any], values: Any, place: str) -> None:
        properties = resolved(schema).get("properties", {})
        keys = set(properties) - {"global"}
        if not keys or place.endswith((".resources", ".config")) or not isinstance(values, dict):
            return
        assert keys == set(values), place
        for key in keys:
            compare(properties[key], values[key], f"{place}.{key}")

    compare(SCHEMA, VALUES, "")


def test_the_keys_of_a_workers_file_are_ours() -> None:
    keys = set(SCHEMA["properties"]["config"]["properties"])
    assert keys <= set(Settings.model_fields) - OF_THE_CHART
    assert set(Settings.model_fields) - OF_THE_CHART <= keys


def test_the_page_names_what_is_there() -> None:
    page = (CHART / "README.md").read_text()
    named = set(re.findall(r"values-([a-z]+)\.yaml", page))
    assert named == set(EXAMPLES)


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    cases = {str(number): row["values"] for number, row in enumerate(BAD)}
    return render(cases | {"right": {}})


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_values_are_refused(answers: dict[str, Any], number: int) -> None:
    assert "rendered" in answers["right"]
    said = answers[str(number)].get("refused", "taken as it is")
    assert [words for words in BAD[number]["says"] if words not in said] == [], said
    assert "hunter2" not in said
