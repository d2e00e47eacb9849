"""The page as a person meets it, in headless Chromium."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.report.browser.conftest import drawn
from tests.report.scans import observed_of, scan_of, shown_of

from masktune.masking import MeanPlusStd, hidden_from_low
from masktune.report.page import render_scan
from masktune.saliency import enlarge

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>' onmouseover='alert(1)",
    "line\nbreak",
    "x" * 300,
    "שלום ‏עולם",
    "猫の写真 кошка",
    "</script><!-- <b>bold</b>",
    "{{7*7}} {% raw %} $x^2$",
]


def html_of(scan=None, **more):
    return render_scan(scan or scan_of(), summary=["A first sentence."], made="25 November 2026", **more)


def visible(page):
    return page.locator("#cards > .card:visible")


def test_the_gallery_is_filtered_by_each_control(open_page):
    page = open_page(html_of())
    said = page.locator("#shown")
    assert said.inner_text() == "40 of 40 images"
    page.select_option("[name=label]", "cat")
    assert said.inner_text() == "20 of 40 images"
    assert visible(page).count() == 20
    page.click("button[type=reset]")
    page.select_option("[name=predicted]", "dog")
    assert said.inner_text() == "20 of 40 images"
    page.select_option("[name=label]", "cat")  # Every fifth image is called the other class.
    assert said.inner_text() == "4 of 40 images"
    page.click("button[type=reset]")
    page.select_option("[name=changed]", "yes")
    assert said.inner_text() == "20 of 40 images"
    page.click("button[type=reset]")
    page.fill("[name=least]", "90")  # Confidence is 50 % and 1.25 points more from image to image.
    assert said.inner_text() == "8 of 40 images"
    page.fill("[name=most]", "95")
    assert said.inner_text() == "5 of 40 images"
    page.click("button[type=reset]")
    page.fill("[name=text]", "CAT/000")
    assert said.inner_text() == "5 of 40 images"
    page.fill("[name=text]", "no such name")
    assert said.inner_text() == "0 of 40 images"
    page.click("button[type=reset]")
    page.select_option("[name=finding]", "MT002")
    assert said.inner_text() == "2 of 40 images"


def test_a_finding_leads_to_its_images(open_page):
    page = open_page(html_of())
    page.fill("[name=text]", "no such name")
    page.click("a[data-finding=MT002]")
    assert page.locator("#shown").inner_text() == "2 of 40 images"
    assert page.evaluate("document.activeElement.id") == "gallery-title"


@pytest.mark.parametrize("side", [7, 14, 72])  # 72: so large that the maps travel as bytes.
def test_the_share_that_is_hidden_is_pythons_at_every_threshold(open_page, side):
    coarse = torch.from_numpy(np.random.default_rng(0).random((100, 7, 7)) ** 3)
    coarse[0] = 0  # An empty map hides nothing.
    coarse[1] = 1  # Nor does one without contrast.
    low = enlarge(coarse, (side, side)).numpy() if side != 7 else coarse.numpy()
    observed = replace(observed_of(100), low=low.astype(np.float16))
    page = open_page(html_of(scan_of(observed, size=(60, 90))))
    for sigmas in ("0", "0.7", "2", "4"):
        page.evaluate(
            "(to) => { const slider = document.querySelector('[name=level]'); slider.value = to;"
            " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            sigmas,
        )
        drawn(page)
        shares = page.eval_on_selector_all("#cards .share", "all => all.map(one => +one.dataset.share)")
        hidden = hidden_from_low(torch.from_numpy(observed.low), (60, 90), MeanPlusStd(float(sigmas)))
        np.testing.assert_allclose(shares, hidden.float().mean((1, 2)).numpy(), atol=0.01)
        assert shares[0] == shares[1] == 0
        assert sigmas == "4" or min(shares[2:]) > 0
    assert page.locator("#filters output").inner_text() == "4.0"


def test_heat_map_and_mask_are_switched_on_and_off(open_page):
    page = open_page(html_of())
    page.select_option("[name=label]", "cat")

    def colours(x, y):
        """RGBA of the second card at a share of its sides. It is a dog: its peak is at 4.5 sevenths."""
        return page.evaluate(
            "([x, y]) => { const c = document.querySelectorAll('canvas')[1];"
            " return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data]; }",
            [x, y],
        )

    peak = 4.5 / 7
    assert colours(peak, peak)[3] == 205  # The most opaque of the heat map.
    assert colours(0.02, 0.02)[3] == 40
    page.check("[name=mask]")
    drawn(page)
    assert colours(peak, peak) == [0, 0, 0, 255]
    page.uncheck("[name=heat]")
    drawn(page)
    assert colours(peak, peak) == [0, 0, 0, 255]
    assert colours(0.02, 0.02)[3] == 0
    page.uncheck("[name=mask]")
    drawn(page)
    assert colours(peak, peak)[3] == 0


def test_everything_works_from_the_keyboard(open_page):
    page = open_page(html_of())

    def tab():
        page.keyboard.press("Tab")
        return page.evaluate(
            "(() => { const at = document.activeElement; return at.name || at.id || at.className; })()"
        )

    assert tab() == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.evaluate("document.querySelector('#gallery-title').focus()")
    order = [
        "label",
        "predicted",
        "changed",
        "finding",
        "least",
        "most",
        "text",
        "quiet",
        "heat",
        "mask",
        "level",
    ]
    assert [tab() for _ in order] == order
    outline = "(() => getComputedStyle(document.activeElement).outlineStyle)()"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("ArrowRight")
    assert page.locator("#filters output").inner_text() == "2.1"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.is_checked("[name=mask]")
    page.evaluate("document.querySelector('details.passed > summary').focus()")
    page.keyboard.press("Enter")
    assert page.locator("details.passed").get_attribute("open") is not None
    page.evaluate("document.querySelector('#theme').focus()")
    page.keyboard.press("Space")
    assert page.get_attribute("html", "data-theme") == "dark"


@pytest.mark.parametrize(("scheme", "first", "second"), [("light", 247, 16), ("dark", 16, 247)])
def test_colours_follow_the_system_and_the_button(open_page, scheme, first, second):
    page = open_page(html_of(), color_scheme=scheme)
    ground = "Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    shown = (
        "[...document.querySelectorAll('#plot-by-area img')].filter(i => i.offsetWidth).map(i => i.className)"
    )
    button = page.locator("#theme")
    assert page.evaluate(ground) == first
    assert page.evaluate(shown) == [f"on-{scheme}"]
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    button.click()
    assert page.evaluate(ground) == second
    assert page.evaluate(shown) == ["on-dark" if scheme == "light" else "on-light"]
    assert button.get_attribute("aria-pressed") == str(scheme == "light").lower()


def test_on_paper_there_are_no_controls_and_at_most_20_images_in_light_colours(open_page):
    page = open_page(html_of(), color_scheme="dark")
    page.select_option("[name=changed]", "yes")
    page.click("button[type=reset]")
    page.emulate_media(media="print")
    assert not page.is_visible("#filters")
    assert not page.is_visible("#theme")
    assert not page.is_visible("nav")
    assert visible(page).count() == 20
    assert page.is_visible("#cut")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.is_visible("#plot-by-area .on-light")
    page.emulate_media(media="print", reduced_motion="reduce")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.finding:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.finding:not([open])").count() == 3  # All but the problems.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("free", [False, True])
def test_axe_finds_nothing_serious(open_page, axe, scheme, free):
    page = open_page(html_of(images=not free, pseudonymous=free), color_scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.check("[name=mask]")
    drawn(page)
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    heavy = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical", "moderate")
    ]
    assert heavy == []
    assert len(found["passes"]) > 30  # It did look.


def test_strangers_names_show_as_text(open_page):
    classes = tuple(HOSTILE)
    observed = observed_of(16, classes, ids=[f"{HOSTILE[at % 8]}/{at}" for at in range(16)])
    scan = scan_of(observed, name=HOSTILE[0])
    column = replace(scan.findings[0], code="MT010", about={"column": HOSTILE[1], "value": HOSTILE[6]},
                     reason=f"column {HOSTILE[1]} is {HOSTILE[6]}", samples=tuple(HOSTILE))  # fmt: skip
    scan = replace(scan, findings=(column, *scan.findings))
    page = open_page(html_of(scan), viewport={"width": 360, "height": 800})
    texts = page.evaluate("[...document.querySelectorAll('.card .name bdi')].map(one => one.textContent)")
    assert texts == [str(sample) for sample in observed.ids]
    assert page.evaluate("document.querySelector('h1').textContent") == HOSTILE[0]
    listed = page.evaluate("[...document.querySelectorAll('[name=label] option')].map(one => one.value)")
    assert sorted(listed[1:]) == sorted(classes)
    about = page.evaluate("[...document.querySelectorAll('.about dd')].map(one => one.textContent)")
    assert about[:2] == [HOSTILE[1], HOSTILE[6]]
    assert page.evaluate("document.querySelectorAll('body script').length") == 2
    assert page.locator("img[src=x]").count() == 0
    # A script may look at nothing but this file, and a long name makes the page no wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for name in HOSTILE:
        page.select_option("[name=label]", name)
        assert page.locator("#shown").inner_text() == "2 of 16 images"


def test_right_to_left_names_are_set_apart(open_page):
    observed = observed_of(10, ids=[f"שלום/{at}" for at in range(10)])
    page = open_page(html_of(scan_of(observed)))
    assert page.evaluate("getComputedStyle(document.querySelector('.name bdi')).unicodeBidi") == "isolate"
    assert page.evaluate("getComputedStyle(document.querySelector('.name bdi')).direction") == "rtl"
    assert page.evaluate("getComputedStyle(document.querySelector('.name')).direction") == "ltr"


def test_200_images_open_in_two_seconds_and_ten_megabytes(open_page):
    rng = np.random.default_rng(0)
    observed = observed_of(200)
    shown = shown_of(observed, (224, 224), named=("MT002",))
    ground = rng.normal(0, 12, (224, 224, 3))

    def busy(at):
        """About as many bytes as a photograph: 20 kB."""
        with Image.open(io.BytesIO(shown[at].jpeg)) as picture:
            pixels = np.asarray(picture) + np.roll(ground, at, 0)
        file = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
        return file.getvalue()

    shown = tuple(replace(one, jpeg=busy(at)) for at, one in enumerate(shown))
    assert sum(len(one.jpeg) for one in shown) > 3_000_000
    html = html_of(scan_of(observed, shown=shown))
    assert len(html.encode()) < 10_000_000
    times = []
    for _ in range(3):
        page = open_page(html)
        times.append(page.evaluate("performance.getEntriesByName('drawn')[0].startTime"))
        page.context.close()
    assert min(times) < 2000


def test_without_pictures_the_maps_alone_are_drawn(open_page):
    page = open_page(html_of(images=False, pseudonymous=True))
    assert page.locator("#cards img").count() == 0
    page.evaluate("document.querySelector('#cards').scrollIntoView()")
    at_peak = page.evaluate(
        "[...document.querySelector('canvas').getContext('2d').getImageData(144, 144, 1, 1).data]"
    )
    assert at_peak[3] == 255
    assert sum(at_peak[:3]) > 500  # The bright end of the scale.
