import json
import platform

import numpy as np
import pytest
import torch

import masktune
from masktune.errors import DataDamaged, RunFolderError
from masktune.runs import read_results
from masktune.runs.results import write_results
from masktune.runs.versions import versions

from .fakes import DATA, all_rows, row


def test_versions_are_those_of_the_libraries():
    assert versions() == {
        "masktune": masktune.__version__,
        "torch": torch.__version__.split("+")[0],  # The build is not part of it.
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def test_results_come_back_and_have_the_keys_of_the_contract(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, command="reproduce", data=DATA, rows=all_rows())
    entries = json.loads(path.read_text())
    assert list(entries) == ["schema", "command", "versions", "data", "rows"]
    assert entries["schema"] == "masktune.results/1"
    assert entries["data"] == [{"name": "biased-mnist", "variant": "sorted", "sha256": "ab" * 32}]
    made = read_results(path)
    assert (made.command, made.versions, made.data, made.rows) == ("reproduce", versions(), DATA, all_rows())


def test_no_nan_reaches_the_file(tmp_path):
    write_results(tmp_path / "r.json", command="tune", data=[], rows=[row(value=float("nan"))])
    assert "NaN" not in (tmp_path / "r.json").read_text()
    assert read_results(tmp_path / "r.json").rows[0].value is None


def test_another_schema_and_damage_are_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"schema": "masktune.results/2"}')
    with pytest.raises(
        RunFolderError, match=r"the schema 'masktune.results/2', this masktune reads .*/1'; choose"
    ):
        read_results(path)
    path.write_text('{"schema": "masktune.results/1", "data": []}')
    with pytest.raises(DataDamaged, match=r"results.json is damaged: 'rows'"):
        read_results(path)
    path.write_text('{"schema": "masktune.results/1", "data": [], "rows": [{"n": 3}]}')
    with pytest.raises(DataDamaged, match=r"results.json is damaged: expected a row with the 18 keys"):
        read_results(path)
