import json
import math

import numpy as np
import pytest

from masktune.errors import InputError
from masktune.runs import Row

from .fakes import row

CONTRACT = """{"dataset": "biased-mnist", "variant": "sorted",
 "method": "masktune", "config": null, "seed": 0,
 "split": "conflicting", "group": null, "metric": "accuracy", "score": null, "target": null, "value": 0.9851,
 "n": 10000, "low": 0.9825, "high": 0.9873, "supervision": "none", "selection": "validation_accuracy",
 "epochs": 11, "seconds": 93.1}"""


def test_a_row_has_the_keys_of_the_contract_in_their_order():
    expected = json.loads(CONTRACT)
    assert row().to_json() == expected
    assert list(row().to_json()) == list(expected)
    assert Row.from_json(expected) == row()


def test_what_is_no_number_becomes_null():
    made = row(value=math.nan, low=None, high=np.float64("nan")).to_json()
    assert made["value"] is made["low"] is made["high"] is None
    assert type(row(value=np.float64(0.5)).to_json()["value"]) is float


def test_gaps_may_be_negative():
    assert row(metric="bg_gap", value=-0.1, low=-0.2, high=0.0).value == -0.1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": 98.5}, "expected value of a row from 0 to 1, got 98.5"),
        ({"low": -0.1}, "expected low of a row from 0 to 1, got -0.1"),
        ({"metric": "bg_gap", "value": -1.5}, "expected value of a row from -1 to 1, got -1.5"),
        ({"target": 95}, "expected target of a row from 0 to 1, got 95"),
        ({"n": -1}, "expected n of a row from 0 to inf, got -1"),
        ({"n": 10.0}, "expected n of a row as int, got 10.0"),
        ({"seed": None}, "expected seed of a row as int, got None"),
        ({"group": 3}, "expected group of a row as str | None, got 3"),
        ({"value": "0.9"}, "expected value of a row as int | float | None, got '0.9'"),
    ],
)
def test_a_row_that_cannot_be_is_refused(changed, message):
    with pytest.raises(InputError) as caught:
        row(**changed)
    assert str(caught.value) == message


def test_other_keys_are_refused():
    entry = row().to_json()
    del entry["n"]
    with pytest.raises(InputError, match=r"18 keys of masktune\.results/1; wrong: n$"):
        Row.from_json(entry)
    with pytest.raises(InputError, match=r"wrong: accuracy$"):
        Row.from_json(row().to_json() | {"accuracy": 1})
