"""What every place says of the made-up source, as JSON; its row is there from the start."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pipeline.config.source_kinds import SOURCES

SOURCES["made"] = "tests.support.made_source:MADE"

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


def refused(text: str) -> str:
    """Why an address is none."""
    try:
        return str(CameraUrl(text))
    except ValueError as error:
        return str(error)


def places(folder: Path) -> dict[str, Any]:
    """Place → what it says."""
    camera = Camera.model_validate({"url": SECRET, "stages": []})
    fault = explain(camera.url, "gst-resource-error-quark", 3, "no token=hunter2")
    credentials = Credentials(folder / "credentials.json")
    needs = needs_of(Settings(cameras={"gate": camera}))
    mistaken = Camera.model_validate({"url": "made://h:1?size=3", "stages": []})
    services = make_services("redis://127.0.0.1:1", Dashboard(), Access(Dashboard()), credentials)
    schema = make_app(services).openapi()
    camera_commands.command("test")(try_camera)
    commands: Any = get_command(camera_commands)
    return {
        "shown": str(camera.url),
        "without a port": refused("made://127.0.0.1"),
        "without a host": refused("made://"),
        "unknown": refused("mode://127.0.0.1"),
        "query": list(check_source(mistaken, "gate")),
        "withdrawn": credentials.withdraw("gate", SECRET),
        "graph": camera_graph("gate", camera, "fakesink"),
        "fault": fault.reason if fault else None,
        "hidden": hide("asked for x=hunter2", CameraUrl("made://h:9/?x=hunter2")),
        "reached": reach(camera.url) is None,
        "unreached": str(reach(CameraUrl("made://no-such-host.invalid:9"))),
        "needs": [need.command for need in needs if need.name == "madesrc"],
        "source table": source_table(),
        "documents": [default_yaml(), schema_json(), key_table()],
        "api": json.dumps(schema["paths"]["/api/v1/cameras"]["post"]),
        "help": [commands.commands[each].params for each in ("add", "edit", "test")],
    }


if __name__ == "__main__":
    print(json.dumps(places(Path(sys.argv[1])), default=lambda param: param.help))
