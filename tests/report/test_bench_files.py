"""What `write_bench` leaves in the folder of a real bench, against numbers computed from the predictions."""

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from masktune.bench import Common, Plan, Source, open_bench, run_bench, standings
from masktune.errors import InputError, StorageError
from masktune.report import write_bench

pytestmark = pytest.mark.filterwarnings("ignore:.*masks hide nothing")

SEEDS = (0, 1)
METHODS = ("erm", "continue_erm", "masktune", "suby")
FILES = {
    *("summary.md", "table.tex", "table.csv", "table.html", "references.bib"),
    *("scatter-biased-digits.svg", "scatter-biased-digits.pdf"),
}

BROKEN = """
class Never:
    name = "never"
    supervision = "none"

    def fit(self, task):
        raise ValueError("a loss of 3 % & more_than $1")


class Sometimes:
    name = "sometimes"
    supervision = "none"

    def fit(self, task):
        from masktune.methods import ERM
        if task.seed == 1:
            raise ValueError("no luck")
        return ERM().fit(task)
"""


@pytest.fixture(scope="module")
def benched(tmp_path_factory):
    """Four methods of ours, one that always fails and one that fails with seed 1; one epoch each."""
    place = tmp_path_factory.mktemp("bench")
    (place / "broken.py").write_text(BROKEN)
    own = tuple(f"{place / 'broken.py'}:{name}" for name in ("Never", "Sometimes"))
    plan = Plan(
        sources=(Source.typed("biased-digits"),),
        methods=(*METHODS, *own),
        seeds=SEEDS,
        threads=1,
        common=Common(epochs=1),
    )
    out = place / "out"
    return run_bench(open_bench(plan, out), out, argv=["bench", "--out", "my bench"], finish=write_bench)


@pytest.fixture(scope="module")
def rows(benched):
    """The rows of table.csv by method."""
    with (benched.out / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["method"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def right(benched):
    """By method: right or wrong (seeds, images), and the images' groups."""
    found = {}
    for method in METHODS:
        stored = [
            np.load(benched.out / f"models/biased-digits/seed-{seed}/{method}/predictions/conflicting.npz")
            for seed in SEEDS
        ]
        assert all((one["ids"] == stored[0]["ids"]).all() for one in stored)
        correct = np.stack([one["logits"].argmax(1) == one["labels"] for one in stored])
        found[method] = correct, stored[0]["groups"]
    return found


def by_group(correct, groups):
    return {str(name): correct[..., groups == name] for name in np.unique(groups)}


def worst(correct, groups):
    """The lowest accuracy of the groups: of one seed, or the mean of each seed's own."""
    if correct.ndim == 2:
        return float(np.mean([worst(one, groups) for one in correct]))
    return float(min(of.mean() for of in by_group(correct, groups).values()))


def test_all_files_are_there_and_none_is_half_written(benched):
    here = {path.name for path in benched.out.iterdir()}
    assert here >= FILES
    assert not [name for name in here if name.endswith(".part")]
    assert (benched.out / "scatter-biased-digits.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("method", METHODS)
def test_accuracies_are_those_of_the_predictions(rows, right, method):
    row, (correct, groups) = rows[method], right[method]
    each = [float(of.mean()) for of in correct]
    assert float(row["accuracy_mean (fraction)"]) == pytest.approx(np.mean(each), abs=1e-12)
    assert float(row["accuracy_sd (fraction)"]) == pytest.approx(np.std(each, ddof=1), abs=1e-12)
    assert float(row["accuracy_all_seeds (fraction)"]) == pytest.approx(correct.mean(), abs=1e-12)
    assert int(row["accuracy_all_seeds_n (images x seeds)"]) == correct.size
    means = [np.mean([of.mean() for of in by_group(one, groups).values()]) for one in correct]
    assert float(row["accuracy_group_mean_mean (fraction)"]) == pytest.approx(np.mean(means), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_worst_groups_are_those_of_the_predictions(rows, right, method):
    row, (correct, groups) = rows[method], right[method]
    each = [worst(of, groups) for of in correct]
    assert float(row["worst_group_accuracy_mean (fraction)"]) == pytest.approx(np.mean(each), abs=1e-12)
    assert float(row["worst_group_accuracy_sd (fraction)"]) == pytest.approx(np.std(each, ddof=1), abs=1e-12)
    names = [
        min(sorted(of), key=lambda name: of[name].mean()) for of in (by_group(one, groups) for one in correct)
    ]
    assert names.count(row["worst_group"]) == int(row["worst_group_seeds"]) == max(map(names.count, names))
    assert int(row["worst_group_images"]) == (groups == row["worst_group"]).sum()
    low, high = (float(row[f"worst_group_{end} (fraction)"]) for end in ("low", "high"))
    assert low <= np.mean(each) <= high


@pytest.mark.parametrize(("method", "base"), [*product(("masktune", "suby"), ("erm", "continue_erm"))])
def test_differences_are_those_of_the_predictions(rows, right, method, base):
    row, (ours, groups), (theirs, _) = rows[method], right[method], right[base]
    expected = worst(ours, groups) - worst(theirs, groups)
    assert float(row[f"against_{base}_difference (fraction)"]) == pytest.approx(expected, abs=1e-12)
    better = sum(worst(one, groups) > worst(other, groups) for one, other in zip(ours, theirs, strict=True))
    assert (int(row[f"against_{base}_seeds_better"]), int(row[f"against_{base}_seeds"])) == (better, 2)
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert int(row[f"against_{base}_gained (images x seeds)"]) == gained
    assert int(row[f"against_{base}_lost (images x seeds)"]) == lost
    # The images are drawn, each with both seeds.
    random = np.random.default_rng(7)
    drawn = []
    for _ in range(1500):
        some = random.integers(len(groups), size=len(groups))
        drawn.append(worst(ours[:, some], groups[some]) - worst(theirs[:, some], groups[some]))
    ends = [float(row[f"against_{base}_{end} (fraction)"]) for end in ("low", "high")]
    assert ends == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.006)


def test_p_values_are_corrected_for_all_of_the_table(rows):
    plain = {
        (method, base): (float(row[f"against_{base}_p"]), float(row[f"against_{base}_p_holm"]))
        for method, row in rows.items()
        for base in ("erm", "continue_erm")
        if row[f"against_{base}_p"]
    }
    ordered, least = sorted(plain.values()), 0.0
    assert len(ordered) == 7  # One baseline against the other, and three methods against both.
    for rank, (p, corrected) in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - rank) * p))
        assert corrected == pytest.approx(least, abs=1e-12)


def test_labels_cost_and_rule_are_those_of_the_run(rows, benched):
    assert rows["suby"]["group_labels_at_training"] == "none"
    assert rows["suby"]["group_labels_at_selection"] == "validation_groups"
    assert rows["suby"]["selection"] == "worst_group"
    assert rows["masktune"]["group_labels_at_selection"] == "none"
    assert [rows[name]["epochs"] for name in METHODS] == ["1", "2", "2", "1"]
    assert float(rows["erm"]["samples (images)"]) == 1000
    assert rows["erm"]["data_sha256"] == benched.bench.data[0].sha256
    assert rows["erm"]["split_images"] == "597"
    assert float(rows["erm"]["seconds (s)"]) > 0


def test_what_failed_is_a_row_that_says_why(rows, benched):
    why = "ValueError: a loss of 3 % & more_than $1"
    assert rows["never"]["failed"] == f"seed 0: {why}; seed 1: {why}"
    assert (rows["never"]["seeds_done"], rows["never"]["seeds_failed"]) == ("0", "2")
    assert rows["never"]["accuracy_mean (fraction)"] == rows["never"]["group_labels_at_training"] == ""
    assert (rows["sometimes"]["seeds_done"], rows["sometimes"]["failed"]) == (
        "1",
        "seed 1: ValueError: no luck",
    )
    assert rows["sometimes"]["accuracy_mean (fraction)"] == str(
        next(
            row.value
            for row in benched.rows
            if (row.method, row.seed, row.split, row.metric) == ("erm", 0, "conflicting", "accuracy")
        )
    )
    assert rows["sometimes"]["accuracy_sd (fraction)"] == ""
    text = (benched.out / "summary.md").read_text()
    assert f"| never | no number: seeds 0, 1 failed, {why} |" in text
    assert "1. sometimes has numbers of seed 0 only: seed 1 failed, ValueError: no luck." in text
    assert re.search(
        r"^- biased-digits-seed1-sometimes-[0-9a-f]{10}: ValueError: no luck$", text, re.MULTILINE
    )


def test_the_summary_says_what_was_typed_and_shows_the_numbers_of_the_csv(benched, rows):
    text = (benched.out / "summary.md").read_text()
    assert text.startswith("# Bench: biased-digits\n\n`masktune bench --out 'my bench'`\n")
    sha = benched.bench.data[0].sha256
    assert f"597 images of conflicting, seeds 0, 1; the data's sha256 begins with {sha[:12]}." in text
    assert "## biased-digits (sorted), SmallCNN\n" in text
    assert "![Worst group against average accuracy, each seed](scatter-biased-digits.svg)" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| masktune |")]
    row = rows["masktune"]
    mean, spread = (100 * float(row[f"worst_group_accuracy_{name} (fraction)"]) for name in ("mean", "sd"))
    assert f"| {mean:.1f} ± {spread:.1f} |" in line
    some = "" if row["worst_group_seeds"] == "2" else f", {row['worst_group_seeds']} of 2 seeds"
    assert f"| {row['worst_group']} (n = {row['worst_group_images']}{some}) |" in line
    gain = 100 * float(row["against_erm_difference (fraction)"])
    assert f"| {gain:+.1f} (" in line


class Addresses(HTMLParser):
    """All that a page could load, and its policy."""

    def __init__(self):
        super().__init__()
        self.found, self.policy, self.cells = [], "", []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        self.found += [given[name] for name in ("src", "srcset", "data", "poster", "action") if name in given]
        if tag in ("link", "iframe", "object", "embed", "form", "base"):
            self.found.append(f"<{tag}>")
        if tag == "a":
            self.found += [given["href"]] if not given["href"].startswith("#") else []


def test_the_page_asks_nobody_for_anything(benched):
    html = (benched.out / "table.html").read_text()
    page = Addresses()
    page.feed(html)
    assert page.policy.startswith("default-src 'none'; img-src data:;")
    assert page.found
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.found)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", html)


def test_the_page_shows_guide_table_reasons_and_plot(benched):
    html = (benched.out / "table.html").read_text()
    for words in ("How to read it", "beyond these images, not beyond these seeds", "What the columns mean"):
        assert words in html
    assert "<bdi>Bench: biased-digits</bdi>" in html
    assert re.search(
        r'<th scope="row" dir="auto">never</th><td colspan="\d+" class="failed" dir="auto"><span>'
        r"no number: seeds 0, 1 failed, ValueError: a loss of 3 % &amp; more_than \$1</span>",
        html,
    )
    assert '<th scope="row" dir="auto">sometimes<sup>1</sup></th>' in html
    assert 'id="plot-scatter-1"' in html


def test_the_same_bench_gives_the_same_files(benched, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(benched.out, out)
    for name in FILES:
        (out / name).unlink()
    write_bench(replace(benched, out=out))
    for name in FILES:
        assert (out / name).read_bytes() == (benched.out / name).read_bytes(), name


def test_rows_of_another_variant_are_refused(benched):
    (first, *others) = benched.results.rows
    rows = [replace(first, variant="random"), *others]
    with pytest.raises(InputError, match="one variant of biased-digits in a table, sorted, got random too"):
        standings(replace(benched, results=replace(benched.results, rows=rows)))


def test_a_folder_that_cannot_be_written_is_one_line(benched, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(benched.out, out)
    (out / "table.csv").unlink()
    (out / "table.csv").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*table\.csv: there is a folder of that name"):
        write_bench(replace(benched, out=out))


def test_the_references_are_those_of_the_package_and_travel_in_the_wheel(benched):
    own = Path(__file__).parents[2] / "src/masktune/report/references.bib"
    assert (benched.out / "references.bib").read_bytes() == own.read_bytes()
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling builds the wheel")
    root = str(Path(__file__).parents[2])
    files = {file.distribution_path for file in wheel.WheelBuilder(root).recurse_included_files()}
    assert "masktune/report/references.bib" in files


def test_every_key_that_the_table_cites_is_in_the_references(benched):
    cited = set(re.findall(r"\\cite\{([^}]*)\}", (benched.out / "table.tex").read_text()))
    known = set(re.findall(r"^@\w+\{([^,]+),", (benched.out / "references.bib").read_text(), re.MULTILINE))
    assert {"vapnik1991principles", "asgari2022masktune", "idrissi2022balancing"} <= cited <= known


def test_results_come_after_the_table(benched):
    assert json.loads((benched.out / "results.json").read_text())["command"] == "bench"
    table, results = (benched.out / name for name in ("summary.md", "results.json"))
    assert table.stat().st_mtime_ns <= results.stat().st_mtime_ns
