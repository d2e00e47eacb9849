"""A scan on disk gives the same report."""

from dataclasses import replace

import numpy as np
import pytest

from findings.scans import small_scan
from masktune.errors import DataDamaged, DataNotFound
from masktune.evaluation.weighted import LabelledSample
from masktune.findings.review_answers import Groups
from masktune.findings.store import has_scanned, load_scanned, save_scanned
from masktune.masking import MeanPlusStd, Quantile, TopFraction


def test_what_is_read_is_what_was_written(tmp_path):
    scanned = small_scan()
    save_scanned(scanned, tmp_path)
    again = load_scanned(tmp_path)
    assert again.findings == scanned.findings
    assert (again.name, again.sha256, again.muted) == (scanned.name, scanned.sha256, scanned.muted)
    assert again.settings == scanned.settings
    for name in ("low", "empty", "hidden", "where", "tiny", "seen"):
        assert (getattr(again.observed, name) == getattr(scanned.observed, name)).all()
    for area, logits in scanned.observed.hidden_logits.items():
        assert (again.observed.hidden_logits[area] == logits).all()
    assert (again.observed.predictions.logits == scanned.observed.predictions.logits).all()
    for one, other in zip(again.shown, scanned.shown, strict=True):
        assert (one.id, one.jpeg, one.findings, one.confidence) == (
            other.id,
            other.jpeg,
            other.findings,
            other.confidence,
        )
        assert (one.low == other.low).all()
    for one, other in zip(again.observed.transplants, scanned.observed.transplants, strict=True):
        assert one.spot == other.spot
        assert np.allclose(one.gain, other.gain, rtol=0, atol=0)
        assert (one.flipped_in == other.flipped_in).all()


@pytest.mark.parametrize(
    ("threshold", "read"),
    [
        (
            MeanPlusStd(1.25, over="all", at="map", most=0.2),
            MeanPlusStd(1.25, over="all", at="map", most=0.2),
        ),
        (TopFraction(0.05), TopFraction(0.05)),
        (Quantile(0.9), Quantile(0.9)),
        (len, None),  # A user's own.
    ],
)
def test_the_threshold_comes_back_if_it_is_ours(tmp_path, threshold, read):
    save_scanned(replace(small_scan(), threshold=threshold), tmp_path)
    assert load_scanned(tmp_path).threshold == read


def test_no_scan_there(tmp_path):
    with pytest.raises(
        DataNotFound, match=r"no finished scan in .*; give the folder of `masktune scan --out`"
    ):
        load_scanned(tmp_path)


def test_another_version(tmp_path):
    save_scanned(small_scan(), tmp_path)
    path = tmp_path / "scan.json"
    path.write_text(path.read_text().replace("masktune.scan/1", "masktune.scan/9"))
    with pytest.raises(DataDamaged, match=r"has the schema 'masktune.scan/9', this masktune reads"):
        load_scanned(tmp_path)


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_a_truncated_archive(tmp_path, length):
    save_scanned(small_scan(), tmp_path)
    path = tmp_path / "scan.npz"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataDamaged, match=r"is damaged .*; delete its scan.json and scan again"):
        load_scanned(tmp_path)


def test_what_a_person_labelled_comes_back(tmp_path):
    sample = LabelledSample(
        np.array(["a.png", "b.png", "c.png"]),
        np.array(["cat, a mark", "cat, no mark", "dog, no mark"]),
        np.array(["cat: typical", "cat: wrong", "dog: typical"]),
        {"cat: typical": 120, "cat: wrong": 3, "dog: typical": 77},
    )
    groups = Groups("a mark", sample, 5, ("2 of the 5 images have no answer.",))
    save_scanned(replace(small_scan(), groups=groups), tmp_path)
    again = load_scanned(tmp_path).groups
    assert (again.pattern, again.asked, again.notes) == (groups.pattern, 5, groups.notes)
    for name in ("ids", "groups", "strata"):
        assert getattr(again.sample, name).tolist() == getattr(sample, name).tolist()
    assert again.sample.sizes == sample.sizes
    save_scanned(small_scan(), tmp_path)
    assert load_scanned(tmp_path).groups is None


@pytest.mark.parametrize("stopped", ["np.savez_compressed", "json.dumps"])
def test_cut_off_while_it_is_written_again_the_old_scan_stays(tmp_path, monkeypatch, stopped):
    save_scanned(small_scan(), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(f"masktune.findings.store.{stopped}", cut_off)
        with pytest.raises(KeyboardInterrupt):
            save_scanned(replace(small_scan(), name="another"), tmp_path)
    assert load_scanned(tmp_path).name == "made"
    assert {path.name for path in tmp_path.iterdir()} == {"scan.json", "scan.npz"}


def cut_off(*args, **more):
    raise KeyboardInterrupt


def test_files_of_two_scans_are_not_taken_for_one(tmp_path):
    """As a kill between the two renames leaves them."""
    save_scanned(small_scan(), tmp_path)
    words = (tmp_path / "scan.json").read_bytes()
    save_scanned(replace(small_scan(), name="another"), tmp_path)
    (tmp_path / "scan.json").write_bytes(words)
    with pytest.raises(
        DataDamaged, match=r"scan.json and scan.npz are of two scans\); delete its scan.json and scan again"
    ):
        load_scanned(tmp_path)


@pytest.mark.parametrize("name", ["scan.json", "scan.npz"])
def test_half_a_scan_is_none(tmp_path, name):
    save_scanned(small_scan(), tmp_path)
    assert has_scanned(tmp_path)
    (tmp_path / name).unlink()
    assert not has_scanned(tmp_path)
