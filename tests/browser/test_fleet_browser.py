"""The page *System* of a fleet: its machines, what moved and why, and how many more fit."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect
from redis import Redis

from mirante.keys import FLEET_REPORT
from pipeline.control.entries import Needs
from pipeline.control.fleet_report import (
    FleetReport,
    MemberReport,
    MoveReport,
    NodeReport,
    WaitingReport,
    publish,
)
from pipeline.control.registry import Registry
from tests.support.live_site import Site

GIB = 1 << 30


def fleet(nodes: int = 3) -> FleetReport:
    """Return the report of a fleet with a worker on each machine, of which one is lost."""
    now_s = time.time()
    members = [
        MemberReport(
            name=f"worker-{n}",
            node=f"rack-{n}",
            state="draining" if n == 1 else "running",
            cameras=20 + n,
            running=20 + n,
            load_percent=420.0,
        )
        for n in range(nodes)
    ]
    racks = [
        NodeReport(
            name=f"rack-{n}",
            workers=1,
            cameras=20 + n,
            cores=16,
            cpu_percent=38.4,
            memory_bytes=64 * GIB,
            memory_used_bytes=9 * GIB,
            more=29 - n,
            limited_by="processor",
        )
        for n in range(nodes)
    ]
    waiting = (WaitingReport(camera="dock", why="no worker is in zone dmz"),)
    moves = (
        MoveReport(
            at=now_s - 5, camera="gate", source="lost", target="worker-0", why="lost is gone"
        ),
        MoveReport(at=now_s - 60, camera="yard", target="worker-2", why="it is new"),
    )
    return FleetReport(
        at=now_s,
        keeper="process 41 on rack-0",
        nodes=tuple(racks),
        workers=(*members, MemberReport(name="lost", state="gone")),
        cameras=64,
        placed=63,
        waiting=waiting,
        moves=moves,
        moved=65,
        more=84,
        limited_by="processor",
        each_percent=21.0,
        each_bytes=50 << 20,
    )


def say(client: Redis, report: FleetReport) -> None:
    """Publish a report that is taken for a new one while a test looks at it, which may be long."""
    publish(client, report)
    client.pexpire(FLEET_REPORT, 86_400_000 + 600_000)


def test_a_fleet_is_shown_where_there_is_one(loaded: Page, site: Site) -> None:
    page = loaded
    page.evaluate("location.hash = '#/system'")
    expect(page.locator(".system-page h1")).to_contain_text("worker")
    expect(page.locator(".fleet")).to_have_count(0)
    with Redis.from_url(site.redis.url) as client:
        say(client, fleet())
        card = page.locator(".fleet")
        expect(card).to_contain_text("64, 1 without a worker")
        expect(card).to_contain_text(
            "for 84 more like these (processor); each takes 21.0 % of a core"
        )
        expect(card).to_contain_text("dock: no worker is in zone dmz")
        expect(card.locator("tr", has_text="rack-1")).to_contain_text("draining")
        moved = card.locator("tr", has_text="gate")
        expect(moved).to_contain_text("lost → worker-0")
        expect(moved).to_contain_text("lost is gone")
        client.pexpire(FLEET_REPORT, 600_000)
        expect(card.get_by_role("alert").first).to_contain_text("Its keeper is gone")
        client.delete(FLEET_REPORT)
        expect(card).to_have_count(0)


def test_a_camera_is_added_to_the_fleet(loaded: Page, site: Site) -> None:
    page = loaded
    with Redis.from_url(site.redis.url) as client:
        client.delete(FLEET_REPORT)
        page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Name")).to_be_visible()
        expect(dialog.get_by_text("The fleet decides")).to_have_count(0)
        dialog.get_by_role("button", name="Cancel", exact=True).click()
        publish(client, fleet())
        client.pexpire(FLEET_REPORT, 600_000)  # as if it had said nothing since
        page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
        expect(dialog.get_by_text("Its keeper is gone")).to_be_visible()
        expect(dialog.get_by_role("switch", name="The fleet decides")).not_to_be_checked()
        dialog.get_by_role("button", name="Cancel", exact=True).click()
        say(client, fleet())
        page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
        dialog.get_by_label("Address").fill("test://?fps=5")
        dialog.get_by_label("Name").fill("dock-2")
        expect(dialog.get_by_role("switch", name="The fleet decides")).to_be_checked()
        dialog.get_by_label("Zone of the network").fill("yard")
        dialog.get_by_label("Labels").fill("night, dry")
        dialog.get_by_role("switch", name="On a worker with a GPU").check()
        dialog.get_by_role("button", name="Add camera").click()
        expect(dialog).to_have_count(0)
        added = Registry(client).cameras()["dock-2"]
        assert added.needs == Needs(("night", "dry"), True, "yard")
        Registry(client).remove("dock-2")
        client.delete(FLEET_REPORT)
