"""The table of a data set as Markdown, from records whose numbers are known."""

import re
from dataclasses import replace

import pytest
from tests.report.benches import SEEDS, cell, every_method, failed, line, standings_of

from masktune.bench import METHODS
from masktune.errors import InputError
from masktune.report.bench.summary import summary_of_bench
from masktune.report.bench.table import table_of
from masktune.report.bench.words import MOST_LINES, about, guide, legend


def markdown(*tables, jobs=None, plots=None):
    return summary_of_bench([table_of(one) for one in tables], jobs or {}, "masktune bench", plots or {})


def rows_of(text):
    """Cells by method and heading, of each table in turn."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        lines = [row.strip("| ").split(" | ") for row in part.splitlines() if row.startswith("|")]
        if lines:
            head, _, *rows = lines
            found.append({row[0]: dict(zip(head, row, strict=False)) for row in rows})
    return found


def test_cells_are_the_numbers_of_the_records():
    (table,) = rows_of(
        markdown(standings_of(line("erm", 0.40), line("continue_erm", 0.45), line("rwg", 0.62)))
    )
    assert table["rwg"] == {
        "Method": "rwg",
        "Group labels read: at training": "training",
        "Group labels read: at selection": "validation",
        "Selected by": "worst group",
        # 60, 62, 64: a standard deviation of 2.
        "Worst group, %: mean of seeds": "62.0 ± 2.0",
        "Worst group, %: 95 % interval": "60.0 to 64.0",
        "Worst group, %: which": "waterbird on land (n = 642)",
        "Average accuracy, %: raw mean": "90.0 ± 0.4",
        "Average accuracy, %: train-weighted": "95.0 ± 0.4",
        "Average accuracy, %: group mean": "88.0 ± 0.4",
        "Against erm: points, 95 % interval": "+22.0 (+17.0 to +27.0)",
        "Against erm: p (Holm)": "0.004",
        "Against erm: seeds better": "3/3",
        "Against continue_erm: points, 95 % interval": "+17.0 (+12.0 to +22.0)",
        "Against continue_erm: p (Holm)": "0.004",
        "Against continue_erm: seeds better": "3/3",
        "Spent: epochs": "6",
        "Spent: images read": "28,770",
        "Spent: seconds": "512",
        "Published": r"87.6 ± 1.6 (Idrissi et al. 2022, table 2 \[S\])",
        # Of all rows ERM's is nearest, so that none stands elsewhere.
    }
    assert table["erm"]["Against erm: p (Holm)"] == "–"
    assert table["continue_erm"]["Published"] == "–"


def test_one_seed_has_no_spread():
    (table,) = rows_of(markdown(standings_of(replace(line("erm"), averages={"accuracy": cell(0.875)}))))
    assert table["erm"]["Average accuracy, %: raw mean"] == "87.5"
    assert "Average accuracy, %: group mean" not in table["erm"]


def test_a_loss_has_a_minus_and_nothing_has_none():
    loss = line("rwg", 0.30)
    level = line("subg", 0.4499999)
    (table,) = rows_of(markdown(standings_of(line("erm", 0.40), line("continue_erm", 0.45), loss, level)))
    assert table["rwg"]["Against erm: points, 95 % interval"] == "−10.0 (−15.0 to −5.0)"
    assert table["subg"]["Against continue_erm: points, 95 % interval"] == "+0.0 (−5.0 to +5.0)"


def test_what_is_published_elsewhere_says_what_differs():
    lite = standings_of(
        line("erm", 0.4), line("jtt", 0.5), net="timm:tf_efficientnet_lite0", variant="stand-in"
    )
    (table,) = rows_of(markdown(lite))
    assert "Published" not in table["jtt"]
    assert table["jtt"]["Published elsewhere"] == (
        r"86.7 / 93.3 (train-weighted; Liu et al. 2021, table 1 \[S\]; differs: ResNet-50, official images)"
    )
    text = markdown(lite)
    assert "[P\\] from memory of the paper: check it there before you print it" in text


def test_of_an_unknown_average_it_is_said_that_it_is_unknown():
    (table,) = rows_of(markdown(standings_of(line("masktune"), variant="corrected")))
    assert table["masktune"]["Published"].startswith("86.4 ± 1.9 / 93.0 ± 0.7 (which average is not known; ")


def test_where_every_seed_failed_the_row_says_why():
    text = markdown(standings_of(line("erm"), failed("jtt", "the error set is empty")))
    (table,) = rows_of(text)
    assert table["jtt"]["Group labels read: at training"] == (
        "no number: seeds 0, 1, 2 failed, the error set is empty"
    )
    assert "Published" not in table["jtt"] or not table["jtt"]["Published"].strip()
    several = replace(failed("jtt"), failed=((0, "no."), (1, "no"), (2, "disk\nfull | <b>")))
    (row,) = [row for row in markdown(standings_of(line("erm"), several)).splitlines() if row[:5] == "| jtt"]
    assert r"no number: seeds 0, 1 failed, no; seed 2 failed, disk full \| \<b\>" in row


def test_where_some_seeds_failed_a_note_says_which_and_why():
    text = markdown(every_method())
    (table,) = rows_of(text)
    assert table["jtt (note 1)"]["Worst group, %: mean of seeds"] == "62.0 ± 2.8"
    assert table["theirs (note 2)"]["Spent: seconds"] == "–"
    assert (
        "1. jtt has numbers of seeds 0, 2 only: seed 1 failed, the error set is empty; train shorter." in text
    )
    assert "2. theirs was run elsewhere and comes as predictions" in text
    assert "no number: seeds 0, 1, 2 failed, CUDA out of memory" in text


def test_jobs_that_failed_are_listed_with_their_reasons():
    text = markdown(standings_of(), jobs={"waterbirds-seed1-jtt-ab": "out of <memory>"})
    assert "## Jobs that failed\n\n- waterbirds-seed1-jtt-ab: out of \\<memory\\>\n" in text
    assert "Jobs that failed" not in markdown(standings_of())


def without_groups(*names):
    return standings_of(
        *(
            replace(line(name), worst=None, averages={"accuracy": cell(0.9, 0.91, 0.92)}, against={})
            for name in names
        ),
        dataset="photos",
        variant=None,
    )


def test_without_groups_there_is_no_worst_group_and_the_average_has_the_interval():
    text = markdown(without_groups("erm", "masktune"))
    (table,) = rows_of(text)
    assert not [head for head in table["erm"] if head.startswith("Worst group")]
    assert table["erm"]["Average accuracy, %: raw mean"] == "91.0 ± 1.0 (89.0 to 91.0)"
    assert "differences are of the average accuracy" in text
    assert "points are its accuracy minus theirs" in text
    assert "waterbird" not in text


def test_rows_of_two_metrics_are_no_table():
    mixed = standings_of(line("erm"), replace(line("jtt"), worst=None))
    with pytest.raises(
        InputError, match=r"one metric in the table of waterbirds.*known of erm, and not of jtt"
    ):
        table_of(mixed)
    # What failed has no metric.
    assert len(table_of(standings_of(line("erm"), failed("jtt"))).rows) == 2


def test_two_nets_or_variants_are_two_tables():
    first = standings_of(line("erm"), line("rwg", 0.62))
    second = standings_of(
        line("erm"), line("rwg", 0.31), net="timm:tf_efficientnet_lite0", variant="stand-in"
    )
    text = markdown(first, second)
    assert re.findall(r"^## (waterbirds.*)$", text, re.MULTILINE) == [
        "waterbirds (official), timm:resnet50",
        "waterbirds (stand-in), timm:tf_efficientnet_lite0",
    ]
    tables = rows_of(text)
    assert [table["rwg"]["Worst group, %: mean of seeds"] for table in tables] == ["62.0 ± 2.0", "31.0 ± 2.0"]
    assert [len(table) for table in tables] == [2, 2]


def test_the_guide_is_short_and_says_what_the_tests_are_about():
    lines = guide([table_of(every_method())])
    assert len(lines) == MOST_LINES == 6
    text = " ".join(lines)
    for word in (
        "erm",
        "continue_erm",
        "Holm",
        "beyond these images, not beyond these seeds",
        "Group labels",
    ):
        assert word in text
    assert len(guide([table_of(without_groups("erm"))])) == 5
    assert all(len(one) < 260 for one in lines)


def test_every_column_has_its_meaning_and_no_other_is_explained():
    table = table_of(every_method())
    explained = [title for title, _ in legend([table])]
    for column in table.columns:
        assert [title for title in explained if column.full.startswith(title.split(": points")[0])], column
    blind = [title for title, _ in legend([table_of(without_groups("erm"))])]
    assert not [title for title in blind if title.startswith(("Worst", "Against", "Published"))]


def test_what_the_table_is_about():
    one = standings_of(
        line("erm", config="budget=equal"), notes=("the images are a stand-in for the official ones",)
    )
    assert about(table_of(one)) == [
        "5,794 images of test, seeds 0, 1, 2; the data's sha256 begins with ab12ab12ab12.",
        "Settings that are not the data set's own: budget=equal.",
        "The images are a stand-in for the official ones.",
    ]


def test_strange_names_stay_names():
    odd = replace(line("erm"), worst=replace(line("erm").worst, group="a|b <i>*"))
    text = markdown(standings_of(odd, dataset="[x](y)"))
    assert r"a\|b \<i\>\*" in text
    assert r"## \[x\](y) (official)" in text


def test_all_methods_stand_in_the_table_in_order():
    table = table_of(every_method())
    assert [row.line.method for row in table.rows] == [*METHODS, "theirs"]
    assert table.of.seeds == SEEDS
