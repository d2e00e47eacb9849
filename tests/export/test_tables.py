import csv

import numpy as np

from masktune.data.contents import FilesOnDisk
from masktune.data.samples import Samples
from masktune.export.tables import write_manifest


def test_a_column_that_was_not_read_as_the_label_does_not_become_it(tmp_path):
    # As with `--label-column diagnosis` on a table that has a column `label` too.
    samples = Samples(
        ids=np.array(["a.png", "b.png"]),
        labels=np.array([1, 0]),
        classes=("ill", "well"),
        contents=FilesOnDisk(("a.png", "b.png")),
        columns={"label": np.array(["7", "8"], dtype=object), "site": np.array(["x", "y"], dtype=object)},
    )
    write_manifest(tmp_path / "manifest.csv", samples, {"a.png": "a.png", "b.png": "b.png"})
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["well", "ill"]
    assert [row["label (metadata)"] for row in rows] == ["7", "8"]
    assert [row["site"] for row in rows] == ["x", "y"]
