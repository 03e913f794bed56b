"""What is quiet: in the account on a camera's page, and in its form."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from mirante.reasons import Reason

_ACCOUNT = """async counts => {
  const { html, render } = await import("/static/lib/preact.js");
  const { Frames } = await import("/static/camera/camera_charts.js");
  const place = document.createElement("div");
  render(html`<${Frames} counts=${counts} />`, place);
  return place.querySelector(".account").textContent.replace(/\\s+/g, " ");
}"""

_TITLES = """async counts => {
  const { html, render } = await import("/static/lib/preact.js");
  const { Frames } = await import("/static/camera/camera_charts.js");
  const place = document.createElement("div");
  render(html`<${Frames} counts=${counts} />`, place);
  const said = () => [...place.querySelectorAll(".term[title]")].map((each) => each.title);
  const titles = () => said().filter(Boolean);
  while (titles().length < 2) await new Promise(requestAnimationFrame);
  return titles();
}"""


def test_the_share_that_was_quiet(loaded: Page) -> None:
    def account(**more: Any) -> str:
        counts = {"decoded": 2010, "published": 2000, "dropped": {"rate": 10}, "failed": 0}
        return str(loaded.evaluate(_ACCOUNT, {**counts, "damaged": 0, **more}))

    assert "(1,860 quiet, 93 %)" in account(skipped={"still": 1860})
    assert "(500 expected, 25 %)" in account(skipped={"tracked": 500})
    for said in (account(skipped={}), account()):
        assert "2,000 published" in said
        assert "quiet" not in said


def test_reasons_are_those_of_the_table(loaded: Page) -> None:
    counts = {"decoded": 9, "published": 7, "dropped": {"queue": 2}, "failed": 0, "damaged": 0}
    titles = loaded.evaluate(_TITLES, counts | {"skipped": {"still": 5}})
    assert titles == [Reason.QUEUE.words, Reason.STILL.words]


_RATES = """async spec => {
  const { byField, changesOf, valuesOf } = await import("/static/form/camera_values.js");
  const camera = { url: "test://", name: "gate", worker: "main", spec };
  const values = valuesOf(camera);
  const changes = (more) => changesOf({ ...values, ...more }, camera);
  return {
    shown: [values.quietFps, values.fps], same: changes({}),
    quiet: changes({ quietFps: "0,5" }), one: changes({ quietFps: "" }),
    none: changes({ quietFps: "", fps: "" }),
    refused: byField(["gate.fps.quiet: 0 — expected", "gate.fps: 0 — expected"], "gate"),
  };
}"""


def test_the_form_has_a_rate_for_quiet_times(scripts: Page) -> None:
    assert scripts.evaluate(_RATES, {"fps": {"quiet": 1, "busy": 10}}) == {
        "shown": ["1", "10"],
        "same": {},
        "quiet": {"fps": {"quiet": 0.5, "busy": 10}},
        "one": {"fps": 10},
        "none": {"fps": None},
        "refused": {"quietFps": ["0 — expected"], "fps": ["0 — expected"]},
    }
    number = scripts.evaluate(_RATES, {"fps": 10})
    assert (number["shown"], number["quiet"]) == (["", "10"], {"fps": {"quiet": 0.5, "busy": 10}})
    unlimited = scripts.evaluate(_RATES, {"fps": {"quiet": 1}})
    assert (unlimited["shown"], unlimited["same"]) == (["1", ""], {})


_COST = """async camera => {
  const { asleep, costWords } = await import("/static/lib/asleep.js");
  return [asleep(camera), costWords(camera)];
}"""


def test_how_a_camera_sleeps_and_what_it_costs(scripts: Page) -> None:
    sleep: dict[str, Any] = {
        "asleep": True,
        "asleep_s": 5400.0,
        "of_s": 7200.0,
        "wakes": {"viewer": 1, "motion": 3},
        "unseen": 4,
        "left_alone": "",
    }
    running = {"paused": False, "state": "running", "cpu_percent": 1.94}

    def told(**more: Any) -> Any:
        return scripts.evaluate(_COST, {**running, **more})

    assert told(sleep=None, cpu_percent=None) == ["", ""]
    assert told(sleep=None, cpu_percent=23.4) == ["", "Takes 23 % of a core."]
    assert told(sleep=sleep) == [
        "asleep",
        "Takes 1.9 % of a core. Asleep 75 % of 2 h; woke 4 times: something moved 3, "
        "someone watched 1; 4 images lost asleep.",
    ]
    assert told(sleep=sleep, state="stalled")[0] == told(sleep=sleep, paused=True)[0] == ""
    alone = {**sleep, "asleep": False, "left_alone": "its decoder holds frames back"}
    assert told(sleep=alone) == [
        "",
        "Takes 1.9 % of a core. Never asleep: its decoder holds frames back.",
    ]
