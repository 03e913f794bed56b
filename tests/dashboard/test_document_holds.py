"""The OpenAPI document is valid, and requests that are made of it are answered as it says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from dashboard.access import Access
from dashboard.app import make_app, make_services
from dashboard.services import Services
from pipeline.config.dashboard import Dashboard
from pipeline.control.credentials import Credentials
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.tokens import hashed

pytestmark = pytest.mark.redis

DOCUMENT = "/api/v1/openapi.json"
ADMIN = {"Authorization": "Bearer admin"}
CAMERAS = "/api/v1/cameras"
GATE = {"name": "gate", "url": "test://"}
# A network, a worker, or no end.
NEEDS_OTHERS = r"/(stream|discovery|test|snapshot\.jpg|swap|wake)$"
QUIET = settings(
    max_examples=2,
    stateful_step_count=6,
    database=None,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def site(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A dashboard with a camera, which takes a token; wrong ones are sent to every route."""
    monkeypatch.setattr("dashboard.access.attempts.Attempts.check", lambda *_: None)
    monkeypatch.setattr("dashboard.access.attempts.Attempts.begin", lambda *_: None)
    with serving(redis_server, tmp_path, tokens={"t": hashed("admin", role="admin")}) as made:
        made.http.headers.update(ADMIN)
        made.http.post(CAMERAS, json=GATE).raise_for_status()
        made.worker()
        yield made


def services(folder: Path, **dashboard: Any) -> Services:
    settings = Dashboard.model_validate(dashboard)
    credentials = Credentials(folder / "credentials.json")
    return make_services("redis://127.0.0.1:1", settings, Access(settings, folder), credentials)


class Documents(NamedTuple):
    """The documents served without a login and with one; tests must not change them."""

    open: dict[str, Any]
    closed: dict[str, Any]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """Of one application: what FastAPI documents of it, it works out once."""
    folder = tmp_path_factory.mktemp("documents")
    app = make_app(services(folder))
    is_open = app.openapi()
    app.state.services = services(folder, tokens={"t": {"sha256": "0" * 64}})
    return Documents(is_open, app.openapi())


def test_it_is_valid_and_complete(documents: Documents) -> None:
    found = documents.open
    assert found["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(found).validate()
    assert "prefixItems" not in repr(found)
    assert "HTTPValidationError" not in found["components"]["schemas"]
    for path, item in found["paths"].items():
        assert ("get" in item) == ("head" in item), path
        for method, operation in item.items():
            assert {"400", "401", "403", "421", "429"} <= operation["responses"].keys(), path
            if "requestBody" in operation:
                assert {"413", "422"} <= operation["responses"].keys(), path
            if operation["security"]:
                assert "503" in operation["responses"], path
                assert {} in operation["security"], "nobody needs to log in here"
            assert method != "head" or not any(
                "content" in answer for answer in operation["responses"].values()
            )
    closed = documents.closed["paths"]["/api/v1/cameras"]["get"]
    assert closed["security"] == [{"token": []}, {"session": []}]


def test_an_invalid_one_would_be_found(documents: Documents) -> None:
    livez = deepcopy(documents.open["paths"]["/livez"])
    parts = {"schemas": {"Refused": documents.open["components"]["schemas"]["Refused"]}}
    found = documents.open | {"paths": {"/livez": livez}, "components": parts}
    assert not list(OpenAPIV31SpecValidator(found).iter_errors())
    livez["get"]["parameters"] = [{"name": "x", "in": "nowhere"}]
    assert list(OpenAPIV31SpecValidator(found).iter_errors())


def read(site: Bench) -> Any:
    schema = schemathesis.openapi.from_url(f"{site.address}{DOCUMENT}", headers=ADMIN)
    return schema.exclude(path_regex=NEEDS_OTHERS).exclude(operation_id="make_clip")  # of a worker


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("right", "wrong"), [(2, 1), pytest.param(4, 4, marks=pytest.mark.full)])
def test_every_route_answers_as_it_says(
    site: Bench, caplog: pytest.LogCaptureFixture, right: int, wrong: int
) -> None:
    caplog.set_level(logging.ERROR)
    tried = set()
    for result in read(site).exclude(method="HEAD").get_all_operations():  # each is its GET
        operation = result.ok()

        def call(case: Any) -> None:
            case.call_and_validate(headers=ADMIN, excluded_checks=untold(case))

        asked = {GenerationMode.POSITIVE: right, GenerationMode.NEGATIVE: wrong}
        if not (operation.body or operation.query):
            del asked[GenerationMode.NEGATIVE]
        for mode, examples in asked.items():
            few = settings(QUIET, max_examples=examples)
            few(seed(7)(_given(operation, mode, call)))()
        tried.add(operation.label)
    assert len(tried) > 25
    assert not [record for record in caplog.records if record.exc_info]


def untold(case: Any) -> list[Any]:
    """Return the check that does not hold where a document cannot say what is accepted: two times
    that fit together, a filter's text.
    """
    is_such = case.path.endswith(("/counts", "/events"))
    return [positive_data_acceptance] if is_such else []


def _given(operation: Any, mode: Any, call: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy(generation_mode=mode))(call)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_what_is_made_is_found_and_what_is_removed_is_not(site: Bench) -> None:
    machine: Any = read(site).as_state_machine()

    class Admin(machine):
        def setup(self) -> None:
            for camera in site.http.get(CAMERAS).json():
                site.http.delete(f"{CAMERAS}/{camera['name']}").raise_for_status()
            site.http.post(CAMERAS, json=GATE).raise_for_status()

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": ADMIN}

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            if response.status_code != 422 or not untold(case):
                super().validate_response(response, case, **options)

    # Hypothesis tries an empty scenario first. Each other one begins anew: schemathesis draws from
    # earlier answers, and Hypothesis calls a beginning that goes on differently flaky.
    for number in range(4):
        seed(number)(Admin)
        Admin.run(settings=QUIET)


def test_head_and_the_methods_of_a_path(site: Bench) -> None:
    http = site.http
    for path in ("/api/v1/cameras", "/api/v1/cameras/gate", "/metrics", "/livez", "/"):
        head, whole = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        assert head.headers["content-type"] == whole.headers["content-type"]
    assert http.head("/api/v1/cameras/gat").status_code == 404
    assert http.head("/api/v1/results/gate/stream").status_code == 200  # and it ends
    for path, methods in (
        ("/api/v1/cameras", "GET, HEAD, POST"),
        ("/api/v1/cameras/gate", "DELETE, GET, HEAD, PATCH, PUT"),
        ("/api/v1/cameras/test", "POST"),
    ):
        answer = http.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "results/gate/latest?masks=yes", None, 422),
        ("GET", "cameras/gate/timeline?limit=5.0", None, 422),
        ("GET", "cameras/gate/history?seconds=%205", None, 422),
        ("PATCH", "cameras/gate", {"loop": "yes"}, 422),
        ("PATCH", "cameras/gate", {"loop": 1}, 422),
        ("PATCH", "cameras/gate", {"fps": "5"}, 422),
        ("PATCH", "cameras/gate", {"rotate": "90"}, 422),
        ("PATCH", "cameras/gate", {"watchdog_s": "5"}, 422),
        ("PATCH", "cameras/gate", {"url": 0}, 422),
        ("PATCH", "cameras/gate", {"crop": [0, 0, 1]}, 422),
        ("PATCH", "cameras/gate", {"crop": [1, 0, 0, 1]}, 409),
        ("PATCH", "cameras/gate", {"thermal_range": [9, 1]}, 409),
        ("PATCH", "cameras/gate", {"mask": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}, 409),
        ("PATCH", "cameras/gate", {"loop": True, "fps": 5, "crop": [0, 0, 1, 1]}, 200),
    ],
)
def test_types_are_as_json_has_them(
    site: Bench, method: str, path: str, body: Any, status: int
) -> None:
    answer = site.http.request(method, f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
