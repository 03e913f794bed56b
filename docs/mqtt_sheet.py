"""Draws the entities of a camera as Home Assistant lists a device, for docs/bridges/mqtt.md.

    .venv/bin/python docs/mqtt_sheet.py docs/images/mqtt-entities.png

The page is ours; what is on it is made of the very messages that the bridge sends: names,
categories and values, each by its own template. Needs chromium.
"""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from playwright.sync_api import sync_playwright

from bridges.mqtt.board import Camera, Frame, kept
from bridges.mqtt.commands import echoes
from bridges.mqtt.discovery import device
from bridges.mqtt.topics import Topics
from mirante.status import Status
from mirante.zones import LineCount, ZoneCount
from pipeline.control.entries import Desired

TOPICS = Topics("mirante")
SECTIONS = (("Controls", "config"), ("Sensors", None), ("Diagnostic", "diagnostic"))
STYLE = """
body { margin: 0; padding: 16px; width: 960px; font: 14px sans-serif; background: #f3f4f6 }
main { columns: 3; column-gap: 12px; color: #1c1c1c }
h1 { font-size: 20px; margin: 0 0 12px } h2 { font-size: 15px; margin: 0 0 8px; color: #555 }
section { break-inside: avoid; background: #fff; border-radius: 10px; padding: 12px 14px }
section { margin: 0 0 12px } section.long { break-inside: auto }
p { display: flex; justify-content: space-between; margin: 0; padding: 5px 0 }
p { border-top: 1px solid #eee } b { font-weight: 600 } small { color: #777 }
"""


def camera() -> Camera:
    """A gate with a zone and a line, and two classes."""
    objects = [{"label": label} for label in ("person", "person", "car")]
    frame = msgspec.convert({"objects": objects}, Frame)
    frame.zones = {"door": ZoneCount(inside=1, entered=128, left=127, dwell_s=6)}
    frame.lines = {"street": LineCount(in_=61, out=58)}
    zones = {"zones": {"door": {"polygon": [[0, 0], [1, 0], [1, 1]]}}}
    spec = {"url": "test://", "stages": [{"model": "yolox-street", "threshold": 0.4}, zones]}
    status = Status(camera="gate", state="running", reason="frames arrive", ts=1.0, since=1.0)
    return Camera("gate", Desired("gate", spec, "api", "main"), status, frame)


def value_of(component: dict[str, Any], published: dict[str, bytes]) -> str:
    """What the entity shows."""
    if component["platform"] in {"camera", "event"}:
        return {"camera": "image", "event": "zone-entered"}[component["platform"]]
    text = published[component["state_topic"]].decode()
    template = jinja2.Template(component.get("value_template", "{{ value }}"))
    said = json.loads(text) if text.startswith("{") else None
    return str(template.render(value=text, value_json=said))


def page() -> str:
    """The whole page."""
    gate = camera()
    published = kept(gate, TOPICS) | echoes(gate, TOPICS)
    components = device(gate, TOPICS, commands=True)["components"].values()
    sections = []
    for title, category in SECTIONS:
        rows = [
            f"<p><span>{html.escape(each['name'])} <small>{each['platform'].replace('_', ' ')}"
            f"</small></span><b>{html.escape(value_of(each, published))}</b></p>"
            for each in components
            if each.get("entity_category") == category
        ]
        long = " class=long" if len(rows) > 9 else ""
        sections.append(f"<section{long}><h2>{title}</h2>{''.join(rows)}</section>")
    body = f"<h1>gate <small>camera by Mirante</small></h1><main>{''.join(sections)}</main>"
    return f"<!doctype html><style>{STYLE}</style><body>{body}"


def main(target: Path) -> None:
    """Take its picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        view = browser.new_page(viewport={"width": 992, "height": 200})
        view.set_content(page())
        view.screenshot(path=str(target), full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
