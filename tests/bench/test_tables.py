from dataclasses import replace

import numpy as np
import pytest

from masktune.bench import Column, Published, Shown, differences, table
from masktune.bench.digits import SHOWN
from masktune.evaluation import Predictions
from masktune.runs import Row, save_predictions


def row(method, seed, value, split="conflicting", metric="accuracy"):
    return Row(
        dataset="made", method=method, seed=seed, split=split, metric=metric, value=value, n=10,
        supervision="none", selection="last", epochs=3, seconds=float(seed + 1),
    )  # fmt: skip


def test_mean_and_sample_standard_deviation_over_seeds():
    rows = [row("erm", 0, 0.2), row("erm", 1, 0.4), row("masktune", 0, 0.9)]
    erm, masktune = table(
        rows, replace(SHOWN, published=(Published("erm", "conflicting", 0.1859, "the paper"),))
    )
    cell = erm.cells["conflicting"]
    assert cell.mean == pytest.approx(0.3)
    assert cell.std == pytest.approx(0.1 * np.sqrt(2))  # Deviations 0.1 and 0.1, divided by n - 1 = 1.
    assert erm.seconds == 1.5
    assert erm.published["conflicting"].value == 0.1859
    assert masktune.cells["conflicting"].std is None
    assert "raw" not in masktune.cells


def test_lines_come_in_the_order_of_methods_whatever_that_of_the_rows():
    rows = [row("masktune", 0, 0.9), row("random_mask", 0, 0.2), row("erm", 0, 0.2)]
    assert [line.method for line in table(rows, SHOWN)] == ["erm", "random_mask", "masktune"]


def test_differences_pair_the_same_images(tmp_path):
    labels = np.zeros(10, dtype=np.int64)
    ids = np.array([f"{at}" for at in range(10)])
    right = {"erm": 2, "masktune": 9}  # Images 0 and 1; images 0 to 8.
    for method, count in right.items():
        logits = np.zeros((10, 2), dtype=np.float32)
        logits[:count, 0] = 1
        logits[count:, 1] = 1
        path = tmp_path / "models/made/seed-0" / method / "predictions/conflicting.npz"
        save_predictions(path, Predictions(logits, labels, ids))
    (found,) = differences(tmp_path, [row("erm", 0, 0.2), row("masktune", 0, 0.9)], SHOWN)
    assert found.method == "erm"
    assert found.comparison.difference == pytest.approx(0.7)
    assert (found.comparison.gained, found.comparison.lost) == (7, 0)
    # Exact McNemar: 7 of 7 in one direction, two-sided 2 / 2**7. One comparison: Holm changes nothing.
    assert found.p_holm == pytest.approx(2 / 2**7)


WORST = Shown(
    columns=(
        Column("worst group", "test", "worst_group_accuracy"),
        Column("x", "test", "group_accuracy", "x"),
        Column("hidden", "train", "hidden_on_object"),
    ),
    headline="worst group",
    where="in the worst group",
    explained="",
)


def grouped(metric, value, group, split="test", seed=0):
    return replace(row("erm", seed, value, split, metric), group=group)


def test_a_column_is_of_one_group_or_of_the_worst_whichever_it_is():
    rows = [
        grouped("worst_group_accuracy", 0.1, "x"),
        grouped("worst_group_accuracy", 0.3, "y", seed=1),
        grouped("worst_group_accuracy_equal_shares", 0.9, "x"),
        grouped("group_accuracy", 0.1, "x"),
        grouped("group_accuracy", 0.7, "y"),
        grouped("hidden_on_object", 0.5, None, "train"),
        grouped("hidden_on_object", 0.8, "x", "train"),
    ]
    (line,) = table(rows, WORST)
    assert {title: cell.values for title, cell in line.cells.items()} == {
        "worst group": (0.1, 0.3),
        "x": (0.1,),
        "hidden": (0.5,),
    }


def test_worst_groups_are_compared_where_they_are_the_headline(tmp_path):
    # Right in x and y, of five images each: erm 1 and 5, masktune 3 and 4.
    for method, right in {"erm": (1, 5), "masktune": (3, 4)}.items():
        correct = np.concatenate([np.arange(5) < count for count in right])
        logits = np.stack([correct, ~correct], axis=1).astype(np.float32)
        path = tmp_path / "models/made/seed-0" / method / "predictions/test.npz"
        said = Predictions(
            logits, np.zeros(10, np.int64), np.arange(10).astype(str), groups=np.array(["x"] * 5 + ["y"] * 5)
        )
        save_predictions(path, said)
    (found,) = differences(tmp_path, [row("erm", 0, 0.2), row("masktune", 0, 0.9)], WORST)
    assert found.comparison.difference == pytest.approx(0.4)
