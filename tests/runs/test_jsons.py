import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.errors import DataDamaged, DataNotFound
from masktune.runs.jsons import plain, read_object, write_json

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def test_odd_values_become_plain():
    made = plain(
        {"a": (1, 2.5), "b": {"y", "x"}, "c": Path("d/e"), 3: np.int64(4), "f": [np.float32(0.5), math.inf]}
    )
    assert made == {"a": [1, 2.5], "b": ["x", "y"], "c": "d/e", "3": 4, "f": [0.5, None]}
    assert [type(value) for value in (made["3"], made["f"][0])] == [int, float]


@settings(max_examples=40, deadline=None)
@given(values)
def test_what_is_plain_stays_as_it_is(value):
    assert plain(value) == value
    assert plain(json.loads(json.dumps(plain({"v": value}))))["v"] == value


def test_a_file_comes_back(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1, None, float("nan")]})
    assert read_object(tmp_path / "a.json") == {"é": [1, None, None]}


def test_what_json_cannot_hold_is_our_mistake():
    with pytest.raises(TypeError, match="expected something that JSON can hold, got object"):
        plain([object()])


def test_damaged_and_missing_files(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(DataNotFound, match=r"there is no .*a\.json"):
        read_object(path)
    path.write_text('{"rows": [')
    with pytest.raises(DataDamaged, match=r"a\.json is damaged: it is not JSON \(Expecting value"):
        read_object(path)
    path.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(DataDamaged, match=r"a\.json is damaged: it is not JSON"):
        read_object(path)
    path.write_text("[1]")
    with pytest.raises(DataDamaged, match="expected a JSON object, got a list"):
        read_object(path)
