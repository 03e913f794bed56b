"""Each place that must know a kind of source knows the made-up one: run with its row in the
table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dashboard.access import Access
from dashboard.app import make_app, make_services
from pipeline.cameras.faults import explain, hide
from pipeline.cameras.graph import camera_graph
from pipeline.cameras.reach import reach
from pipeline.cli.camera import app as camera_commands
from pipeline.cli.camera_trial import try_camera
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.config.dashboard import Dashboard
from pipeline.config.documents import default_yaml, key_table, schema_json, source_table
from pipeline.config.references import check_source
from pipeline.config.settings import Settings
from pipeline.control.credentials import Credentials
from pipeline.doctor import needs_of

SECRET = "made://127.0.0.1:9/a?token=hunter2"
SHOWN = "test:// or made://"


@pytest.fixture
def camera() -> Camera:
    return Camera.model_validate({"url": SECRET, "stages": []})


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "credentials.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("made://127.0.0.1", 'no port in "made://127.0.0.1"; expected made://host:port'),
        ("made://", 'no host in "made:"; expected made://host/path'),
        ("mode://127.0.0.1", 'unknown scheme "mode"; did you mean "made"?'),
    ],
)
def test_an_address_that_is_none(text: str, words: str) -> None:
    with pytest.raises(ValueError) as refused:
        CameraUrl(text)
    assert str(refused.value) == words


def test_a_query_that_is_wrong() -> None:
    mistaken = Camera.model_validate({"url": "made://h:1?size=3", "stages": []})
    assert list(check_source(mistaken, "gate")) == [
        'gate.url: "made://h:1?size=3" — made:// "size=3": expected token=TEXT'
    ]


def test_secrets_are_hidden(camera: Camera, credentials: Credentials) -> None:
    assert str(camera.url) == "made://127.0.0.1:9/a?token=***"
    assert hide("asked for x=hunter2", CameraUrl("made://h:9/?x=hunter2")) == "asked for ***"
    kept = credentials.withdraw("gate", SECRET)
    assert kept.startswith("made://127.0.0.1:9/a?token=${credential:gate-")


def test_a_fault(camera: Camera) -> None:
    fault = explain(camera.url, "gst-resource-error-quark", 3, "no token=hunter2")
    assert fault is not None
    assert fault.reason == "made up: no ***"


def test_reach(camera: Camera) -> None:
    assert reach(camera.url) is None
    unknown = reach(CameraUrl("made://no-such-host.invalid:9"))
    assert 'unknown host "no-such-host.invalid"' in str(unknown)


def test_graph(camera: Camera) -> None:
    graph = camera_graph("gate", camera, "fakesink")
    assert 'madesrc name=source uri="made://127.0.0.1:9/a?token=hunter2" ! decodebin' in graph


def test_what_a_machine_needs(camera: Camera) -> None:
    needs = needs_of(Settings(cameras={"gate": camera}))
    assert [need.command for need in needs if need.name == "madesrc"] == [
        "apt-get install gstreamer1.0-plugins-bad"
    ]


def test_documents_and_help() -> None:
    assert "| `made://host:port` | a made-up camera | for tests |" in source_table()
    for text in (default_yaml(), schema_json(), key_table()):
        assert SHOWN in text
    camera_commands.command("test")(try_camera)
    commands: Any = get_command(camera_commands)
    for name in ("add", "edit", "test"):
        helps = [str(getattr(each, "help", "")) for each in commands.commands[name].params]
        assert any(SHOWN in words for words in helps)


def test_api(credentials: Credentials) -> None:
    services = make_services("redis://127.0.0.1:1", Dashboard(), Access(Dashboard()), credentials)
    schema = make_app(services).openapi()
    assert SHOWN in str(schema["paths"]["/api/v1/cameras"]["post"])
