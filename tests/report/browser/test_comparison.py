"""The page of two runs in headless Chromium."""

import pytest
from tests.report.two_runs import saved, two_scans

from masktune.report import write_comparison


@pytest.fixture
def html(tmp_path):
    """A comparison, whether it may leave the building, and ids."""

    def made(*, free=False, **more):
        typed = ("--no-images", "--pseudonymous-ids") if free else ()
        files = write_comparison(*saved(tmp_path / f"runs-{free}", *two_scans(**more), ((), typed))).files
        return files[1].read_text()

    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("free", [False, True])
def test_axe_finds_nothing_serious(open_page, axe, html, scheme, free):
    page = open_page(html(free=free), color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    heavy = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical", "moderate")
    ]
    assert heavy == []
    assert len(found["passes"]) > 20


def test_colours_keyboard_and_paper(open_page, html):
    page = open_page(html(), color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(16, 20, 26)"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.evaluate("document.querySelector('#images-gained ~ details > summary').focus()")
    page.keyboard.press("Enter")
    assert page.locator("#images-gained ~ details").first.get_attribute("open") is None
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.locator("details.finding:not([open])").count() == 0
    assert not page.is_visible("nav")


def test_long_names_do_not_widen_a_narrow_page(open_page, html):
    ids = [f"{'x' * 280}/<b>שלום</b>/{at}" for at in range(40)]
    page = open_page(html(ids=ids), viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    names = page.evaluate("[...document.querySelectorAll('#images th bdi')].map(one => one.textContent)")
    assert sorted(names) == sorted([*ids[::5], ids[1]])
