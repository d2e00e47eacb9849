"""`table.csv` reads back as it was, and no spreadsheet runs what is in it."""

import csv
import io
from dataclasses import replace

import pytest
from tests.report.benches import cell, every_method, line, standings_of

from masktune.findings.review_file import out_of_cell
from masktune.report.bench.csv_file import csv_of


def rows_of(*tables):
    return [*csv.DictReader(io.StringIO(csv_of(tables), newline=""))]


def test_one_row_a_data_set_and_method_and_no_cell_too_many():
    rows = rows_of(every_method(), every_method(dataset="celeba", net="timm:tf_efficientnet_lite0"))
    assert len(rows) == 2 * 23
    assert [(row["dataset"], row["net"]) for row in rows] == [
        *[("waterbirds", "timm:resnet50")] * 23,
        *[("celeba", "timm:tf_efficientnet_lite0")] * 23,
    ]
    assert all(None not in row and None not in row.values() for row in rows)


def test_numbers_are_plain_and_whole():
    (row,) = rows_of(standings_of(replace(line("rwg", 0.62), averages={"accuracy": cell(1 / 3, 2 / 3)})))
    assert float(row["accuracy_mean (fraction)"]) == 0.5
    assert float(row["against_erm_difference (fraction)"]) == 0.62 - 0.40
    assert float(row["against_erm_low (fraction)"]) == 0.62 - 0.40 - 0.05
    assert (row["against_erm_p"], row["against_erm_p_holm"]) == ("0.001", "0.004")
    assert (row["against_erm_seeds_better"], row["against_erm_seeds"]) == ("3", "3")
    assert row["accuracy_train_weighted_mean (fraction)"] == ""
    assert row["samples (images)"] == "28770.0"


def test_units_stand_in_the_header():
    (row,) = rows_of(standings_of(line("rwg")))
    units = {name.rpartition("(")[2].rstrip(")") for name in row if "(" in name}
    assert units == {"fraction", "images", "s", "images x seeds"}


def test_published_values_and_what_differs():
    rows = rows_of(standings_of(line("rwg"), line("jtt"), line("random_mask")))
    first, second, third = rows
    assert (first["published_worst_group (fraction)"], first["published_setting"]) == ("0.876", "same")
    assert (second["published_average (fraction)"], second["published_average_of"]) == (
        "0.933",
        "accuracy_train_weighted",
    )
    assert not any(value for name, value in third.items() if name.startswith("published"))
    (lite,) = rows_of(standings_of(line("jtt"), net="timm:tf_efficientnet_lite0"))
    assert (lite["published_setting"], lite["published_differs"]) == ("differs", "ResNet-50")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-2+3", "@sum", "2024-01-02", "1e5", "true", " a "])
def test_a_spreadsheet_runs_and_changes_nothing(name):
    worst = replace(line("erm").worst, group=name)
    (row,) = rows_of(standings_of(replace(line("erm"), worst=worst, config=name), dataset=name))
    for column in ("dataset", "worst_group", "config"):
        assert row[column] == f"'{name}'"
        assert out_of_cell(row[column]) == name


def test_commas_quotes_and_lines_come_back():
    name = 'a,"b"\r\nc;d'
    (row,) = rows_of(standings_of(line("erm"), dataset=name))
    assert out_of_cell(row["dataset"]) == name
