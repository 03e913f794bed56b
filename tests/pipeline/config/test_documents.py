"""The documents beside the code say what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.camera import Camera, CameraOptions, Preview
from pipeline.config.documents import TABLES, default_yaml, schema_json, with_tables
from pipeline.config.engine import Engine
from pipeline.config.load import load_settings
from pipeline.config.settings import Log, Metrics, Redis, Retention, Settings
from pipeline.config.stages import kinds
from tests.support import ROOT

DEFAULT, SCHEMA = ROOT / "configs" / "default.yaml", ROOT / "configs" / "schema.json"
PAGE = ROOT / "docs" / "configuration.md"
SECTIONS: list[type[BaseModel]] = [Settings, Redis, Retention, Metrics, Log, Engine]
SECTIONS += [CameraOptions, Camera, Preview, *kinds().values()]


def _missing(text: str) -> list[str]:
    """Keys of the models that ``text`` does not hold with their descriptions."""
    flat = " ".join(line.strip(" #") for line in text.splitlines())
    return [
        f"{section.__name__}.{name}"
        for section in SECTIONS
        for name, field in section.model_fields.items()
        if f"{name}" not in flat or str(field.description) not in flat
    ]


def test_documents_are_those_of_the_models() -> None:
    again = "run: python -m pipeline.config.documents"
    assert DEFAULT.read_text(encoding="utf-8") == default_yaml(), again
    assert SCHEMA.read_text(encoding="utf-8") == schema_json(), again
    for name in TABLES:
        page = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert page == with_tables(name, page), again


def test_default_yaml_holds_every_key_with_its_comment() -> None:
    assert _missing(DEFAULT.read_text(encoding="utf-8")) == []


def test_default_yaml_is_the_defaults() -> None:
    assert load_settings(DEFAULT).model_dump() == Settings().model_dump()


def test_every_default_is_written_out_and_equal() -> None:
    document = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    assert document == Settings().model_dump(mode="json")


def test_commented_camera_of_default_yaml_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, example = DEFAULT.read_text(encoding="utf-8").partition("cameras: {}\n")
    text = "\n".join(line.removeprefix("#   ") for line in example.splitlines())
    camera = Camera.model_validate(yaml.load(text, yaml.BaseLoader)["gate"] | {"stages": []})
    assert camera.url.scheme == "rtsp"
    stages = yaml.safe_load(text.replace(" on:", " 'on':"))["gate"]["stages"]
    assert [set(stage) for stage in stages] == [set(kind.model_fields) for kind in kinds().values()]


def test_page_names_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [name for section in SECTIONS for name in section.model_fields if name not in page]


def test_schema_accepts_the_files_and_refuses_a_typing_mistake() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    validator.validate(document)
    mistakes: list[dict[str, Any]] = [
        {"cameras": {"gate": {"url": "test://", "fsp": 3}}},
        {"camera": {}},
    ]
    for wrong in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(wrong)


def test_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREET_PASSWORD", "p/w")
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", "")
    monkeypatch.setattr("pipeline.config.stages.model.ModelStage.check_here", lambda *_: ())
    cameras = load_settings(ROOT / "configs" / "example.yaml").cameras
    assert cameras["street"].url.password == "p/w"
    assert cameras["street"].fps == 10
    assert cameras["test"].url.scheme == "test"


@pytest.mark.parametrize("path", [DEFAULT, ROOT / "configs" / "example.yaml"])
def test_editors_find_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema.json"
    assert (path.parent / first.rpartition("=")[2]).is_file()
