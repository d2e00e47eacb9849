"""The page as text: what is in it, what must not be, and that it asks nobody for anything."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from tests.report.scans import (
    SECRETS,
    map_at,
    observed_of,
    picture_of,
    scan_of,
    secret_scan,
    shown_of,
    with_columns,
)

from masktune.findings.finding import Evidence, Finding
from masktune.report.page import Kind, Page, Section, render_page, render_scan
from masktune.report.page.gallery import PICTURES, cards_of, encoded, script_data
from masktune.report.page.numbers import interval, number, p_value, percent
from masktune.report.page.veil import Veil

SUMMARY = ["It was asked four things."]


class Read(HTMLParser):
    """Tags with their attributes, texts, and the data of the page's script."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.inside = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.append((self.inside[-1] if self.inside else "", data))

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def shown(self):
        return " ".join(text for tag, text in self.texts if tag not in ("script", "style"))

    def script(self, at):
        return [text for tag, text in self.texts if tag == "script"][at]


@cache
def usual():
    return render_scan(scan_of(), summary=SUMMARY)


def page_of(scan=None, **more):
    return render_scan(scan or scan_of(), summary=SUMMARY, **more) if scan or more else usual()


def test_a_problem_shows_a_few_of_its_images_where_pictures_are_told():
    scan = scan_of()
    (problem,) = [one for one in scan.findings if one.verdict == "problem"]
    named = [one for one in scan.shown if one.id in problem.samples]
    pages = page_of(), page_of(scan, images=False)
    beside = [text.partition('class="strip"')[2].partition("</ul>")[0] for text in pages]
    assert beside[0].count("<img ") == min(len(named), 4) > 0
    assert beside[1] == ""


def test_nothing_is_asked_of_anybody():
    page = Read(page_of(command="masktune scan pets"))
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    ]
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    style = next(text for tag, text in page.texts if tag == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_only_the_pages_own_script_and_style():
    html = page_of()
    page = Read(html)
    policy = page.of("meta")[1]["content"]
    style = next(text for tag, text in page.texts if tag == "style")
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (page.script(-1), style)
    ]
    assert policy == (
        f"default-src 'none'; img-src data:; script-src 'sha256-{digests[0]}'; "
        f"style-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )
    assert not [
        name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"
    ]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "\"'><b onclick='x'>", "</script><!--", "{{7*7}}", "a\nb", "שלום", "猫"],
)
def test_a_strangers_text_is_text_everywhere(name):
    plain = Read(page_of())
    observed = observed_of(10, (name, "dog"), ids=[f"{name}{at}" for at in range(10)])
    observed = replace(observed, notes=(name,), about={name: name})
    finding = Finding(
        code="MT001",
        title=name,
        verdict="problem",
        reason=name,
        evidence=(Evidence(name, 0.5, 3),),
        advice=name,
        about={name: name},
        samples=(name,),
    )
    scan = scan_of(observed, name=name, findings=(finding,), settings={name: name})
    page = Read(render_scan(scan, summary=[name], command=name, made=name, versions={name: name}))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags} | {"noscript"}
    assert len(page.of("script")) == 2
    assert len(page.of("b")) == 0
    assert page.shown.count(name) > 40
    data = json.loads(page.script(0))
    assert data["cards"][0]["id"] == f"{name}0"
    assert {card["label"] for card in data["cards"]} == {name, "dog"}
    assert "</" not in page.script(0)
    assert "<!--" not in page.script(0)


def test_each_finding_has_its_words_and_numbers():
    shown = Read(page_of()).shown
    for text in (
        "They want something done.",
        "Crop it away if nothing else lies there",
        "0.353 to 0.447",
        "< 0.001",
        "the manifest has no further columns",
        "Muted, so not asked: MT007.",
        "1 problem",
    ):
        assert text in re.sub(r"\s+", " ", shown)


def test_a_finding_links_to_the_gallery_only_where_images_of_it_are_shown():
    links = [link["data-finding"] for link in Read(page_of()).of("a") if "data-finding" in link]
    assert links == ["MT002"]


def test_headings_go_down_by_one_step():
    levels = [int(tag[1]) for tag, _ in Read(page_of()).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_each_control_has_a_label_and_each_picture_words():
    html = page_of()
    page = Read(html)
    assert all(image["alt"] for image in page.of("img"))
    assert page.of("html")[0]["lang"] == "en"
    form = html[html.index("<form") : html.index("</form>")]
    assert len(re.findall(r"<(?:select|input) ", form)) == len(re.findall(r"<label", form)) == 10


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("pseudonymous", [True, False])
def test_the_page_says_which_kind_it_is(images, pseudonymous):
    shown = Read(page_of(images=images, pseudonymous=pseudonymous)).shown
    assert ("may leave the building" in shown) == (not images and pseudonymous)
    assert Kind(images=images, names=not pseudonymous).sentence in shown


def test_kinds_in_words():
    assert (
        Kind().sentence == "This report contains pictures and file names. Treat it as you treat the images."
    )
    assert Kind(images=False).sentence == "This report contains file names, but no pictures."
    assert Kind(names=False).sentence == (
        "This report contains pictures, but no file names, paths, EXIF values or names of subjects."
    )
    assert [Kind(False, False).may_leave, Kind(True, False).may_leave, Kind(False, True).may_leave] == [
        True,
        False,
        False,
    ]


def test_without_images_no_picture_is_in_it():
    scan = scan_of()
    html = page_of(scan, images=False)
    assert "data:image/jpeg" not in html
    assert not any(base64.b64encode(one.jpeg).decode() in html for one in scan.shown)
    assert "data:image/jpeg" in page_of(scan)


def test_pseudonymous_pages_hold_no_names_paths_values_or_subjects():
    scan = secret_scan()
    told = {"command": "masktune scan /home/mueller/pets"}
    summary = ["'ward-7/Mueller_03/scan003.jpg' of PAT-001 (Canon 5D) is odd."]
    html = render_scan(scan, summary=summary, images=False, pseudonymous=True, **told)
    assert [secret for secret in SECRETS if secret.lower() in html.lower()] == []
    open_html = render_scan(scan, summary=summary, images=False, **told)
    assert [secret for secret in SECRETS if secret not in open_html] == []
    shown = re.sub(r"\s+", " ", Read(html).shown)
    assert "fired on 'EXIF Model'; what it found is left out of a report without names" in shown
    assert "[left out], top left" in shown  # Although a column says "left".
    assert "'image 0002' is image 0003; image 0004 of image 0004 is [left out] at [left out]" in shown
    assert "'image 0004' of [left out] ([left out]) is odd." in shown


def test_numbers_stand_for_sorted_ids_whatever_is_shown():
    observed = observed_of(12, ids=[f"{at % 5}/{at}" for at in range(12)])
    some = Veil.of(scan_of(observed, shown=shown_of(observed)[:3]))
    assert some.numbers == Veil.of(scan_of(observed)).numbers
    assert some.numbers["0/0"] == "image 0001"
    assert some.numbers["0/10"] == "image 0002"
    assert some.numbers["4/9"] == "image 0012"


def test_short_numbers_as_ids_leave_sentences_alone():
    scan = scan_of(observed_of(12, ids=[str(at) for at in range(12)]))
    veil = Veil.of(scan)
    assert veil.text("11 of 12 turn, 4 %") == "11 of 12 turn, 4 %"
    assert veil.finding(scan.findings[0]).samples == ("image 0001", "image 0002")


def test_parts_of_names_are_found_without_ending_and_shared_folders_stand_for_nobody():
    veil = Veil.of(scan_of(observed_of(12, ids=[f"Ward/Meier{at:02}.png" for at in range(12)])))
    assert veil.text("Meier01 and Meier02.png in Ward") == "image 0002 and image 0003 in [left out]"


def test_a_number_stands_for_whole_names_only():
    veil = Veil.of(scan_of(observed_of(12, ids=[f"im{at}" for at in range(12)])))
    assert veil.text("im1, im10 and im100") == "image 0002, image 0003 and im100"


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        ("MT010", "passed", "asked, and it stayed quiet"),
        ("MT010", "not_applicable", "could not be asked of these data"),
        ("MT011", "passed", "asked, and it stayed quiet"),
        ("MT009", "hint", "fired; what it found is left out of a report without names"),
    ],
)
def test_findings_about_values_only_say_whether_they_fired(code, verdict, reason):
    veil = Veil.of(scan_of())
    told = veil.finding(
        Finding(code=code, title="t", verdict=verdict, reason="x", evidence=(Evidence("x", 1.0, 1),))
    )
    assert (told.reason, told.evidence) == (reason, ())


def test_a_summary_does_not_repeat_what_findings_about_values_say():
    long = "Station " + "x" * 90
    finding = Finding(
        code="MT011",
        title="t",
        verdict="problem",
        reason=f'"site" alone tells cat ("{long[:40]}…" speaks for it)',
        advice=f"Collect cats beyond {long[:40]}….",
        about={"column": "site", "value": long, "class": "cat"},
    )
    scan = scan_of(with_columns(observed_of(20), {"site": long}), findings=(finding,))
    summary = [f"Problem MT011: {finding.reason}. {finding.advice}"]
    html = render_scan(scan, summary=summary, images=False, pseudonymous=True)
    assert "Station" not in html
    shown = Read(html).shown
    assert "Problem MT011: fired on 'site'; what it found is left out of a report without names." in shown


def test_maps_travel_as_half_floats_or_as_roots():
    low = np.array([[0, 0.25], [1e-6, 1]], dtype=np.float16)
    half, root = encoded(low, narrow=False), encoded(low, narrow=True)
    assert half["shape"] == root["shape"] == [2, 2]
    assert base64.b64decode(half["values"]) == low.astype("<f2").tobytes()
    assert list(base64.b64decode(root["values"])) == [
        0,
        128,
        1,
        255,
    ]  # A half of 255; what is positive stays so.


def test_large_maps_take_a_byte_a_value():
    observed = observed_of(10)
    shown = [replace(one, low=map_at(3, 3, 240)) for one in shown_of(observed)]
    assert {card["map"]["kind"] for card in script_data(cards_of(shown, images=True))["cards"]} == {"root"}
    few = script_data(cards_of(shown[:2], images=True))["cards"]
    assert {card["map"]["kind"] for card in few} == {"half"}


def test_pictures_that_are_too_large_together_are_packed_tighter(monkeypatch):
    monkeypatch.setattr("masktune.report.page.gallery.PICTURES", 40_000)
    observed = observed_of(10)
    noise = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=95)
    shown = [replace(one, jpeg=file.getvalue()) for one in shown_of(observed)]
    assert 10 * len(file.getvalue()) > 40_000
    cards = cards_of(shown, images=True)
    assert sum(len(card.jpeg) for card in cards) <= 40_000
    assert {card.size for card in cards} == {(64, 48)}
    assert PICTURES * 4 / 3 < 9_000_000


def test_a_card_says_what_changes():
    cards = cards_of(shown_of(observed_of(4)), images=True)
    assert [card.changed for card in cards] == [True, False, True, False]
    assert [card["changed"] for card in script_data(cards)["cards"]] == [True, False, True, False]


def test_wrong_answers_are_marked_unless_the_net_has_classes_of_its_own():
    observed = observed_of(40)
    assert Read(page_of()).shown.count("wrongly") == 8  # Every fifth of 40.
    own = replace(observed, same_classes=False, data_labels=observed.predictions.labels)
    assert Read(page_of(scan_of(own))).shown.count("wrongly") == 0


def test_a_scan_without_shown_images_has_no_gallery():
    page = Read(page_of(scan_of(shown=())))
    assert "gallery" not in [section.get("id") for section in page.of("section")]
    assert json.loads(page.script(0))["cards"] == []


def test_other_commands_put_their_sections_into_the_same_frame():
    made = Section("arms", "Arms", "plots.html.j2", {"plots": ()})
    html = render_page(
        Page(title="t & t", command="tune", kind=Kind(), summary=["It helped."], sections=[made])
    )
    page = Read(html)
    assert [section["id"] for section in page.of("section")] == ["summary", "arms"]
    assert "<title>t &amp; t – masktune tune</title>" in html
    assert "It helped." in page.shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (-0.25, "−0.250"),
        (12.34, "12.3"),
        (1234.5, "1234"),
        (20.0, "20"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_numbers_as_text(value, text):
    assert number(value) == text


def test_intervals_p_values_and_shares_as_text():
    assert interval(0.1, 0.25) == "0.100 to 0.250"
    assert interval(None, 0.25) == interval(0.1, None) == "–"
    assert [p_value(value) for value in (0.0004, 0.001, 0.0432, 1.0, None)] == [
        "< 0.001",
        "0.001",
        "0.043",
        "1",
        "–",
    ]
    assert percent(0.256) == "26 %"
    assert percent(-0.0312, 1) == "−3.1 %"


def test_pictures_are_the_bytes_that_were_given():
    jpeg = picture_of(0)
    scan = scan_of()
    assert scan.shown[0].jpeg == jpeg
    assert f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" in page_of(scan)
