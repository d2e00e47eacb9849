"""The page of a trial in headless Chromium."""

import numpy as np
import pytest
from tests.report.browser.conftest import drawn
from tests.report.browser.test_in_browser import HOSTILE
from tests.report.trials import secret_trial, trial_of

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
