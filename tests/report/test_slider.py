"""Where the slider of the gallery starts."""

import json

import pytest
from tests.report.scans import observed_of, scan_of, with_columns
from tests.report.test_page import Read

from masktune.masking import MeanPlusStd, Quantile, TopFraction
from masktune.report.page import render_scan
from masktune.report.page.slider import slider_of

HIDDEN = {"a": 0.1, "b": 0.3}


def scan_with(threshold, **more):
    return scan_of(settings={"threshold": repr(threshold)}, threshold=threshold, **more)


def test_it_starts_at_the_scans_own_level():
    own = slider_of(scan_with(MeanPlusStd(1.25)), HIDDEN)
    assert (own.kind, own.own, own.said, own.most, own.script_data()["own"]) == (
        "sigmas",
        1.25,
        "1.25",
        4,
        1.25,
    )
    assert abs(own.nearest - 1.25) <= own.step / 2 + 1e-9
    far = slider_of(scan_with(MeanPlusStd(6.5)), HIDDEN)
    assert (far.own, far.said, far.most) == (6.5, "6.5", 7)
    top = slider_of(scan_with(TopFraction(0.033)), HIDDEN)
    assert (top.kind, top.own, top.said, top.nearest, top.most) == ("top", 3.3, "3.3", 3.5, 50)
    assert top.script_data()["own"] == 0.033
    assert slider_of(scan_with(TopFraction(0.6)), HIDDEN).most == 100
    assert slider_of(scan_with(Quantile(0.9)), HIDDEN).said == "90.0"


@pytest.mark.parametrize("threshold", [TopFraction(0.1, most_salient=False), len])
def test_any_other_starts_at_as_much_as_it_hid(threshold):
    slider = slider_of(scan_with(threshold), HIDDEN)
    assert (slider.kind, slider.own, slider.said) == ("other", 20, "20.0")
    assert slider.script_data()["own"] is None
    assert slider.used == repr(threshold)
    html = render_scan(scan_with(threshold), summary=[])
    assert "as much of each image as the scan hid, 10.0 % on average" in Read(html).shown


def test_the_recorded_share_is_on_the_page_and_survives_the_veil():
    observed = observed_of(10)
    observed.hidden[:] = [at / 100 for at in range(10)]
    for pseudonymous in (False, True):
        page = Read(render_scan(scan_of(observed), summary=[], pseudonymous=pseudonymous))
        cards = json.loads(page.script(0))["cards"]
        order = sorted(range(10), key=lambda at: str(observed.ids[at])) if pseudonymous else range(10)
        assert [card["recorded"] for card in cards] == [at / 100 for at in order]


def test_a_column_that_says_positive_does_not_spoil_it():
    """The veil cuts values of columns out of all texts, also out of what a threshold prints."""
    observed = with_columns(observed_of(10), {"finding": "positive"})
    scan = scan_of(observed, settings={"threshold": repr(MeanPlusStd(1.5))}, threshold=MeanPlusStd(1.5))
    page = Read(render_scan(scan, summary=[], pseudonymous=True))
    assert json.loads(page.script(0))["slider"]["kind"] == "sigmas"
    assert json.loads(page.script(0))["slider"]["own"] == 1.5
