"""The table of a bench in headless Chromium."""

import pytest
from tests.report.benches import every_method, line, standings_of

from masktune.report.bench.page import render_bench
from masktune.report.bench.table import table_of


def html_of(*tables, jobs=None):
    failed = (
        {"waterbirds-seed1-jtt-0123456789": "the error set is empty; train shorter"} if jobs is None else jobs
    )
    return render_bench(
        [table_of(one) for one in tables], failed, command="masktune bench", made="2026-01-02"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious(open_page, axe, scheme, width):
    both = every_method(), every_method(dataset="celeba", net="timm:tf_efficientnet_lite0")
    page = open_page(html_of(*both), color_scheme=scheme, viewport={"width": width, "height": 900})
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


def test_a_narrow_page_scrolls_the_table_and_not_itself(open_page):
    page = open_page(html_of(every_method()), viewport={"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    box = page.locator("#table-1 .scroll").first
    assert box.evaluate("box => box.scrollWidth > 3 * box.clientWidth")
    box.evaluate("box => { box.scrollLeft = box.scrollWidth }")
    # The method's name stays, and leaves room for the numbers.
    name, place = (
        page.get_by_role("rowheader", name="least_salient_mask").first.bounding_box(),
        box.bounding_box(),
    )
    assert name["x"] == pytest.approx(place["x"], abs=1)
    assert name["width"] < 0.4 * place["width"]
    reason = page.locator("td.failed span").bounding_box()
    assert place["x"] + name["width"] <= reason["x"] + 1
    assert reason["x"] + reason["width"] <= place["x"] + place["width"] + 1


def test_long_names_do_not_widen_a_narrow_page(open_page):
    one = standings_of(line("erm"), dataset="x" * 200, net="y" * 200, variant="<b>" * 50)
    page = open_page(html_of(one, jobs={"z" * 200: "w" * 400}), viewport={"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    assert page.locator("b").count() == 0


def test_the_plot_of_a_narrow_page_is_the_narrow_one(open_page):
    page = open_page(html_of(every_method()), viewport={"width": 420, "height": 900})
    wide, narrow = (
        page.locator(f"#plot-scatter-1 .{name} img.on-light") for name in ("on-wide", "on-narrow")
    )
    assert not wide.is_visible()
    assert narrow.is_visible()
    assert narrow.evaluate("image => image.naturalWidth <= 388")
