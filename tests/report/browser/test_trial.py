"""The page of a trial in headless Chromium."""

import numpy as np
import pytest
import torch
from tests.report.browser.conftest import drawn
from tests.report.browser.test_in_browser import HOSTILE
from tests.report.trials import secret_trial, trial_of

from masktune.masking import hidden_from_low
from masktune.report.page import render_trial


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("free", [False, True])
def test_axe_finds_nothing_serious(open_page, axe, scheme, free):
    trialled = secret_trial() if free else trial_of("worse", stopped={"random_mask": "it broke"})
    html = render_trial(trialled, images=not free, pseudonymous=free)
    page = open_page(html, color_scheme=scheme)
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


def opacity(page, side, x, y):
    """Of the heat map over the first image, 0 to 255, at a share of its sides."""
    return page.evaluate(
        "([side, x, y]) => { const c = document.querySelectorAll('.pair canvas')[side];"
        " return c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data[3]; }",
        [side, x, y],
    )


def test_each_image_is_there_twice_with_the_map_of_each_classifier(open_page):
    page = open_page(render_trial(trial_of()))
    assert page.locator(".pair").count() == 8
    assert page.locator(".pair img").count() == page.locator(".pair canvas").count() == 16
    old, tuned = 1.5 / 7, 3.5 / 7  # The old model looks at row and column 1 of 7, the tuned one at 3.
    assert opacity(page, 0, old, old) > 195 > 60 > opacity(page, 0, 0.9, 0.9)
    assert opacity(page, 1, tuned, tuned) > 195 > 60 > opacity(page, 1, 0.05, 0.9)
    page.uncheck("#pairs [name=heat]")
    drawn(page)
    assert opacity(page, 0, old, old) == 0


def test_a_line_goes_around_what_the_trial_hides_on_both_sides(open_page):
    """Its ends, in shares of the picture, are those of the area that Python hides."""
    trialled = trial_of()
    page = open_page(render_trial(trialled))
    first = next(one for one in trialled.shown if one.kind == "gained")
    low = torch.from_numpy(first.low_before.astype(np.float32))[None]
    hidden = hidden_from_low(low, (56, 56), trialled.threshold)[0]
    rows, columns = (torch.nonzero(hidden.any(axis)).flatten().tolist() for axis in (1, 0))
    ends = [rows[0] / 56, (rows[-1] + 1) / 56, columns[0] / 56, (columns[-1] + 1) / 56]
    assert 0.1 < ends[0] < ends[1] < 0.5  # The old model looks at row and column 1 of 7.
    for side in (0, 1):
        assert line(page, side) == pytest.approx(ends, abs=0.01)
    page.uncheck("#pairs [name=line]")
    drawn(page)
    assert line(page, 0) is None


def line(page, side):
    """First and last row and column of the line over the first image, in shares; None without one."""
    return page.evaluate(
        """side => {
          const c = document.querySelectorAll('.pair canvas')[side];
          const found = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
          let [top, bottom, left, right] = [Infinity, -Infinity, Infinity, -Infinity];
          for (let y = 0, at = 0; y < c.height; y++) for (let x = 0; x < c.width; x++, at += 4) {
            const [r, g, b] = found.subarray(at, at + 3);
            if (Math.abs(r - 78) + Math.abs(g - 225) + Math.abs(b - 255) > 12) continue;
            [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
            [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
          }
          if (top === Infinity) return null;
          return [top / c.height, bottom / c.height, left / c.width, right / c.width];
        }""",
        side,
    )


def test_with_a_threshold_of_ones_own_no_line_is_offered(open_page):
    page = open_page(render_trial(trial_of(threshold=lambda maps: maps > 0.5)))
    assert page.locator("#pairs [name=line]").count() == 0
    assert opacity(page, 0, 1.5 / 7, 1.5 / 7) > 195
    assert line(page, 0) is None


def test_folded_pictures_are_drawn_when_they_are_opened(open_page):
    one = trial_of().shown[0]
    page = open_page(render_trial(trial_of(shown=(one,) * 10)))
    assert sum(card.is_visible() for card in page.locator(".pair").all()) == 6
    page.click("#images summary")
    assert sum(card.is_visible() for card in page.locator(".pair").all()) == 10
    assert opacity(page, 2 * 9, 1.5 / 7, 1.5 / 7) > 195


@pytest.mark.parametrize("width", [420, 1280])
def test_the_plot_fits_and_tables_scroll_in_their_boxes(open_page, width):
    names = {"classes": ("cat", "a dog of a quite long name")}
    page = open_page(render_trial(trial_of(**names)), viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    plot = page.locator("#plot-scores img:visible")
    assert plot.count() == 1
    scroll = "box => [box.scrollWidth, box.clientWidth]"
    inner, box = page.locator("#plot-scores .scroll").first.evaluate(scroll)
    assert inner == box
    assert plot.bounding_box()["width"] > 0.8 * min(box, 900)
    assert plot.evaluate("one => one.clientWidth / one.naturalWidth") > 0.95  # Its text is no smaller.


def test_without_pictures_the_maps_stand_on_bare_ground(open_page):
    page = open_page(render_trial(trial_of(), images=False))
    assert page.locator(".pair img").count() == 0
    assert opacity(page, 0, 0.9, 0.9) == 255


def test_without_javascript_all_text_is_there(open_page, chromium, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(render_trial(trial_of()), encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".outcome .word").inner_text().endswith("Helped")
    assert page.locator(".pair img").count() == 8
    assert not page.is_visible("#pairs")
    assert "need JavaScript" in page.inner_text("main")
    context.close()


def test_worse_and_better_stand_side_by_side_and_below_each_other_on_a_phone(open_page):
    def places(page):
        return [one.bounding_box() for one in page.locator(".beside > div").all()]

    left, right = places(open_page(render_trial(trial_of())))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    above, below = places(open_page(render_trial(trial_of()), viewport={"width": 400, "height": 800}))
    assert above["y"] + above["height"] <= below["y"]


def test_the_verdict_is_seen_without_scrolling(open_page):
    page = open_page(render_trial(trial_of("worse")), viewport={"width": 1280, "height": 720})
    box = page.locator(".outcome").bounding_box()
    assert box["y"] + box["height"] < 720


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_name_does_no_harm_and_widens_no_narrow_page(open_page, name):
    trialled = trial_of(
        classes=(name, "dog"), ids=[f"{name}{at}" for at in range(200)], name=name, sites=(name, "south")
    )
    page = open_page(render_trial(trialled), viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    names = page.evaluate("[...document.querySelectorAll('#effects th bdi')].map(one => one.textContent)")
    assert name in names


def test_paper_is_light_and_has_no_controls(open_page):
    page = open_page(render_trial(trial_of()), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#pairs")
    assert page.is_visible(".on-light")
    assert not page.is_visible(".on-dark")
    assert np.all([one.is_visible() for one in page.locator(".outcome, .moves .sure").all()])
