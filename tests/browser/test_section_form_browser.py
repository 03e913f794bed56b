"""All keys of a camera's events and clips are said in its form, refused in words, and kept."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.live_site import Site, ask
from tests.support.opened_pages import Pages

SECTIONS: dict[str, dict[str, Any]] = {
    "events": {
        "objects": False,
        "classes": ["green", "blue"],
        "min_hits": 5,
        "min_s": 0.25,
        "update_s": 60,
        "nothing_seen": {"red": 3600, "blue": 1.5},
        "images": True,
        "image_size": 640,
        "image_quality": 70,
        "image_margin": 0.5,
        "images_per_s": 2,
    },
    "clips": {
        "before_s": 3,
        "after_s": 4.5,
        "max_s": 60,
        "on": ["zone-entered", "nothing-seen"],
        "where": "label = red",
        "view": False,
        "private": "refuse",
        "max_mib": 8,
    },
}


def control_of(dialog: Locator, key: str) -> Locator:
    return dialog.locator(f'[id="{key}"]')


def chips_of(dialog: Locator, key: str) -> Locator:
    return dialog.locator(f'[role=group][aria-labelledby="{key}-label"]').get_by_role("button")


def say(dialog: Locator, key: str, value: Any) -> None:
    """Enters the value of a key as its control takes it."""
    if isinstance(value, list):
        for one in value:
            chips_of(dialog, key).get_by_text(one.replace("-", " "), exact=True).click()
    elif isinstance(value, dict):
        words = ", ".join(f"{label} {number}" for label, number in value.items())
        control_of(dialog, key).fill(words)
    elif isinstance(value, bool) or key == "clips.private":
        control_of(dialog, key).select_option(json.dumps(value).strip('"'))
    else:
        control_of(dialog, key).fill(str(value))


def shown(dialog: Locator, key: str, value: Any) -> Any:
    """The value that the control of a key shows."""
    if isinstance(value, list):
        pressed = chips_of(dialog, key).and_(dialog.locator("[aria-pressed=true]"))
        return [words.replace(" ", "-") for words in pressed.all_inner_texts()]
    text = control_of(dialog, key).input_value()
    if isinstance(value, dict):
        return {label: float(number) for label, number in (p.split(": ") for p in text.split(", "))}
    return text if isinstance(value, str) else json.loads(text)


def edit(page: Page, camera: str) -> Locator:
    """The form of a camera, its sections open."""
    page.get_by_role("button", name=f"Edit {camera}").click()
    dialog = page.get_by_role("dialog")
    for title in ("Events", "Clips"):
        dialog.locator("summary", has_text=title).click()
    return dialog


def test_events_and_clips_are_said_and_come_back(
    loaded: Page, kept_pages: Pages, site: Site
) -> None:
    kept_pages.allowed.append("422")
    api = f"{site.url}/api/v1/cameras"
    stages = [{"model": "test-boxes"}, {"track": "bytetrack"}]
    keys = {"name": "told", "url": "test://?size=320x180&fps=1", "stages": stages}
    assert ask("POST", api, json=keys).status_code == 201
    ask("POST", f"{api}/told/pause").raise_for_status()
    page = loaded
    page.evaluate("location.hash = '#/camera/told'")  # which shows no live image
    dialog = edit(page, "told")
    dialog.get_by_role("switch", name="Video from before a moment").check()
    for section, values in SECTIONS.items():
        for key, value in values.items():
            say(dialog, f"{section}.{key}", value)
    wrong = {
        "events.nothing_seen": ("red: 0, blue: x", ["red: 0 — expected a number", 'blue: "x"']),
        "clips.max_s": ("5", ["expected before_s + after_s (7.5) or more"]),
        "clips.where": ("label ~", ["expected"]),
    }
    for key, (text, _) in wrong.items():
        control_of(dialog, key).fill(text)
    dialog.get_by_role("button", name="Save").click()
    for key, (_, lines) in wrong.items():
        expect(control_of(dialog, key)).to_have_attribute("aria-invalid", "true")
        for words in lines:
            expect(control_of(dialog, f"{key}-trouble")).to_contain_text(words)
        section, _, name = key.partition(".")
        say(dialog, key, SECTIONS[section][name])
    gate = dialog.get_by_label("Models look at")
    dialog.get_by_text("More options").click()
    gate.select_option("on")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    spec = ask("GET", f"{api}/told").json()["spec"]
    assert {key: spec[key] for key in SECTIONS} == SECTIONS
    assert spec.pop("gate") == "on"
    dialog = edit(page, "told")
    dialog.get_by_text("More options").click()
    expect(gate).to_have_value("on")
    gate.select_option("")
    for section, values in SECTIONS.items():
        for key, value in values.items():
            assert shown(dialog, f"{section}.{key}", value) == value
    control_of(dialog, "events.min_hits").fill("")  # its default again
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    left = ask("GET", f"{api}/told").json()["spec"]
    assert left.pop("events") == {k: v for k, v in spec.pop("events").items() if k != "min_hits"}
    assert left == spec
    ask("DELETE", f"{api}/told")
