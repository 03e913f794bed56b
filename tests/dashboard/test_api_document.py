"""The OpenAPI document says what is so, and docs/api.md what works."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from dashboard.app import make_app, make_services
from mirante import Counts
from mirante.clips import Clip
from pipeline.config.clips import ClipsKept
from pipeline.control.clip_place import store_of
from pipeline.control.credentials import Credentials
from pipeline.control.rpc import Requests
from pipeline.control.trials import Trial, pack
from tests.support import ROOT
from tests.support.api_server import MASK, Bench
from tests.support.guarded_app import HOST, make_access
from tests.support.printed import printed
from tests.support.routes import CLIP

DOCUMENT = "/api/v1/openapi.json"
TEXT = (ROOT / "docs/api.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is served to everybody: no test may change it."""
    folder = tmp_path_factory.mktemp("document")
    access = make_access(folder)
    credentials = Credentials(folder / "credentials.json")
    services = make_services("redis://127.0.0.1:1", access.settings, access, credentials)
    with TestClient(make_app(services), base_url=HOST) as client:
        return dict(client.get(DOCUMENT).raise_for_status().json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield f"{method.upper()} {path}", item[method]


def check(document: dict[str, Any], schema: Any, value: object) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def examples(node: Any) -> Iterator[tuple[dict[str, Any], object]]:
    """Every example with the schema that it is of, wherever in the document."""
    if isinstance(node, list):
        for item in node:
            yield from examples(item)
    if not isinstance(node, dict):
        return
    if "schema" in node and "example" in node:
        yield node["schema"], node["example"]
    for each in node.get("examples", ()) if isinstance(node.get("examples"), list) else ():
        yield node, each
    for value in node.values():
        yield from examples(value)


@pytest.mark.slow
def test_every_example_is_true_to_its_schema(document: dict[str, Any]) -> None:
    found = list(examples(document))
    for schema, value in found:
        check(document, schema, value)
    assert len(found) > 15


def test_a_wrong_example_would_be_found(document: dict[str, Any]) -> None:
    wrong = document["components"]["schemas"]["Camera"]["examples"][0] | {"state": "fine"}
    with pytest.raises(jsonschema.ValidationError):
        check(document, document["components"]["schemas"]["Camera"], wrong)


def test_every_route_is_described(document: dict[str, Any]) -> None:
    assert document["info"]["title"] == "Mirante"
    names = []
    for route, operation in operations(document):
        assert operation.get("summary"), route
        assert operation.get("description"), route
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), route
        names.append(operation["operationId"])
    assert len(names) == len(set(names)) > 20


def test_every_body_and_answer_of_json_has_an_example(document: dict[str, Any]) -> None:
    for route, operation in operations(document):
        parts = [("200", "201"), operation["responses"]]
        contents = [parts[1][s] for s in parts[0] if s in parts[1]]
        contents += [operation["requestBody"]] if "requestBody" in operation else []
        for part in contents:
            if content := part.get("content", {}).get("application/json"):
                whole = json.dumps(_resolved(document, content))
                assert '"example' in whole, route


def _resolved(document: dict[str, Any], node: Any) -> Any:
    """With what ``$ref`` stands for."""
    if isinstance(node, list):
        return [_resolved(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return _resolved(document, document["components"]["schemas"][name])
    return {key: _resolved(document, value) for key, value in node.items()}


def keep_clip() -> str:
    """Keep a clip of gate where the dashboard reads it; return its ID."""
    clip = Clip(id=CLIP, camera="gate", began=1, ended=2, causes=[], codec="h264", size=(640, 360))
    draft = store_of(ClipsKept()).begin(clip)
    draft.video.write_bytes(b"video")
    draft.sidecar.write_bytes(b'{"frames":[]}')
    return draft.keep(clip, b"jpeg").id


@pytest.fixture
def street(bench: Bench) -> Iterator[Bench]:
    """The camera gate publishes and shows images; its worker answers trials."""
    over = threading.Event()
    trial = Trial(connected=True, words="test image 1280x720", seconds=0.5, jpeg=b"\xff\xd8")
    requests = Requests(bench.redis, "main", {"trial": lambda _request: pack(trial)})
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.worker(gate=Counts(1, 1, {}, 0))
    bench.status()

    def work() -> None:
        while not over.wait(0.05):
            bench.frame(masks=(MASK,))
            requests.poll()
            if bench.outbox.watched("gate"):
                head = {"camera": "gate", "epoch": 1000, "seq": 0}
                bench.outbox.preview("gate", b"\xff\xd8", head)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        bench.until(lambda: bench.camera()["state"] == "running" and bench.camera()["rate"])
        yield bench
    finally:
        over.set()
        thread.join()


def test_what_is_answered_is_true_to_its_schema(street: Bench) -> None:
    document = street.http.get(DOCUMENT).json()
    values = {"name": "gate", "camera": "gate", "clip": keep_clip()}
    seen = set()
    for route, operation in operations(document):
        method, _, path = route.partition(" ")
        content = operation["responses"].get("200", {}).get("content", {})
        if method != "GET" or "application/json" not in content:
            continue
        answer = street.http.get(path.format(**values), params={"masks": "true"})
        assert answer.status_code == 200, f"{route}: {answer.text}"
        check(document, content["application/json"]["schema"], answer.json())
        seen.add(operation["operationId"])
    assert seen >= {"list_cameras", "get_history", "get_timeline", "get_latest", "get_system"}


def test_the_calls_of_the_document_work(street: Bench, tmp_path: Path) -> None:
    assert len(SHELL) >= 4
    for block in SHELL:
        text = block.replace("http://127.0.0.1:8600", street.address)
        text = text.replace("curl ", "curl -sS --fail-with-body ")
        for command in re.split(r"(?<!\\)\n", text.strip()):
            if " -N " in command:
                assert_it_goes_on(command, tmp_path)
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            assert done.stdout or "-o" in command, command
            time.sleep(0.1)
    assert (tmp_path / "gate.jpg").read_bytes() == b"\xff\xd8"


def assert_it_goes_on(command: str, folder: Path) -> None:
    """A command prints something, however late, and does not end by itself."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            printed(process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        finally:
            process.kill()


@pytest.mark.parametrize(
    "name", ["cameras/{name}", "results/{camera}/stream", "/metrics", "/readyz", "/livez"]
)
def test_the_document_names_what_there_is(document: dict[str, Any], name: str) -> None:
    assert any(name in path for path in document["paths"])
    assert name.replace("{name}", "NAME").replace("{camera}", "NAME") in TEXT
