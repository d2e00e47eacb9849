"""Two runs as Markdown and as a page: what stands in them, and what must not."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.report.scans import SECRETS, scan_of, secret_scan, shown_of
from tests.report.test_page import Read
from tests.report.two_runs import better_of, saved, two_scans

from masktune.findings.comparing import compare_scans
from masktune.report import Told, compare_runs, comparison_in_words, write_comparison
from masktune.report.in_words import summary_of_comparison
from masktune.report.page import Kind, render_scan
from masktune.report.page.comparison_page import LISTED, render_comparison
from masktune.report.told import told_of

HOSTILE = "</script><script>alert('1')</script>\"<b>"


def written(root, typed=((), ()), told=None, scans=None):
    """The page and the Markdown of a comparison."""
    files = write_comparison(*saved(root, *(scans or two_scans()), typed), *([told] if told else [])).files
    assert [file.name for file in files] == ["comparison.md", "comparison.html"]
    return files[1].read_text(), files[0].read_text()


def words_of(html):
    return re.sub(r"\s+", " ", Read(html).shown)


def test_the_summary_says_what_got_better_what_differs_and_what_moved(tmp_path):
    """Eight of 40 were wrong and are right now, image 1 the other way round."""
    html, text = written(tmp_path)
    for told in (
        # 8 gained, 1 lost: exact McNemar 2 (1 + 9) / 2^9 = 0.039, four rows: no evidence after Holm.
        "No evidence that the new run is better or worse: none of 4 numbers differs",
        "What differs between the runs: weights; settings (max_images, model). More than one of these can",
        "40 images are in both runs, paired by id. 9 are called otherwise now: 8 right now and wrong before",
        "1 wrong now and right before.",
        "Findings that came: MT010 (not applicable, then hint); that went: MT002 (problem, then passed)",
        "with another verdict or value: MT001 (hint, then problem).",
    ):
        assert told in words_of(html)
        assert told in text
    assert "max_images was None, is 80" in text
    assert "weights_sha256 was aaaaaaaaaaaa..., is bbbbbbbbbbbb..." in text
    assert "| accuracy | 80.0 | 97.5 | +17.5 (" in text
    assert "1 images are wrong now, right before: dog/0001.jpg" in text


def test_better_and_worse_come_with_their_intervals():
    before, after = two_scans(200)
    better = compare_scans(before, after)
    (change,) = [one for one in better.changes if one.name == "accuracy"]
    interval = f"({100 * change.low:+.1f} to {100 * change.high:+.1f})".replace("-", "−")
    assert (
        f"Better: accuracy 80.0 %, now 99.5 %, points +19.5 {interval};" in summary_of_comparison(better)[0]
    )
    worse = summary_of_comparison(compare_scans(after, before))[0]
    assert "Better: nothing that stands out. Worse: accuracy 99.5 %, now 80.0 %, points −19.5" in worse


def test_new_problems_come_before_better_numbers():
    """A classifier that leans on a caption is right more often where there is one."""
    before, after = two_scans(200)
    told = compare_scans(before, after)
    assert [turn.finding.code for turn in told.new_problems] == ["MT001"]  # A hint before.
    summary = summary_of_comparison(told)[0]
    assert summary.startswith(
        f"The new run has 1 new problem (MT001: {told.new_problems[0].finding.reason}). Better"
    )
    assert "Better numbers may then be the shortcut's. Better: accuracy" in summary
    sides = render_comparison(told, (), name="pets", kind=Kind(images=False), summary=[summary])
    assert re.search(r"1\s+new problem\b", words_of(sides))
    back = summary_of_comparison(compare_scans(after, before))[0]
    assert back.startswith("The new run has 1 new problem (MT002")
    assert "may then be" not in back  # Nothing got better.


def test_pictures_that_changed_are_counted():
    scan = scan_of()
    tiny = scan.observed.tiny.copy()
    tiny[:3, 0, 0] ^= 1
    other = replace(scan, observed=replace(scan.observed, tiny=tiny))
    told = compare_scans(scan, other)
    assert [one.sentence for one in told.differences] == ["what the net sees of 3 images is another"]


def test_two_runs_that_are_the_same():
    scan = scan_of()
    told = summary_of_comparison(compare_scans(scan, scan))
    assert told[1].startswith("Nothing that is recorded differs between the runs")
    assert told[2] == "40 images are in both runs, paired by id. Each is called the same by both."
    assert told[3] == "No finding came, went, or has another verdict or value."
    assert "The runs do not differ." in comparison_in_words(compare_scans(scan, scan))


def test_flip_rates_of_different_areas_are_said_to_be():
    before, after = scan_of(), scan_of(settings={**scan_of().settings, "threshold": "TopFraction(share=0.1)"})
    told = summary_of_comparison(compare_scans(before, after))[1]
    assert told.endswith(
        "The salient area was found in another way, so the flip rates are of different areas."
    )


def test_the_page_shows_rates_findings_and_the_images_that_moved(tmp_path):
    html, _ = written(tmp_path)
    page = Read(html)
    sections = [section["id"] for section in page.of("section")]
    assert sections == ["summary", "changes", "differences", "findings", "images"]
    shown = words_of(html)
    for told in (
        "+17.5",
        "Old run hint : in images called",
        "problem : it looks at one corner",
        "hint, now problem",
    ):
        assert told in shown
    assert "passed : no place stands out" in shown
    # 9 cards; each is called otherwise than before.
    assert len([image for image in page.of("img") if image["src"].startswith("data:image/jpeg")]) == 9
    assert "Image of dog, called dog before and cat now" in [image["alt"] for image in page.of("img")]
    assert Kind().sentence in shown
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_long_lists_are_cut_and_say_so():
    before, after = two_scans(5 * (LISTED + 20))
    html = render_comparison(
        compare_scans(before, replace(after, shown=())), (), name="p", kind=Kind(), summary=[]
    )
    assert "20 more are in images.csv of the two runs." in words_of(html)
    assert html.count("<bdi>cat/") + html.count("<bdi>dog/") == LISTED + 1
    assert Kind(images=False).sentence in html  # None of them has a picture.


def test_a_strangers_text_is_text(tmp_path):
    ids = [f"{HOSTILE}{at}" for at in range(40)]
    before, after = two_scans(classes=(HOSTILE, "dog"), ids=ids, name=HOSTILE)
    column = replace(
        after.findings[1], title=HOSTILE, reason=HOSTILE, advice=HOSTILE, about={HOSTILE: HOSTILE}
    )
    after = replace(after, findings=(column,), settings={HOSTILE: HOSTILE})
    html, _ = written(tmp_path, scans=(before, after), typed=((HOSTILE,), (HOSTILE,)))
    page = Read(html)
    assert len(page.of("script")) == 2
    assert page.of("b") == []
    assert page.shown.count(HOSTILE) > 40


@pytest.mark.parametrize("side", [0, 1])
def test_what_one_run_keeps_to_itself_the_comparison_does_too(tmp_path, side):
    typed = [(), ()]
    typed[side] = ("--no-images", "--pseudonymous-ids")
    html, text = written(tmp_path, typed)
    assert "data:image/jpeg" not in html
    assert "may leave the building" in words_of(html)
    for told in (html, text):
        assert not re.search(r"mueller|cat/0|dog/0|\.jpg|pets", told)
    assert "1 images are wrong now, right before: image 0021" in text  # dog/0001.jpg comes after 20 cats.
    assert "model is another" in text
    assert "max_images was None, is 80" in text


def test_pictures_alone_can_be_left_out_and_names_alone(tmp_path):
    html, _ = written(tmp_path / "a", ((), ("--no-images",)))
    assert Kind(images=False).sentence in html
    assert "dog/0001.jpg" in html
    html, _ = written(tmp_path / "b", told=Told(pseudonymous=True))
    assert Kind(names=False).sentence in html
    assert html.count("data:image/jpeg") == 9
    assert "dog/0001.jpg" not in html


def test_a_report_that_was_drawn_again_says_what_may_be_told(tmp_path):
    new, old = saved(tmp_path, *two_scans())
    assert told_of(new, {"argv": ["scan"]}) == Kind()
    (new / "report.html").write_text(render_scan(scan_of(), images=False, pseudonymous=True, summary=[]))
    assert told_of(new, {}) == Kind(images=False, names=False)
    (old / "report.json").write_text(json.dumps({"kind": {"images": False, "names": False}}))
    assert told_of(old, {"argv": ["scan", "--no-images=true"]}) == Kind(images=False, names=False)
    html = write_comparison(new, old).files[1].read_text()
    assert "may leave the building" in html


def test_no_secret_of_either_run_is_told(tmp_path):
    """Values of columns are not on disk; findings that are about them are cut whole."""
    before = secret_scan()
    odd = replace(before.findings[1], reason=before.findings[1].reason.replace(" at Charité", ""))
    before = replace(before, findings=(before.findings[0], odd))
    after = replace(before, observed=better_of(before.observed), findings=())
    after = replace(after, shown=shown_of(after.observed))
    html, text = written(tmp_path, ((), ("--pseudonymous-ids",)), scans=(before, after))
    assert [secret for secret in SECRETS if secret.lower() in (html + text).lower()] == []
    assert "fired on 'EXIF Model'; what it found is left out" in words_of(html)


def test_an_image_has_the_number_that_the_new_runs_report_gives_it(tmp_path):
    """The old run has three images more, which come first by name, so that its own numbers are others."""
    after = two_scans(37, ids=[f"m{at:03}" for at in range(37)])[1]
    before = two_scans(40, ids=[f"a{at:03}" for at in range(3)] + [f"m{at:03}" for at in range(37)])[0]
    odd = replace(before.findings[0], code="MT013", reason="'m005' is like 'a001'", about={"split": "test"})
    before = replace(before, findings=(odd,))
    _, text = written(tmp_path, ((), ("--pseudonymous-ids",)), scans=(before, after))
    assert "MT013 (problem): 'image 0006' is like '[left out]'" in text


def test_a_scan_that_was_saved_from_python_has_no_record(tmp_path):
    new, old = saved(tmp_path, *two_scans())
    for folder in (new, old):
        (folder / "run.json").unlink()
    assert compare_runs(new, old).differences == ()
    assert write_comparison(new, old).files[1].exists()


def test_other_splits_and_a_new_subject_column_stand_on_the_page(tmp_path):
    """Three of 40 images were in train and are in test now; subjects are given now."""
    before, after = two_scans()
    splits = np.array(["train"] * 30 + ["test"] * 10)
    before = with_predictions(before, splits=splits)
    moved = np.where(np.arange(40) < 3, "test", splits)
    after = with_predictions(after, splits=moved, subjects=np.array([f"PAT-{at // 2}" for at in range(40)]))
    html, text = written(tmp_path, scans=(before, after))
    assert "- split of 3 images was train, is test" in text
    assert "- number of subjects was not given, is 20" in text
    shown = words_of(html)
    assert "Splits, subjects, groups split of 3 images train test number of subjects not given 20" in shown
    named = "splits, subjects or groups (split of 3 images, number of subjects)"
    assert named in shown
    assert named in text
    others = with_predictions(after, subjects=np.array([f"PAT-{at}" for at in range(40)]))
    html, text = written(tmp_path / "other", scans=(after, others))
    assert "- subject of 39 images is another" in text  # All but the first of PAT-0.
    assert "subject of 39 images another" in words_of(html)


def with_predictions(scan, **columns):
    predictions = replace(scan.observed.predictions, **columns)
    return replace(scan, observed=replace(scan.observed, predictions=predictions))


def test_a_value_that_moved_stands_on_the_page(tmp_path):
    before, after = two_scans()
    old = replace(before.findings[1], code="MT008", about={"column": "size", "value": "1 to 3"})
    new = replace(old, about={"column": "size", "value": "1 to 4"})
    scans = (replace(before, findings=(old,)), replace(after, findings=(new,)))
    html, text = written(tmp_path / "open", scans=scans)
    assert "Has another verdict or value:\n\n- MT008 (hint) is of '1 to 4' instead of '1 to 3': " in text
    assert "hint, of another value" in words_of(html)
    assert "with another verdict or value: MT008 (hint, of another value)." in words_of(html)
    _, text = written(tmp_path / "veiled", told=Told(pseudonymous=True), scans=scans)
    assert "- MT008 (hint) is of another value: " in text
