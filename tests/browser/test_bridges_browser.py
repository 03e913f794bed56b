"""The page *System* tests a webhook, and shows what its receiver answered."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support import ROOT
from tests.support.hooked import hooked
from tests.support.live_site import Site
from tests.support.receiver import Reply, receiving

BLUNDERS = (ROOT / "tests/support/blunders.js").read_text()


def test_a_webhook_is_tested_and_its_answer_shown(loaded: Page, site: Site, tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        hooked(site.redis.url, tmp_path, shop={"url": receiver.url, "cameras": ["none-such"]}),
    ):
        page = loaded
        page.evaluate("location.hash = '#/system'")
        row = page.locator(".bridges tr", has_text="webhook-shop")
        expect(row).to_contain_text(receiver.url)
        receiver.replies.append(Reply(403, body=b"who <b>are</b> you?"))
        row.get_by_role("button", name="Test webhook-shop").click()
        expect(row.get_by_role("status")).to_contain_text("403 Forbidden: who <b>are</b> you? in ")
        page.set_viewport_size({"width": 390, "height": 844})  # as on a phone
        receiver.replies.append(Reply(body=b"thank you"))
        row.get_by_role("button", name="Test webhook-shop").click()
        expect(row.get_by_role("status")).to_contain_text("200 OK")
        expect(row.get_by_role("status")).to_contain_text("thank you")
        expect(row.get_by_role("status")).to_be_in_viewport()
        assert page.evaluate(BLUNDERS) == []
        assert [each.headers["ce-type"] for each in receiver.tries] == ["mirante.test"] * 2
    expect(row).to_contain_text("stopped")
    expect(row.get_by_role("button")).to_have_count(0)
