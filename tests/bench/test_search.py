"""A random search: what is tried, who chooses, and that the test images are read once."""

import re

import numpy as np
import pytest
import torch

from masktune.bench import Common, Plan, Source, open_bench, run_bench
from masktune.data import BiasedMNIST
from masktune.errors import InputError
from masktune.methods import JTT, GroupDRO, LfF, MaskTune
from masktune.methods.cvar_dro import CVaRDRO
from masktune.methods.ranges import Among, Between, settings_to_try
from masktune.runs import load_predictions

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*masks hide nothing"),
    pytest.mark.filterwarnings("ignore:jtt's first training"),
]


@pytest.fixture
def plan(small_mnist):
    def make(**changed):
        sources = (Source("biased-mnist", str(small_mnist)),)
        given = {"methods": ("group_dro", "masktune"), "seeds": (0,), "threads": 1, "search": 3}
        return Plan(sources=sources, common=Common(epochs=2, batch_size=32), **given | changed)

    return make


@pytest.fixture(scope="module")
def searched(tmp_path_factory, small_mnist):
    out = tmp_path_factory.mktemp("search") / "out"
    sources = (Source("biased-mnist", str(small_mnist)),)
    chosen = Plan(
        sources=sources,
        common=Common(epochs=2, batch_size=32),
        methods=("group_dro", "masktune"),
        seeds=(0,),
        threads=1,
        search=3,
        search_by="validation_accuracy",
    )
    return out, run_bench(open_bench(chosen, out), out)


def test_the_best_by_validation_is_the_row_and_all_are_reported(searched):
    out, benched = searched
    for method in ("group_dro", "masktune"):
        place = out / f"models/biased-mnist/seed-0/{method}"
        scores = []
        for at in range(3):
            stored = np.load(place / f"trials/{at:02d}/predictions/validation.npz")
            scores.append((stored["logits"].argmax(1) == stored["labels"]).mean())
        search = benched.searches["biased-mnist", 0, method]
        assert [one.score for one in search.tries] == pytest.approx(scores, abs=1e-12)
        assert [one.chosen for one in search.tries].index(True) == int(np.argmax(scores))
        assert search.tries[0].settings == "own settings"
        assert len({one.settings for one in search.tries}) == 3
        best = place / f"trials/{int(np.argmax(scores)):02d}"
        assert (place / "weights.safetensors").read_bytes() == (best / "weights.safetensors").read_bytes()
        (row,) = [
            row
            for row in benched.rows
            if (row.method, row.split, row.metric) == (method, "conflicting", "accuracy")
        ]
        assert row.config == "best of 3 by validation_accuracy"


def test_only_the_chosen_one_is_asked_about_test_images(searched):
    out, benched = searched
    files = {path.relative_to(out).as_posix() for path in out.rglob("predictions/*.npz")}
    tried = {name for name in files if "/trials/" in name}
    assert {name.rsplit("/", 1)[1] for name in tried} == {"validation.npz"}
    assert len(tried) == 6
    assert {row.split for row in benched.rows if (row.config or "").startswith("try ")} <= {
        "validation",
        "train",
    }


def test_the_test_images_are_read_once_a_row(plan, tmp_path, monkeypatch):
    asked = []
    plain = BiasedMNIST.__getitems__

    def read(data, positions):
        asked.append(data.ids[0])
        return plain(data, positions)

    monkeypatch.setattr(BiasedMNIST, "__getitems__", read)
    bench = open_bench(plan(methods=("group_dro",)), tmp_path / "out")
    run_bench(bench, tmp_path / "out")
    tests = [name for name in asked if name.startswith("test/")]
    # Three test sets for erm, three for group_dro: each in one batch, whatever was tried.
    assert len(tests) == 6


def test_it_costs_what_all_that_was_tried_cost(searched):
    _, benched = searched
    done = {method: benched.done["biased-mnist", 0, method] for method in ("group_dro", "erm", "masktune")}
    assert (done["group_dro"].samples, done["erm"].samples) == (3 * 2 * 256, 2 * 256)

    def epochs(settings):
        """Of tuning: those of a round times the rounds, one of each by MaskTune's own settings."""
        found = [re.search(rf"{name}=(\d)", settings) for name in ("epochs", "rounds")]
        return int(np.prod([1 if one is None else int(one[1]) for one in found]))

    tries = benched.searches["biased-mnist", 0, "masktune"].tries
    # ERM counts once, however many tunings go on from it.
    assert done["masktune"].samples == (2 + sum(epochs(one.settings) for one in tries)) * 256


def test_a_rule_that_reads_groups_is_declared(plan, tmp_path):
    out = tmp_path / "out"
    benched = run_bench(open_bench(plan(methods=("masktune",), search=2, search_by="worst_group"), out), out)
    rows = [row for row in benched.rows if row.method == "masktune" and row.split == "raw"]
    assert {row.supervision for row in rows} == {"validation_groups"}
    done = benched.done["biased-mnist", 0, "masktune"]
    assert (done.fitted_with, done.selected_with) == ("none", "validation_groups")


def test_a_setting_that_fails_is_told_and_the_others_are_chosen_from(plan, tmp_path, monkeypatch):
    plain = GroupDRO.fit

    def fit(method, task):
        if method.step_size != GroupDRO().step_size:
            raise InputError("no such step today")
        return plain(method, task)

    monkeypatch.setattr(GroupDRO, "fit", fit)
    out = tmp_path / "out"
    benched = run_bench(open_bench(plan(methods=("group_dro",)), out), out)
    search = benched.searches["biased-mnist", 0, "group_dro"]
    assert [one.chosen for one in search.tries] == [True, False, False]
    assert [one.failed for one in search.tries] == [None, "no such step today", "no such step today"]
    assert len(benched.failed) == 2
    assert ("biased-mnist", 0, "group_dro") in benched.done


def test_stage_1_and_its_maps_are_made_once_for_all_that_is_tried(searched):
    out, _ = searched
    assert [path.relative_to(out).as_posix() for path in out.rglob("erm/state.pt")] == [
        "models/biased-mnist/seed-0/erm/state.pt"
    ]
    assert len(list((out / "models/biased-mnist/seed-0/maps").iterdir())) >= 1
    assert not list(out.glob("models/biased-mnist/seed-0/masktune/trials/*/maps"))


def test_search_is_seen_in_the_summary(searched):
    from masktune.report import write_bench

    out, benched = searched
    write_bench(benched)
    said = (out / "summary.md").read_text()
    assert "## Search" in said
    search = benched.searches["biased-mnist", 0, "group_dro"]
    for one in search.tries:
        assert f"{100 * one.score:.1f}" in said
        assert one.settings.replace("_", "_") in said
    said_of = load_predictions(out / "models/biased-mnist/seed-0/group_dro/predictions/conflicting.npz")
    assert f"{100 * said_of.correct.mean():.1f}" in said


def test_draws_lie_in_their_ranges_and_follow_from_the_seed():
    ranges = {"a": Among((1, 2, 3)), "b": Between(0.001, 0.1, log=True), "c": Between(0.0, 5.0)}
    tried = settings_to_try("some", ranges, 200, seed=0)
    assert tried[0] == {}
    assert len(tried) == 200
    drawn = tried[1:]
    assert {one["a"] for one in drawn} == {1, 2, 3}
    assert all(0.001 <= one["b"] <= 0.1 and 0 <= one["c"] <= 5 for one in drawn)
    # On a log scale half of the draws lie below the geometric mean, 0.01; within four standard errors.
    below = np.mean([one["b"] < 0.01 for one in drawn])
    assert abs(below - 0.5) < 4 * 0.5 / np.sqrt(199)
    assert settings_to_try("some", ranges, 200, seed=0) == tried
    assert settings_to_try("some", ranges, 200, seed=1) != tried
    assert settings_to_try("other", ranges, 200, seed=0) != tried


def test_few_values_are_tried_once_each():
    tried = settings_to_try("some", {"a": Among((1, 2))}, 10, seed=0)
    assert sorted(str(one) for one in tried) == ["{'a': 1}", "{'a': 2}", "{}"]


@pytest.mark.parametrize("method", [GroupDRO(), JTT(), LfF(), CVaRDRO(), MaskTune()])
def test_every_declared_range_is_of_a_field_and_its_ends_are_allowed(method):
    for name, range_ in method.ranges.items():
        assert name in type(method).__dataclass_fields__
        ends = range_.values if isinstance(range_, Among) else (range_.low, range_.high)
        for end in ends:
            type(method)(**{name: end})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: Among(()), "expected at least one value to draw from"),
        (lambda: Between(2.0, 1.0), "the lower first, got 2.0 and 1.0"),
        (lambda: Between(0.0, 1.0, log=True), "expected positive numbers on a log scale, got 0.0"),
        (lambda: Between(0.0, float("inf")), "expected two finite numbers"),
    ],
)
def test_ranges_check_themselves(made, sentence):
    with pytest.raises(InputError, match=sentence):
        made()


def test_a_search_of_one_is_none(plan):
    with pytest.raises(InputError, match="expected to try 2 settings or more, or 0 for no search, got 1"):
        plan(search=1)
    with pytest.raises(InputError, match="expected a rule that scores settings by validation, got 'last'"):
        plan(search_by="last")


def test_a_draw_changes_no_global_state():
    state = torch.random.get_rng_state()
    settings_to_try("some", {"a": Between(0.0, 1.0)}, 5, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
