"""Each place that must know a stage kind knows the made-up one: run with its row in the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from dashboard.api.camera_keys import body_of
from engines.serving import Models
from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.config.documents import default_yaml, key_table, schema_json
from pipeline.config.load import parse_settings
from pipeline.config.messages import ConfigError
from pipeline.config.references import check_blur
from pipeline.config.stages import kinds
from pipeline.config.yaml_file import read_yaml
from pipeline.run_once import make_stages, run_once
from pipeline.worker.process import load_models
from pipeline.worker.redis_server import RedisServer
from plugins.stage import OwnStage
from tests.support.api_server import Bench, serving
from tests.support.tally_stage import Tally, TallyStage

YAML = """
cameras:
  gate:
    url: test://
    preview: {blur: [tallied]}
    stages:
      - {model: test-boxes}
      - {tally: red, side: left, model: test-lane}
      - {model: test-lane, on: tallied}
"""


@pytest.fixture
def camera() -> Camera:
    return parse_settings(YAML).cameras["gate"]


def lines(stages: str, blur: str = "") -> list[str]:
    text = f"cameras: {{gate: {{url: 'test://', stages: {stages}, preview: {{blur: [{blur}]}}}}}}"
    with pytest.raises(ConfigError) as wrong:
        parse_settings(text)
    return wrong.value.lines


def test_it_is_a_kind() -> None:
    assert list(kinds())[-1] == "tally"
    assert [kind.key() for kind in kinds().values()] == list(kinds())


def test_yaml(camera: Camera) -> None:
    stages = camera.stages or []
    assert [stage.name for stage in stages] == ["test-boxes", "red", "test-lane"]
    assert stages[1] == TallyStage(tally="red", side="left", model="test-lane", every_s=1.0)


def test_mistakes_in_yaml() -> None:
    assert lines("[{taly: red}]") == [
        'cameras.gate.stages[0].taly: unknown key — did you mean "tally"?'
    ]
    [line] = lines("[{}]")
    assert '"model: NAME" or "python: module:Class" or ' in line
    assert line.endswith(' or "tally: CLASS"')
    [line] = lines("[{tally: red, every_s: 0}]")
    assert line == "cameras.gate.stages[0].every_s: 0 — expected a number greater than 0"
    [line] = lines("[{tally: red, model: test-lame}]")
    assert line.startswith('cameras.gate.stages[0].model: "test-lame" — did you mean "test-lane"?')


def test_blur() -> None:
    [line] = lines("[{tally: red}]", "talied")
    assert line.endswith('did you mean "tallied"?')


def test_documents() -> None:
    commented = default_yaml().partition("cameras: {}\n")[2]
    example = "\n".join(line.removeprefix("#   ") for line in commented.splitlines())
    assert yaml.safe_load(example)["gate"]["stages"][-1] == {
        **{"tally": "person", "side": "left", "every_s": 1, "model": None}
    }
    assert (
        "| `cameras.NAME.stages[].side` | `left` | side that is counted; left or right |"
        in key_table()
    )
    schema = jsonschema.Draft202012Validator(json.loads(schema_json()))
    schema.validate(read_yaml(YAML)[0])
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(read_yaml(YAML.replace("left", "up"))[0])


def test_launch_text(camera: Camera) -> None:
    text = stages_text("gate", camera, 1)
    assert ' ! mirstage python="tests.support.tally_stage:Tally" options=' in text


def test_run_once(camera: Camera) -> None:
    made = make_stages((camera.stages or [])[:2], 1)
    assert isinstance(made[1][1], OwnStage)
    assert isinstance(made[1][1].stage, Tally)
    ran = run_once(made, np.zeros((48, 64, 3), np.uint8), (64, 48))
    assert isinstance(ran.result, FrameResult)
    assert list(ran.elapsed_ms) == ["0 test-boxes", "1 red"]


def test_models_of_a_worker(camera: Camera) -> None:
    assert [use.name for use in camera.models()] == ["test-boxes", "test-lane", "test-lane"]
    models = Models()
    loaded = load_models(parse_settings(YAML).cameras.values(), 1, models)
    assert (len(loaded), [each.name for each in models.in_use()]) == (
        3,
        ["test-boxes", "test-lane"],
    )


def test_a_swapped_model_has_its_place(camera: Camera) -> None:
    swapped = [stage.with_models(lambda name: f"{name}-2") for stage in camera.stages or ()]
    assert [use.name for stage in swapped for use in stage.models()] == [
        *("test-boxes-2", "test-lane-2", "test-lane-2")
    ]
    assert list(check_blur(["tallied"], camera.stages or (), "blur")) == []


def test_body_of_the_api() -> None:
    body = body_of({})["requestBody"]["content"]["application/json"]["schema"]
    listed, _ = body["properties"]["stages"]["anyOf"]  # or null
    stages = listed["items"]["oneOf"]
    assert [stage["title"] for stage in stages[:1] + stages[-1:]] == ["ModelStage", "TallyStage"]
    jsonschema.validate({"tally": "red", "side": "left"}, stages[-1])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with RedisServer(port=0) as server, serving(server, tmp_path_factory.mktemp("api")) as made:
        yield made


def test_api(bench: Bench) -> None:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    keys: dict[str, Any] = {"name": "gate", "url": "test://", "preview": {"blur": ["tallied"]}}
    wrong = keys | {"stages": [{"tally": "red", "model": "strete"}]}
    answer = bench.http.post("/api/v1/cameras", json=wrong)
    assert answer.json()["detail"] == ['gate.stages[0].model: "strete" — did you mean "street"?']
    right = keys | {"stages": [{"tally": "red", "model": "street"}]}
    assert bench.http.post("/api/v1/cameras", json=right).status_code == 201
    assert bench.camera()["models"] == ["street"]


def test_form(bench: Bench) -> None:
    *_, tally = bench.http.get("/api/v1/stages").json()
    assert (tally["kind"], tally["title"], tally["offered"]) == ("tally", "A tally", True)
    assert [(f["key"], f["label"], f["control"], f["required"]) for f in tally["fields"]] == [
        ("tally", "Counts", "class", True),
        ("side", "Side", "choice", False),
        ("every_s", "Every s", "number", False),
        ("model", "Told apart by", "model", False),
    ]
    assert tally["fields"][1]["choices"] == ["left", "right"]
    assert (tally["fields"][2]["minimum"], tally["fields"][2]["maximum"]) == (0, 60)
