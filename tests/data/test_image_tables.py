from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from masktune.data import image_tables
from masktune.data.hub import read_hub
from masktune.errors import DataDamaged, DataNotFound

from .listed import image, numbered, parquet


def test_images_that_lie_beside_the_table(tmp_path):
    (tmp_path / "a.png").write_bytes(b"on disk")
    parquet(
        tmp_path / "train.parquet", [image(None, "a.png"), image(None), image(None, "gone.png")], [0, 1, 1]
    )
    contents = read_hub(tmp_path).contents
    assert [contents.read(position) for position in (0, 1)] == [b"on disk", b""]
    with pytest.raises(DataNotFound, match=r"gone.png does not exist any more"):
        contents.read(2)


def test_only_some_groups_of_rows_are_kept(tmp_path, monkeypatch):
    parquet(tmp_path / "train.parquet", numbered(20), [0, 1] * 10)
    contents = read_hub(tmp_path).contents
    table = contents.tables[0]
    monkeypatch.setattr(image_tables, "_KEPT", 3 * len("image 1010.png") * 2)
    for position in (0, 19, 5, 0, 10, 19):
        row = int(contents.rows[position])
        assert contents.read(position) == b"image %d" % row
        assert sum(kept.nbytes for kept in table._kept.values()) < 200
    assert 1 <= len(table._kept) < 6


def test_several_threads_read_at_once(tmp_path):
    parquet(tmp_path / "train.parquet", numbered(200), [0, 1] * 100)
    contents = read_hub(tmp_path).contents
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(contents.read, range(200)))
    assert found == [b"image %d" % row for row in contents.rows.tolist()]


def test_damage_that_is_seen_when_an_image_is_read(tmp_path):
    path = parquet(tmp_path / "train.parquet", numbered(2000), [0, 1] * 1000, row_group_size=100)
    contents = read_hub(tmp_path).contents
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396  # The first group's first pages.
    path.write_bytes(content)
    with pytest.raises(DataDamaged, match=r"^is damaged \("):
        contents.tables[0]._kept.clear() or contents.select(np.argsort(contents.rows)).read(0)
