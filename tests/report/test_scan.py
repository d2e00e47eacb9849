"""What a scan's folder tells, and that it never tells more than its run did."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.report.scans import SECRETS, observed_of, scan_of, secret_scan

from masktune.evaluation.weighted import LabelledSample
from masktune.findings.review_answers import Groups
from masktune.report import Told, redraw_scan, told_of, write_scan, write_told
from masktune.report import scan as written_by
from masktune.report.page import Kind
from masktune.report.page.veil import UNTOLD
from masktune.runs import RunRecord

TOLD_FILES = {"report.html", "report.json", "summary.md", "masks.png"}
NOTHING = Told(images=False, pseudonymous=True)


@pytest.fixture
def drawn(monkeypatch):
    """The examples of each sheet that is drawn."""
    sheets = []

    def draw(examples, path):
        sheets.append(examples)
        path.write_bytes(b"a sheet")

    monkeypatch.setattr(written_by, "draw_examples", draw)
    return sheets


def run_of(folder, scanned, told, *flags):
    """A finished run that was typed with these flags."""
    folder.mkdir()
    record = RunRecord.now(
        command="scan",
        argv=["scan", "/home/mueller/pets", *flags],
        settings={},
        data=[],
        weights_sha256=None,
        threads=1,
        device="cpu",
    )
    (folder / "run.json").write_text(json.dumps(record.to_json()))
    write_scan(folder, scanned, told)
    return folder


def labelled(scanned, pattern):
    """Answers about the first ten images: odd ones have the pattern. Of them 0 and 5 are wrong."""
    ids, labels = scanned.observed.ids[:10], scanned.observed.labels[:10]
    names = scanned.observed.data_classes
    groups = [f"{names[label]}, {'' if at % 2 else 'no '}{pattern}" for at, label in enumerate(labels)]
    n = len(scanned.observed)
    sample = LabelledSample(ids, np.array(groups), np.array(["all"] * 10), {"all": n})
    return replace(scanned, groups=Groups(pattern, sample, 10))


def texts_of(folder):
    return {name: (folder / name).read_text() for name in ("report.html", "report.json", "summary.md")}


def test_the_sheet_of_a_pseudonymous_report_has_numbers_above_its_images(tmp_path, drawn):
    write_scan(tmp_path, secret_scan(), Told(pseudonymous=True))
    write_scan(tmp_path, secret_scan())
    hidden, plain = ([*one.titles.tolist(), *one.captions.tolist()] for one in drawn)
    # Images that findings name come first, and ids begin with a ward: 0000 is number 1.
    assert hidden[:2] == ["cat: image 0001", "dog: image 0002"]
    assert [secret for secret in SECRETS for title in hidden if secret.lower() in title.lower()] == []
    assert plain[:2] == ["cat: scan000.jpg", "dog: scan001.jpg"]


@pytest.mark.parametrize(
    ("told", "stays"),
    [(Told(images=False), False), (NOTHING, False), (Told(), True), (Told(pseudonymous=True), True)],
)
def test_a_sheet_that_is_not_to_be_told_is_taken_away(tmp_path, told, stays):
    write_scan(tmp_path, scan_of())
    first = (tmp_path / "masks.png").read_bytes()
    write_told(tmp_path, scan_of(), told)
    assert (tmp_path / "masks.png").exists() == stays
    if stays:  # The titles are other ones.
        assert ((tmp_path / "masks.png").read_bytes() == first) != told.pseudonymous


@pytest.mark.parametrize(("told", "stays"), [(Told(), True), (Told(pseudonymous=True), False)])
def test_a_sheet_that_cannot_be_drawn_again_stays_only_if_names_may_be_told(tmp_path, told, stays):
    """A threshold of a user's own does not come back from disk."""
    write_scan(tmp_path, scan_of())
    write_told(tmp_path, scan_of(threshold=None), told)
    assert (tmp_path / "masks.png").exists() == stays


def test_only_what_tells_is_written_again(tmp_path):
    write_scan(tmp_path, scan_of())
    before = {path.name for path in tmp_path.iterdir()}
    assert before == {*TOLD_FILES, "images.csv", "scan.json", "scan.npz"}
    for path in tmp_path.iterdir():
        path.unlink()
    write_told(tmp_path, scan_of(), Told())
    assert {path.name for path in tmp_path.iterdir()} == TOLD_FILES


def test_a_report_that_is_drawn_again_has_what_a_person_labelled(tmp_path):
    """Of five images without a mark 0 is wrong, of five with it 5 is."""
    scanned = labelled(scan_of(), "a mark in the top left corner")
    run = run_of(tmp_path / "run", scanned, Told())
    said = "10 images were looked at by a person for a mark in the top left corner. The worst group is"
    before = texts_of(run)
    for name in TOLD_FILES:
        (run / name).unlink()
    redraw_scan(run, Told())
    for name, text in texts_of(run).items():
        assert said in before[name]
        assert said in text
    again, told = (json.loads(texts["report.json"])["summary"] for texts in (texts_of(run), before))
    assert again == told


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("a mark in the top left corner", "a mark in the top left corner"),
        ("a shortcut to cat", "a shortcut to cat"),
        ("a shortcut", "a shortcut"),
        ("a sign of site Charité", UNTOLD),
        ("a shortcut to PAT-001", UNTOLD),
    ],
)
def test_a_pattern_that_may_quote_a_value_is_not_told(tmp_path, pattern, told):
    """Also where the report is drawn again: the columns are not on disk, so no value is known."""
    scanned = secret_scan()  # Its MT013 quotes a column, which no finding of ours but MT009 to MT011 does.
    scanned = replace(scanned, findings=scanned.findings[:1])
    run = run_of(tmp_path / "run", labelled(scanned, pattern), NOTHING)
    for again in (False, True):
        if again:
            redraw_scan(run, Told())
        for text in texts_of(run).values():
            assert f"looked at by a person for {told}. The worst group is" in text
            assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []


@pytest.mark.parametrize(
    ("flags", "told", "kept"),
    [
        (("--no-images", "--pseudonymous-ids"), NOTHING, ("pictures", "names")),
        (("--no-images",), Told(images=False), ("pictures",)),
        (("--pseudonymous-ids",), Told(pseudonymous=True), ("names",)),
        ((), Told(), ()),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
def test_a_report_that_is_drawn_again_tells_no_more_than_it_did(tmp_path, flags, told, kept, lost):
    """As well where its files were lost: then what was typed counts."""
    run = run_of(tmp_path / "run", scan_of(), told, *flags)
    if lost:
        for name in TOLD_FILES:
            (run / name).unlink(missing_ok=True)
    drawn = redraw_scan(run, Told())
    assert (drawn.page, drawn.kept) == (run / "report.html", kept)
    html = (run / "report.html").read_text()
    assert ("data:image/jpeg" in html) == told.images
    assert (run / "masks.png").exists() == told.images
    for text in texts_of(run).values():
        assert ("0001.jpg" in text or "/home/mueller" in text) != told.pseudonymous
    assert Kind.said_by(html) == Kind(images=told.images, names=not told.pseudonymous)


def test_what_was_drawn_without_stays_without(tmp_path):
    run = run_of(tmp_path / "run", scan_of(), Told())
    assert redraw_scan(run, NOTHING).kept == ()
    assert redraw_scan(run, Told()).kept == ("pictures", "names")
    assert "data:image/jpeg" not in (run / "report.html").read_text()


def test_a_scan_typed_again_gives_both_back(tmp_path):
    """It draws what is wanted then, and the line that began the run counts no more."""
    run = run_of(tmp_path / "run", scan_of(), NOTHING, "--no-images", "--pseudonymous-ids")
    argv = json.loads((run / "run.json").read_text())
    assert told_of(run, argv) == Kind(images=False, names=False)
    write_told(run, scan_of(), Told())
    assert told_of(run, argv) == Kind()
    assert redraw_scan(run, Told()).kept == ()
    assert "data:image/jpeg" in (run / "report.html").read_text()


def test_of_page_and_record_the_one_that_tells_less_counts(tmp_path):
    """As a kill between them leaves them."""
    argv = {"argv": ["scan"]}
    run = run_of(tmp_path / "run", scan_of(), Told())
    record = (run / "report.json").read_text()
    write_told(run, scan_of(), Told(pseudonymous=True))
    (run / "report.json").write_text(record)
    assert told_of(run, argv) == Kind(names=False)
    (run / "report.html").write_text("<p>half a page")
    (run / "report.json").unlink()
    assert told_of(run, argv) == Kind()
    assert told_of(run, {"argv": ["scan", "--no-images"]}) == Kind(images=False)


def test_what_is_asked_for_within_and_beyond_what_may_be_told():
    assert Told().within(Kind(images=False)) == Told(images=False)
    assert Told(command="c").within(Kind(names=False)) == Told(command="c", pseudonymous=True)
    assert NOTHING.within(Kind()) == NOTHING
    assert NOTHING.beyond(Kind(images=False, names=False)) == ()
    assert Told().beyond(Kind(images=False, names=False)) == ("pictures", "names")


def test_an_observation_without_pictures_has_no_sheet(tmp_path):
    write_scan(tmp_path, scan_of(observed_of(12), shown=()))
    assert not (tmp_path / "masks.png").exists()
