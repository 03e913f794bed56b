"""The account on a camera's page says how much of it was quiet."""

from __future__ import annotations

from typing import Any

from tests.support.live_site import Site
from tests.support.opened_pages import Pages

_ACCOUNT = """async counts => {
  const { html, render } = await import("/static/lib/preact.js");
  const { Frames } = await import("/static/camera/camera_charts.js");
  const place = document.createElement("div");
  render(html`<${Frames} counts=${counts} />`, place);
  return place.querySelector(".account").textContent.replace(/\\s+/g, " ");
}"""


def test_the_share_that_was_quiet(pages: Pages, site: Site) -> None:
    page = pages.open(site.url)

    def account(**more: Any) -> str:
        counts = {"decoded": 2010, "published": 2000, "dropped": {"rate": 10}, "failed": 0}
        return str(page.evaluate(_ACCOUNT, {**counts, "damaged": 0, **more}))

    assert "(1,860 quiet, 93 %)" in account(skipped={"still": 1860})
    for said in (account(skipped={}), account()):
        assert "2,000 published" in said
        assert "quiet" not in said
