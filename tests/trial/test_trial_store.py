"""A trial on disk is the trial that was saved."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from tests.report.trials import judged_of, secret_trial, trial_of

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.masking import MeanPlusStd, Quantile, TopFraction
from masktune.trial.store import Unsaved, has_trialled, load_trialled, save_trialled


def same(one, other):
    """Equal in every field, all the way down; arrays bit for bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return type(other) is tuple and len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    "trialled",
    [
        trial_of(),
        trial_of("too_few", arms=("untouched", "masktune"), groups=False, test=False),
        trial_of("cannot_be_known", arms=("untouched", "continue_erm")),
        trial_of("collapsed", stopped={"masktune": "it lost 31 points"}, shown=(), sha256="", licences=()),
        secret_trial(),
    ],
)
def test_all_fields_come_back(tmp_path, trialled):
    save_trialled(trialled, tmp_path)
    again = load_trialled(tmp_path)
    for field in fields(trialled):
        assert same(getattr(trialled, field.name), getattr(again, field.name)), field.name


def test_the_comparison_above_sees_a_difference():
    one = trial_of()
    assert not same(one, replace(one, changes=one.changes[1:]))
    assert not same(one.shown[0], replace(one.shown[0], low_after=one.shown[0].low_before))
    assert not same(one.verdict, replace(one.verdict, conflicting=3))


def test_there_are_two_files_without_pickles(tmp_path):
    save_trialled(trial_of(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trial.json", "trial.npz"}
    assert json.loads((tmp_path / "trial.json").read_text())["schema"] == "masktune.trial/1"
    with np.load(tmp_path / "trial.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiuU" for name in arrays.files)


def test_equal_trials_give_equal_files(tmp_path):
    for name in ("a", "b"):
        save_trialled(trial_of(), tmp_path / name)
    for file in ("trial.json", "trial.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    "threshold",
    [MeanPlusStd(1.25, over="all", at="map", most=0.2), TopFraction(0.05), Quantile(0.9, over="all")],
)
def test_a_threshold_of_ours_comes_back(tmp_path, threshold):
    save_trialled(trial_of(threshold=threshold), tmp_path)
    assert load_trialled(tmp_path).threshold == threshold


def test_of_a_users_own_threshold_the_words_come_back(tmp_path):
    save_trialled(trial_of(threshold=len), tmp_path)
    again = load_trialled(tmp_path)
    assert again.threshold == Unsaved(repr(len))
    with pytest.raises(InputError, match="whose code is not on disk"):
        again.threshold(None)
    save_trialled(again, tmp_path)
    assert load_trialled(tmp_path).threshold == Unsaved(repr(len))


def test_what_is_no_number_comes_back_as_none(tmp_path):
    """A cell of three images is missing in some of the draws, so that its interval has no end."""
    trialled = trial_of()
    one = judged_of("hardest_tenth", ("untouched", "masktune"))
    odd = {**one.arms, "masktune": replace(one.arms["masktune"], high=math.inf)}
    gains = (replace(one.gains[0], low=math.nan),)
    verdict = replace(trialled.verdict, scores=(replace(one, arms=odd, gains=gains),))
    save_trialled(replace(trialled, verdict=verdict), tmp_path)
    (again,) = load_trialled(tmp_path).verdict.scores
    assert math.isnan(again.arms["masktune"].high)
    assert math.isnan(again.gains[0].low)
    assert again.arms["masktune"].value == 0.8


def test_arms_that_were_asked_about_other_images_are_not_saved(tmp_path):
    trialled = trial_of()
    said = {**trialled.predictions, "masktune": {"validation": trialled.predictions["masktune"]["test"]}}
    with pytest.raises(
        InputError, match="same images of validation in the same order for each arm, not for mas"
    ):
        save_trialled(replace(trialled, predictions=said), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_trial_there(tmp_path):
    with pytest.raises(
        DataNotFound, match=r"no finished trial in .*; give the folder of `masktune tune --out`"
    ):
        load_trialled(tmp_path)


def test_another_version(tmp_path):
    save_trialled(trial_of(), tmp_path)
    path = tmp_path / "trial.json"
    path.write_text(path.read_text().replace("masktune.trial/1", "masktune.trial/9"))
    with pytest.raises(DataDamaged, match=r"has the schema 'masktune.trial/9', this masktune reads"):
        load_trialled(tmp_path)


@pytest.mark.parametrize("length", [0, 100, 5000, -100])
def test_a_truncated_archive(tmp_path, length):
    save_trialled(trial_of(), tmp_path)
    path = tmp_path / "trial.npz"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataDamaged, match=r"is damaged .*; delete its trial.json and type its tune again"):
        load_trialled(tmp_path)


def test_a_flipped_byte_is_seen_or_does_no_harm(tmp_path):
    """Somewhere in headers, names and content; a line that says so, and never another error."""
    trialled = trial_of()
    save_trialled(trialled, tmp_path)
    path, said = tmp_path / "trial.npz", []
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :])
        try:
            again = load_trialled(tmp_path)
        except DataDamaged as error:
            said.append(str(error))
        else:
            assert same(again.predictions, trialled.predictions)
    assert len(said) > 30
    assert [line for line in said if "\n" in line] == []


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema": "masktune.trial/1"}'])
def test_words_that_are_damaged(tmp_path, damage):
    save_trialled(trial_of(), tmp_path)
    (tmp_path / "trial.json").write_text(damage)
    with pytest.raises(DataDamaged):
        load_trialled(tmp_path)


def test_a_score_of_an_older_version_is_named(tmp_path):
    """With the digest that fits: nothing else is wrong."""
    save_trialled(trial_of(), tmp_path)
    words = (tmp_path / "trial.json").read_text().replace('"swapped"', '"exchanged"')
    (tmp_path / "trial.json").write_text(words)
    with np.load(tmp_path / "trial.npz") as content:
        arrays = dict(content)
    arrays["words_sha256"] = np.array(hashlib.sha256(words.encode()).hexdigest())
    np.savez(tmp_path / "trial.npz", **arrays)
    with pytest.raises(DataDamaged, match=r"no score of this masktune: exchanged\); delete its trial.json"):
        load_trialled(tmp_path)


def test_files_of_two_trials_are_not_taken_for_one(tmp_path):
    """As a kill between the two renames leaves them."""
    save_trialled(trial_of(), tmp_path)
    words = (tmp_path / "trial.json").read_bytes()
    save_trialled(trial_of(name="another"), tmp_path)
    (tmp_path / "trial.json").write_bytes(words)
    with pytest.raises(
        DataDamaged, match=r"trial.json and trial.npz are of two trials\); delete its trial.json"
    ):
        load_trialled(tmp_path)


@pytest.mark.parametrize("stopped", ["np.savez_compressed", "json.dumps"])
def test_cut_off_while_it_is_written_again_the_old_trial_stays(tmp_path, monkeypatch, stopped):
    save_trialled(trial_of(), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(f"masktune.trial.store.{stopped}", cut_off)
        with pytest.raises(KeyboardInterrupt):
            save_trialled(trial_of(name="another"), tmp_path)
    assert load_trialled(tmp_path).name == "pets"
    assert {path.name for path in tmp_path.iterdir()} == {"trial.json", "trial.npz"}


def cut_off(*args, **more):
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["trial.json", "trial.npz"])
def test_half_a_trial_is_none(tmp_path, name):
    save_trialled(trial_of(), tmp_path)
    assert has_trialled(tmp_path)
    (tmp_path / name).unlink()
    assert not has_trialled(tmp_path)
    with pytest.raises(DataNotFound):
        load_trialled(tmp_path)
