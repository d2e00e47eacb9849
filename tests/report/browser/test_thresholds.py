"""What the page hides when it opens is what the scan hid, whatever its threshold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.report.browser.conftest import drawn
from tests.report.scans import observed_of, scan_of

from findings.scans import classifier, marked
from masktune.findings import ScanSettings, scan_images
from masktune.findings.store import load_scanned, save_scanned
from masktune.masking import MeanPlusStd, Quantile, TopFraction, hidden_from_low
from masktune.report.page import render_scan

SIZE = (60, 90)


def scanned(threshold, words=None):
    """A scan of 20 images whose recorded shares are what the threshold hides at the input's size."""
    low = np.random.default_rng(0).random((20, 7, 7)) ** 3
    low[0] = 0
    if isinstance(threshold, TopFraction):  # Of equal values, whose last bits differ here and there, so many.
        low[1] = np.tile(np.array([0, 1, 0, 1, 0, 1, 0]), (7, 1))
    low = low.astype(np.float16)
    hidden = hidden_from_low(torch.from_numpy(low), SIZE, threshold)
    shares = hidden.double().mean((1, 2)).numpy()
    observed = replace(observed_of(20), low=low, hidden=shares)
    return scan_of(
        observed,
        size=SIZE,
        settings={"threshold": words or repr(threshold)},
        threshold=None if words else threshold,
    ), hidden.numpy()


def shares_of(page):
    return page.eval_on_selector_all("#cards .share", "all => all.map(one => +one.dataset.share)")


def move(page, to):
    page.evaluate(
        "(to) => { const slider = document.querySelector('[name=level]'); slider.value = to;"
        " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        to,
    )
    drawn(page)


def black_of(page, at):
    """Which pixels of a card's mask are black, at the picture's size: looked at in their middle."""
    return np.array(
        page.evaluate(
            "([at, h, w]) => { const c = document.querySelectorAll('canvas')[at], s = c.width / w;"
            " const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " return Array.from({length: h * w}, (_, i) => {"
            "  const x = Math.floor((i % w + 0.5) * s), y = Math.floor((Math.floor(i / w) + 0.5) * s);"
            "  return p[4 * (y * c.width + x) + 3] > 0; }); }",
            [at, *SIZE],
        )
    ).reshape(SIZE)


@pytest.mark.parametrize(
    "threshold",
    [
        MeanPlusStd(2.0),
        MeanPlusStd(1.25),
        MeanPlusStd(0.37, over="all"),
        MeanPlusStd(0.5, at="map"),
        MeanPlusStd(0.5, most=0.1),
        MeanPlusStd(5.5),
        TopFraction(0.05),
        TopFraction(0.033),
        Quantile(0.9),
        Quantile(0.7, over="all", most=0.2),
    ],
    ids=repr,
)
def test_the_mask_at_the_start_is_the_scans(open_page, threshold):
    scan, hidden = scanned(threshold)
    page = open_page(render_scan(scan, summary=[]))
    np.testing.assert_allclose(shares_of(page), scan.observed.hidden, atol=2 / hidden[0].size)
    text = page.locator("#cards .share").nth(2).inner_text()
    assert text == f"{100 * scan.observed.hidden[2]:.1f} %"
    page.check("[name=mask]")
    page.uncheck("[name=heat]")
    drawn(page)
    # Black is drawn where the scan hid, but for a pixel or two that lie on the bound.
    for at in (0, 2, 7):
        assert (black_of(page, at) & ~lined(hidden[at]) != hidden[at] & ~lined(hidden[at])).sum() <= 2
    assert hidden.any() or threshold == MeanPlusStd(5.5)


def lined(hidden):
    """Pixels with a neighbour of the other kind: a line is drawn between them."""
    padded = np.pad(hidden, 1, mode="edge")
    neighbours = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return np.any([one != hidden for one in neighbours], axis=0)


def test_a_threshold_of_ones_own_starts_at_what_it_hid_of_each_image(open_page):
    def own(maps):
        return maps > maps.mean((1, 2), keepdim=True) + 0.3

    scan, _ = scanned(own, words="<function own>")
    page = open_page(render_scan(scan, summary=[]))
    assert len(set(scan.observed.hidden)) > 10
    np.testing.assert_allclose(shares_of(page), scan.observed.hidden, atol=2 / (60 * 90))
    assert "<function own>" in page.locator("#gallery").inner_text()


def test_moving_the_slider_and_back(open_page):
    scan, _ = scanned(TopFraction(0.033))
    page = open_page(render_scan(scan, summary=[]))
    said = page.locator("#filters output")
    assert said.inner_text() == "3.3"
    start = shares_of(page)
    move(page, "10")
    assert said.inner_text() == "10.0"
    expected = (
        hidden_from_low(torch.from_numpy(scan.observed.low), SIZE, TopFraction(0.1)).float().mean((1, 2))
    )
    np.testing.assert_allclose(shares_of(page), expected.numpy(), atol=1e-4)
    move(page, "3.5")  # The step next to 3.3 stands for it.
    assert said.inner_text() == "3.3"
    assert shares_of(page) == start


@pytest.mark.parametrize("threshold", [MeanPlusStd(1.25), TopFraction(0.07)], ids=repr)
def test_a_real_scan_from_disk_starts_at_what_it_hid(open_page, tmp_path, threshold):
    """What `masktune scan --sigmas 1.25`, or `--top 0.07`, records for each image of the gallery."""
    data = marked(60)
    settings = ScanSettings(shown=20, review=0, threshold=threshold)
    save_scanned(scan_images("made", classifier(data), data, settings), tmp_path)
    scan = load_scanned(tmp_path)
    page = open_page(render_scan(scan, summary=[]))
    at = {sample: row for row, sample in enumerate(scan.observed.ids.tolist())}
    recorded = np.array([scan.observed.hidden[at[one.id]] for one in scan.shown])
    np.testing.assert_allclose(shares_of(page), recorded, atol=1.5 / 32**2)
    assert recorded.max() > 0.03
    assert page.locator("#filters output").inner_text() in ("1.25", "7.0")
