"""The table of a run in a terminal of 80 columns."""

import re

import pytest

from masktune.bench import METHODS, Cell, Column, Difference, Line, Shown
from masktune.cli.show import show_table
from masktune.evaluation import Comparison


def lines(titles):
    cells = {title: Cell(0.12345, 0.0678, (0.1, 0.2)) for title in titles}
    return [Line(method, cells, 7, 61.0, "none", "last", {}) for method in METHODS]


def shown(titles):
    return Shown(tuple(Column(title, title, "accuracy") for title in titles), titles[0], "here", "")


@pytest.mark.parametrize("count", [4, 11])
def test_no_number_and_no_name_is_cut(tmp_path, capsys, monkeypatch, count):
    monkeypatch.setenv("COLUMNS", "80")
    titles = [f"number {at}" for at in range(count)]
    found = [Difference("erm", 0, Comparison(0.0, -0.1, 0.1, 1.0, 9, 1, 1), 1.0)]
    show_table(tmp_path, lines(titles), found, shown(titles))
    out = capsys.readouterr().out
    table = out.partition("No evidence")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert table.count("12.3 ± 6.8") == count * len(METHODS)
    assert "…" not in table
    plain = re.sub(r"\s", "", table)
    if count == 4:
        assert all(name in plain for name in METHODS)
    else:  # A column a method, its name broken.
        assert all(part in table for name in METHODS for part in name.split("_"))
