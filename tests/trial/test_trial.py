"""The whole trial on images so small that it takes a second or two."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from masktune.data import Subset, WithoutGroups
from masktune.errors import InputError, TrainingDiverged
from masktune.evaluation import brier, calibration_error, decided, operating_point, worst_class_accuracy
from masktune.masking import MeanPlusStd, TopFraction
from masktune.methods import ERM, Task
from masktune.models.classifier import Classifier
from masktune.models.weights import weights_sha256
from masktune.training.together import maps_of_all, predict_all
from masktune.trial.calibration import measured_in_words
from masktune.trial.given import Given
from masktune.trial.hardware import hardware
from masktune.trial.hold_out import held_out
from masktune.trial.looking import places_of
from masktune.trial.settings import ARMS
from masktune.trial.trial import check_start, effects_of, run_trial
from masktune.trial.trialled import Trialled
from masktune.trial.verdict import Verdict
from masktune.types import InputSpec

from .tiny import CLASSES, SETTINGS, images, trained, untrained

TWO_ARMS = replace(SETTINGS, arms=("continue_erm", "masktune"))
QUICK = replace(TWO_ARMS, learning_rate=1e-3)
TRAINED_FIRST = {"epochs": 4, "first_learning_rate": 0.1, "optimizer": "sgd", "batch_size": 16}


def judged_images(groups=None, subjects=None):
    data = images(40, seed=9, name="judged")
    data.groups, data.subjects = groups, subjects
    return data


def given(**others):
    """Images that the net is right on, and others to judge on."""
    usual = {
        "name": "tiny",
        "classifier": trained()(),
        "train": images(96),
        "validation": judged_images(),
    }
    return Given(**usual | others)


def found(arm, split, metric):
    """One number of an arm."""
    (one,) = (one for one in arm.measures[split] if one.metric == metric)
    return one


def arms_of(outcome):
    return {arm.name: arm for arm in outcome.trialled.arms}


def same(first, second):
    """Bit for bit the same answers of all arms."""
    return first.predictions.keys() == second.predictions.keys() and all(
        np.array_equal(first.predictions[arm][split].logits, second.predictions[arm][split].logits)
        for arm in first.predictions
        for split in first.predictions[arm]
    )


@pytest.fixture(scope="module", autouse=True)
def _few_draws():
    """Ends of intervals are of no interest here; 2,000 draws take half a second for each arm and split."""
    with pytest.MonkeyPatch.context() as patch:
        for room in ("evaluation.resampling", "trial.judging"):
            patch.setattr(f"masktune.{room}.REPEATS", 40)
        yield


@pytest.fixture(scope="module")
def of():
    """What one trial was made of."""
    cameras = np.array(["north", "south"] * 20)
    return given(
        test=images(30, seed=8, name="test"),
        columns={"camera": cameras},
        counts={"train": {"dark": 48, "bright": 48}, "validation": {"dark": 20, "bright": 20}},
        seen="it has seen some",
        notes=("a note",),
        about={"model": "two layers"},
        sha256="abc",
        licences=("free",),
    )


@pytest.fixture(scope="module")
def outcome(of):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run_trial(of, SETTINGS)
    torch.set_num_threads(threads)


def test_what_was_given_is_told(of, outcome):
    told = outcome.trialled
    assert (told.name, told.sha256, told.seen, told.notes) == ("tiny", "abc", "it has seen some", ("a note",))
    assert (told.classes, told.licences, told.subjects) == (CLASSES, ("free",), None)
    assert told.weights_sha256 == weights_sha256(of.classifier)
    assert told.settings == SETTINGS.to_record()
    assert told.threshold == SETTINGS.masktune.threshold
    assert told.effects == effects_of(of)
    assert told.about == {
        "model": "two layers",
        "maps": "LayerCAM at 1",
        "salient area": repr(TopFraction(0.2)),
        "device": "cpu",
        "hardware": hardware(torch.device("cpu")),
    }
    # No field of it is left out above and below.
    assert {field.name for field in fields(Trialled)} == {
        *("name", "sha256", "seen", "notes", "classes", "licences", "subjects", "weights_sha256", "settings"),
        *("threshold", "effects", "about", "counts", "rate", "verdict", "arms", "changes", "predictions"),
        "shown",
    }


def test_training_images_are_counted_without_those_that_are_held_back(of, outcome):
    train, held = held_out(of.train, SETTINGS)
    assert (len(train), len(held)) == (86, 10)
    bright = int(held.labels.sum())
    assert outcome.trialled.counts == {
        "train": {"dark": 48 - (10 - bright), "bright": 48 - bright},
        "held back": {"dark": 10 - bright, "bright": bright},
        "validation": {"dark": 20, "bright": 20},
    }
    assert list(outcome.trialled.counts) == ["train", "held back", "validation"]


def test_arms_have_their_numbers(of, outcome):
    told = outcome.trialled
    assert [arm.name for arm in told.arms] == list(ARMS)
    assert [one.rate for one in told.rate.tried] == sorted(SETTINGS.rates, reverse=True)
    for arm in told.arms:
        tuned, masked = arm.name != "untouched", arm.name not in ("untouched", "continue_erm")
        assert (arm.epochs, arm.stopped, arm.threshold) == (int(tuned), None, None)
        assert (arm.seconds > 0) == tuned
        assert set(arm.measures) == {"validation", "test"} | ({"train"} if masked else set())
        for split, n in (("validation", 40), ("test", 30)):
            said = told.predictions[arm.name][split]
            accuracy = found(arm, split, "accuracy")
            assert (accuracy.value, accuracy.n) == (said.correct.mean(), n)
            metrics = [(one.metric, one.group) for one in arm.measures[split]]
            assert len(set(metrics)) == len(metrics)
            assert {"worst_class_accuracy", "balanced_accuracy", "auroc", "auprc", "brier"} <= {
                metric for metric, _ in metrics
            }
    # A fifth of each image was hidden: 13 of 64 pixels.
    assert found(arms_of(outcome)["masktune"], "train", "image_hidden").value == pytest.approx(13 / 64)


def test_answers_are_those_of_the_classifiers(of, outcome):
    assert list(outcome.classifiers) == list(ARMS)
    for name, net in outcome.classifiers.items():
        for split, data in (("validation", of.validation), ("test", of.test)):
            expected = predict_all(net, data)
            told = outcome.trialled.predictions[name][split]
            assert told.ids.tolist() == data.ids.tolist()
            assert np.array_equal(told.logits, expected.logits)
            assert np.array_equal(outcome.predictions[name][split].logits, expected.logits)
    assert weights_sha256(outcome.classifiers["untouched"]) == weights_sha256(of.classifier)


def test_the_verdict_stands_on_all_arms_and_says_what_another_rate_would(outcome):
    verdict = outcome.trialled.verdict
    assert verdict.word in ("helped", "no_evidence", "harmful")
    assert verdict.why != "cannot_be_known"
    assert {tuple(score.arms) for score in verdict.scores} == {ARMS}
    worst = next(one for one in verdict.scores if one.name == "worst_class" and not one.equal_shares)
    for name, arm in arms_of(outcome).items():
        assert worst.arms[name].value == found(arm, "validation", "worst_class_accuracy").value
    assert outcome.trialled.rate.lower == 1e-3
    assert verdict.notes[-1] == measured_in_words(2)
    assert verdict.notes[0].startswith("the learning rate 0.003 was chosen on 10 held-back images")
    assert verdict.notes[1].startswith(
        ("it would be the same with MaskTune at the lower rate 0.001", "it depends on the")
    )


def test_at_the_lower_rate_the_verdict_is_that_of_masktune_at_that_rate_alone(monkeypatch):
    lower = run_trial(given(), replace(QUICK, learning_rate=1e-3)).predictions["masktune"]["validation"]
    judged, words = [], iter(["helped", "no_evidence"])

    def judge(said, *, cap, stopped, seed):
        judged.append(said)
        return Verdict(next(words), "gain", f"reason {len(judged)}")

    monkeypatch.setattr("masktune.trial.concluding.verdict_of", judge)
    verdict = run_trial(given(), replace(TWO_ARMS, rates=(3e-3, 1e-3))).trialled.verdict
    first, second = judged
    assert np.array_equal(second.plain["masktune"], lower.logits)
    assert not np.array_equal(first.plain["masktune"], lower.logits)
    assert np.array_equal(first.plain["continue_erm"], second.plain["continue_erm"])
    assert (verdict.word, verdict.reason) == ("helped", "reason 1")
    told = "it depends on the rate: with MaskTune at 0.001, the controls as they are, it would be no evidence"
    assert verdict.notes[0].startswith("the learning rate 0.003 was chosen on ")
    assert verdict.notes[1] == f"{told} (reason 2)"
    assert verdict.notes[2:] == (measured_in_words(2),)


def test_a_tuned_net_that_looks_nowhere_is_not_judged(monkeypatch):
    # With the place that it looks at itself nothing is swapped, so a second shortcut would go unseen.
    of = given()
    start = weights_sha256(of.classifier)

    def none(explainer, images, *, weights_sha256, **others):
        maps = maps_of_all(explainer, images, weights_sha256=weights_sha256, **others)
        if weights_sha256 == start:
            return maps
        nothing = np.zeros_like(maps.stored), np.ones_like(maps.empty)
        return replace(maps, stored=nothing[0], empty=nothing[1])

    monkeypatch.setattr("masktune.trial.arms.maps_of_all", none)
    verdict = run_trial(of, replace(SETTINGS, learning_rate=1e-3)).trialled.verdict
    assert (verdict.word, verdict.why) == ("no_evidence", "cannot_be_known")
    assert verdict.reason.startswith("the tuned model's own maps are empty in 100 % of the judged images")
    # Not judged: nothing is said of what the verdict hangs on, nor of how often it is right.
    assert verdict.notes == ()


def test_changes_part_the_images_by_class_column_and_place(of, outcome):
    parts = {(one.kind, one.name): one.before.n for one in outcome.trialled.changes}
    assert parts["class", "dark"] == parts["class", "bright"] == 20
    assert parts["column", "camera = north"] == parts["column", "camera = south"] == 20
    assert {kind for kind, _ in parts} <= {"class", "column", "area"}
    before, after = (outcome.predictions[name]["validation"] for name in ("untouched", "masktune"))
    north = next(one for one in outcome.trialled.changes if one.name == "camera = north")
    assert north.before.value == before.correct[::2].mean()
    assert north.after.value == after.correct[::2].mean()


def test_pictures_are_of_judged_images(of, outcome):
    shown = outcome.trialled.shown
    assert len(shown) == 40
    said = outcome.predictions["masktune"]["validation"]
    for one in shown:
        at = of.validation.ids.tolist().index(one.id)
        assert one.label == CLASSES[of.validation.labels[at]]
        assert one.after == CLASSES[said.predicted[at]]


def test_places_part_the_images_where_enough_look_at_the_same(monkeypatch):
    # Of forty images 25 are looked at in one corner, which is told, and 15 in another one, which are too few.
    places = np.array(["top left corner"] * 25 + ["centre"] * 15)
    monkeypatch.setattr("masktune.trial.trial.places_of", lambda arm, data: places)
    told = run_trial(given(), QUICK).trialled
    area = [(one.name, one.before.n) for one in told.changes if one.kind == "area"]
    assert area == [("looks at the top left corner", 25)]


def test_places_are_asked_of_the_untouched_classifier(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "masktune.trial.trial.places_of", lambda arm, data: asked.append(arm.name) or places_of(arm, data)
    )
    run_trial(given(), QUICK)
    assert asked == ["untouched"]


class Guarded:
    """Images whose groups nobody may use: they are there, but a touch fails the test."""

    class _Groups:
        def __getattr__(self, name):
            pytest.fail(f"the groups were asked for {name}")

        def __getitem__(self, at):
            pytest.fail("the groups were read")

    def __init__(self, data):
        self.data = data
        self.classes, self.ids, self.labels, self.subjects = data.classes, data.ids, data.labels, None
        self.groups = self._Groups()

    def __len__(self):
        return len(self.data)

    def __getitems__(self, indices):
        return replace(self.data.__getitems__(indices), groups=("secret",) * len(indices))


def test_groups_are_measured_and_no_method_guard_or_rate_sees_any(monkeypatch):
    with pytest.raises(pytest.fail.Exception):  # The trap works.
        _ = Subset(Guarded(images(4)), torch.arange(2)).groups
    seen = []
    monkeypatch.setattr(
        "masktune.trial.arms.collapsed", lambda *shown: seen.extend(one.groups for one in shown if one)
    )
    labels = judged_images().labels
    groups = np.array(
        [f"{CLASSES[label]} {'left' if at < 10 else 'right'}" for at, label in enumerate(labels)]
    )
    first = run_trial(given(train=Guarded(images(96)), validation=judged_images(groups)), TWO_ARMS)
    assert len(seen) == 8  # Before, after, and with masks what the net says of these, of three tuned nets.
    assert set(seen) == {None}
    for arm in first.trialled.arms:
        said = first.predictions[arm.name]["validation"]
        right = {name: said.correct[groups == name].mean() for name in np.unique(groups)}
        worst = found(arm, "validation", "worst_group_accuracy")
        assert worst.value == min(right.values()) == right[worst.group]
    assert [one.name for one in first.trialled.changes if one.kind == "group"] == []  # Of each less than 20.
    without = run_trial(given(), TWO_ARMS)
    assert same(first, without)
    assert first.trialled.verdict == without.trialled.verdict
    metrics = {one.metric for one in without.trialled.arms[0].measures["validation"]}
    assert "worst_group_accuracy" not in metrics


def test_groups_of_many_images_part_the_changes():
    groups = np.array(["land", "water"] * 20)
    told = run_trial(given(validation=judged_images(groups)), QUICK).trialled
    assert {one.name for one in told.changes if one.kind == "group"} == {"land", "water"}


def test_subjects_are_counted():
    people = np.array([f"s{at // 4}" for at in range(40)])
    told = run_trial(given(validation=judged_images(subjects=people)), QUICK).trialled
    assert told.subjects == 10
    assert [one.units for one in told.effects] == [
        len(np.unique(people[judged_images().labels == CLASSES.index(one.label)])) for one in told.effects
    ]


@pytest.mark.parametrize("asked", ["specificity=.8", "threshold=.9999"])
def test_an_operating_point_is_fixed_for_each_arm_and_moves_answers_alone(asked):
    outcome = run_trial(
        given(test=images(30, seed=8, name="test")), replace(QUICK, operating_point=asked, learning_rate=0.01)
    )
    told, thresholds = outcome.trialled, set()
    worst = next(one for one in told.verdict.scores if one.name == "worst_class" and not one.equal_shares)
    for arm in told.arms:
        raw = outcome.predictions[arm.name]
        threshold = operating_point(asked).fixed_on(raw["validation"])
        thresholds.add(threshold)
        assert arm.threshold == threshold
        for split in ("validation", "test"):
            moved = decided(raw[split], threshold)
            said = told.predictions[arm.name][split]
            assert np.array_equal(said.logits, moved.logits)
            assert np.array_equal(said.predicted == 1, raw[split].probabilities[:, 1] >= threshold)
            _, rate = worst_class_accuracy(moved)
            assert found(arm, split, "worst_class_accuracy").value == rate.value
            assert found(arm, split, "brier").value == brier(raw[split]).value
            assert found(arm, split, "calibration_error").value == calibration_error(raw[split]).value
            metrics = {one.metric for one in arm.measures[split]}
            assert ("sensitivity_at_specificity" in metrics) == asked.startswith("specificity")
        assert worst.arms[arm.name].value == found(arm, "validation", "worst_class_accuracy").value
    assert len(thresholds) == (3 if asked.startswith("specificity") else 1)
    # It has moved something, and pictures say what was decided.
    raw, said = (of["untouched"]["validation"] for of in (outcome.predictions, told.predictions))
    assert not np.array_equal(raw.predicted, said.predicted)
    answers = dict(zip(said.ids, said.predicted, strict=True))
    assert all(one.before == CLASSES[answers[one.id]] for one in told.shown)


def test_an_operating_point_for_three_classes_is_refused_before_training():
    seen, classes = [], ("dark", "bright", "neither")
    net = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), InputSpec(size=(8, 8)), classes)
    settings = replace(QUICK, operating_point="threshold=.3")
    with pytest.raises(InputError, match=r"expected two classes for --operating-point threshold=\.3, got 3"):
        run_trial(given(classifier=net), settings, progress=seen.append)
    assert seen == []


def test_masktune_alone_allows_no_verdict():
    told = run_trial(given(), replace(QUICK, arms=("masktune",))).trialled
    assert [arm.name for arm in told.arms] == ["untouched", "masktune"]
    assert (told.verdict.word, told.verdict.why) == ("no_evidence", "cannot_be_known")
    assert told.verdict.reason == (
        "without continue_erm and random_mask and least_salient_mask a gain cannot be told from one that any "
        "further epoch, or any mask, would bring; leave --arms out for a verdict"
    )


def test_controls_alone_say_nothing_of_masktune():
    told = run_trial(given(), replace(QUICK, arms=("continue_erm",))).trialled
    assert (told.verdict.word, told.verdict.why) == ("no_evidence", "cannot_be_known")
    assert told.verdict.reason == "MaskTune was not among the arms, so nothing is said of it"
    assert (told.shown, told.changes) == ((), ())


def test_a_cap_allows_no_verdict():
    told = run_trial(given(cap="nobody knows"), replace(SETTINGS, learning_rate=1e-3)).trialled
    assert (told.verdict.word, told.verdict.reason) == ("no_evidence", "nobody knows")


def test_where_weights_are_trained_first_all_arms_start_from_what_that_gave():
    seen, settings = [], replace(TWO_ARMS, **TRAINED_FIRST)
    of = given(classifier=untrained())
    outcome = run_trial(of, settings, progress=lambda step: seen.append(step.what))
    pieces = list(dict.fromkeys(seen))
    assert [piece for piece in pieces if piece.startswith("erm")] == [
        f"erm, epoch {epoch} of 4" for epoch in (1, 2, 3, 4)
    ]
    assert pieces[0] == "erm, epoch 1 of 4"
    train, held = held_out(of.train, settings)
    start = ERM().fit(Task(train, held, untrained, settings.first_training()))
    expected = predict_all(start.classifier, of.validation)
    assert np.array_equal(outcome.predictions["untouched"]["validation"].logits, expected.logits)
    assert weights_sha256(outcome.classifiers["untouched"]) == weights_sha256(start.classifier)
    assert outcome.trialled.weights_sha256 == weights_sha256(untrained())
    arms = arms_of(outcome)
    assert {name: arm.epochs for name, arm in arms.items()} == {
        "untouched": 4,
        "continue_erm": 5,
        "masktune": 5,
    }
    # The time of training first is in that of all arms.
    assert 0 < arms["untouched"].seconds < min(arms["continue_erm"].seconds, arms["masktune"].seconds)


class Norm(nn.Module):
    """A net whose batch norm would notice if it were trained on."""

    def __init__(self):
        super().__init__()
        self.see = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.see(images).mean((2, 3)))


@pytest.mark.parametrize("first", [{}, TRAINED_FIRST])
def test_the_net_that_was_given_is_left_as_it_was(first):
    torch.manual_seed(0)
    net = Classifier(Norm(), InputSpec(size=(8, 8)), CLASSES).train()
    net.net.see[0].eval()
    before, modes = weights_sha256(net), [module.training for module in net.modules()]
    tuned = replace(QUICK.masktune, layer="see", threshold=MeanPlusStd(1.0))
    settings = replace(QUICK, masktune=tuned, **first)
    outcome = run_trial(given(classifier=net), settings)
    assert weights_sha256(net) == before
    assert [module.training for module in net.modules()] == modes
    for name, classifier in outcome.classifiers.items():
        assert classifier is not net
        assert not classifier.training, name


def test_a_loss_that_is_no_number_at_every_rate_is_one_line():
    with pytest.raises(TrainingDiverged) as caught:
        run_trial(given(), replace(SETTINGS, rates=(1e30, 1e32), batch_size=8))
    assert str(caught.value) == (
        "the loss was no longer finite at any of the rates 1e+30, 1e+32; give a smaller --lr, or look at the "
        "weights and the images' range"
    )


def test_weights_that_are_no_numbers_are_one_line():
    net = trained()()
    with torch.no_grad():
        net.net[4].bias[0] = float("nan")
    with pytest.raises(TrainingDiverged) as caught:
        run_trial(given(classifier=net), SETTINGS)
    assert str(caught.value).startswith("the loss was no longer finite at any of the rates 0.003, ")
    assert "\n" not in str(caught.value)


def test_a_given_rate_that_wrecks_every_arm_is_one_line():
    with pytest.raises(TrainingDiverged) as caught:
        run_trial(given(), replace(QUICK, learning_rate=1e30))
    assert str(caught.value).startswith(
        "every arm was given up at --lr 1e+30: the loss is no longer a finite "
    )
    assert "\n" not in str(caught.value)


def one_answer():
    """An untrained net that says bright to all."""
    net = untrained()
    with torch.no_grad():
        net.net[4].bias.copy_(torch.tensor([0.0, 100.0]))
    return net


@pytest.mark.parametrize("point", [None, "threshold=.5"])
def test_a_start_that_says_the_same_of_all_images_is_refused(point):
    with pytest.raises(InputError) as caught:
        check_start(given(classifier=one_answer()), replace(QUICK, operating_point=point))
    assert str(caught.value) == (
        "expected a classifier that tells the 40 images to judge on apart, but the given one says 'bright' "
        "of all of them; check --weights, --classes and the input, give an --operating-point, or train it "
        "first with --epochs 5"
    )


def test_at_an_operating_point_such_a_start_may_tell_them_apart():
    # All probabilities round to nearly 1, but their order is that of the images.
    net = trained()()
    with torch.no_grad():
        net.net[4].bias += torch.tensor([0.0, 8.0])
    of = given(classifier=net)
    with pytest.raises(InputError, match="says 'bright' of all of them"):
        check_start(of, QUICK)
    check_start(of, replace(QUICK, operating_point="specificity=.9"))
    check_start(given(), QUICK)


def test_so_is_one_that_says_it_after_it_was_trained_first():
    settings = replace(QUICK, epochs=1, first_learning_rate=1e-9)
    check_start(given(classifier=one_answer()), settings)  # It is yet to be trained.
    with pytest.raises(
        InputError, match=r"trained first says 'bright' of all of them; give more than --epochs 1"
    ):
        run_trial(given(classifier=one_answer()), settings)


def test_a_control_that_is_given_up_is_no_control(monkeypatch):
    # The second of the arms, random_mask, is given up; its answers would be the old model's.
    reasons = iter([None, "it was planted", None, None, None])
    monkeypatch.setattr("masktune.trial.arms.collapsed", lambda *shown: next(reasons))
    verdict = run_trial(given(), SETTINGS).trialled.verdict
    assert (verdict.word, verdict.why) == ("no_evidence", "cannot_be_known")
    assert verdict.reason == (
        "without random_mask a gain cannot be told from one that any further epoch, or any mask, would "
        "bring; try --lr 0.001 for a verdict"
    )
    assert "random_mask: tuning was given up, since it was planted" in verdict.notes


def test_an_arm_that_is_given_up_is_told_and_has_the_old_numbers(monkeypatch):
    reasons = iter([None, "it was planted"])
    monkeypatch.setattr("masktune.trial.arms.collapsed", lambda *shown: next(reasons))
    outcome = run_trial(given(), QUICK)
    told, arms = outcome.trialled, arms_of(outcome)
    assert arms["masktune"].stopped == "it was planted"
    assert arms["masktune"].measures == arms["untouched"].measures
    assert (arms["masktune"].epochs, arms["masktune"].seconds) == (0, 0.0)
    assert list(outcome.classifiers) == ["untouched", "continue_erm"]
    assert (told.verdict.word, told.verdict.why) == ("harmful", "collapsed")
    assert told.verdict.reason == "tuning was given up, since it was planted"
    assert not any("planted" in note for note in told.verdict.notes)


def test_the_same_seed_gives_the_same_bits(of, outcome):
    again, other = run_trial(of, SETTINGS), run_trial(of, replace(SETTINGS, seed=1))
    assert same(again, outcome)
    assert not same(other, outcome)
    assert again.trialled.verdict == outcome.trialled.verdict
    assert again.trialled.rate == outcome.trialled.rate
    for first, second in zip(again.trialled.shown, outcome.trialled.shown, strict=True):
        assert (first.id, first.jpeg) == (second.id, second.jpeg)
        assert np.array_equal(first.low_after, second.low_after)


class Stop(Exception):
    """As a kill would stop it."""


def pieces_of(seen):
    """Pieces of training, each with how many steps it had."""
    names = [what for what in seen if "tuning" in what or what.startswith("erm")]
    return {name: names.count(name) for name in names}


@pytest.mark.parametrize(
    "stopped_at",
    [
        "trying the rate 0.003: tuning, round 1, epoch 1 of 1",
        "asking untouched",
        "masktune: tuning, round 1, epoch 1 of 1",
        "masktune-lower: tuning, round 1, epoch 1 of 1",
        "testing masktune",
    ],
)
def test_it_goes_on_after_each_stage_and_trains_nothing_again(tmp_path, whole, stopped_at):
    seen, first = [], []

    def stop(step):
        first.append(step.what)
        if step.what == stopped_at:
            raise Stop

    of, settings, expected, pieces = whole
    with pytest.raises(Stop):
        run_trial(of, settings, folder=tmp_path, progress=stop)
    outcome = run_trial(of, settings, folder=tmp_path, progress=lambda step: seen.append(step.what))
    assert same(outcome, expected)
    assert outcome.trialled.verdict == expected.trialled.verdict
    # What was finished is not done again; of what was cut off all of it.
    done = set(pieces_of(first)) - {stopped_at}
    assert pieces_of(seen) == {name: steps for name, steps in pieces.items() if name not in done}


@pytest.fixture(scope="module")
def whole():
    """The same without a stop, and without a folder."""
    seen = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    of = given(classifier=untrained(), test=images(30, seed=8, name="test"))
    settings = replace(TWO_ARMS, rates=(3e-3, 1e-3), **TRAINED_FIRST)
    outcome = run_trial(of, settings, progress=lambda step: seen.append(step.what))
    yield of, settings, outcome, pieces_of(seen)
    torch.set_num_threads(threads)


def test_what_was_held_back_is_not_trained_on(monkeypatch):
    ids = set()

    class Watched(WithoutGroups):
        def __getitems__(self, indices):
            batch = super().__getitems__(indices)
            ids.update(batch.ids)
            return batch

    of = given(train=Watched(images(96)))
    _, held = held_out(of.train, QUICK)
    monkeypatch.setattr(
        "masktune.trial.arms.predict_all", lambda net, data, **more: predict_all(net, judged_images())
    )
    monkeypatch.setattr(
        "masktune.trial.rates.predict_all", lambda net, data, **more: predict_all(net, judged_images())
    )
    run_trial(of, replace(QUICK, arms=("masktune",)))
    assert ids == set(of.train.ids) - set(held.ids)
