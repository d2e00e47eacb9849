from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import Subset
from masktune.errors import InputError, RunFolderError
from masktune.masking import MeanPlusStd, TopFraction
from masktune.methods import ERM, Task
from masktune.methods.masktune import explainer_for
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.predict import predict
from masktune.models.small_cnn import SmallCNN
from masktune.models.weights import weights_sha256
from masktune.testing import Marker, ShortcutImages
from masktune.training.settings import Training
from masktune.training.together import maps_of_all, predict_all
from masktune.trial.arms import GUARDED, JudgedImages, run_arms
from masktune.trial.hiding import CHANGES, Areas, Donors, changed_logits
from masktune.trial.rates import RateChoice, TriedRate
from masktune.trial.settings import ARMS, TrialSettings
from masktune.types import InputSpec

from .tiny import SETTINGS, images, trained, trial

GENTLE = RateChoice(1e-3)
TRIED = RateChoice(1e-3, tuple(TriedRate(rate, 1.0, 0.0, 0.01) for rate in (1e-3, 3e-4, 1e-4)))
TUNED = ARMS[1:]


def run(task, judged, settings=SETTINGS, choice=GENTLE):
    return run_arms(task, settings, judged, choice).by_name


def same(first, second):
    """Bit for bit, as they are and with each change."""
    return np.array_equal(first.predictions.logits, second.predictions.logits) and all(
        np.array_equal(first.changed_logits[change], second.changed_logits[change]) for change in CHANGES
    )


def maps_of(net, images):
    """Made apart from the arms."""
    explainer = explainer_for(SETTINGS.masktune, net, 0)
    return maps_of_all(explainer, images, weights_sha256=weights_sha256(net))


def steps(seen):
    """Steps of tuning."""
    return [what for what in seen if "tuning, round" in what]


@pytest.fixture(scope="module")
def arms():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run(*trial())
    torch.set_num_threads(threads)


def test_untouched_is_the_start(arms):
    task, judged = trial()
    start = task.build()
    assert np.array_equal(arms["untouched"].predictions.logits, predict_all(start, judged.images).logits)
    assert (arms["untouched"].fitted, arms["untouched"].stopped) == (None, None)


def test_all_arms_say_something_of_all_judged_images(arms):
    _, judged = trial()
    assert list(arms) == list(ARMS)
    for name, arm in arms.items():
        assert arm.name == name
        assert arm.predictions.ids.tolist() == judged.images.ids.tolist()
        assert arm.predictions.labels.tolist() == judged.images.labels.tolist()
        shapes = {change: logits.shape for change, logits in arm.changed_logits.items()}
        assert shapes == dict.fromkeys(CHANGES, (40, 2))


def test_each_arm_is_its_classifier_and_none_is_another(arms):
    _, judged = trial()
    hashes = {weights_sha256(arms[name].fitted.classifier) for name in TUNED}
    assert len(hashes) == len(TUNED)
    for name in TUNED:
        assert arms[name].stopped is None
        assert (arms[name].fitted.epochs, arms[name].fitted.selection) == (1, "last")
        said = predict_all(arms[name].fitted.classifier, judged.images)
        assert np.array_equal(arms[name].predictions.logits, said.logits)


def test_all_arms_are_asked_with_the_areas_of_the_start_and_their_own(arms):
    task, judged = trial()
    start = task.build()
    areas, donors = (
        Areas(maps_of(start, judged.images), TopFraction(0.2)),
        Donors.of(judged.images, 0),
    )
    for name, arm in arms.items():
        net = start if name == "untouched" else arm.fitted.classifier
        own = Areas(maps_of(net, judged.images), TopFraction(0.2))
        expected = changed_logits(net, judged.images, areas, donors, own)
        for change in CHANGES:
            assert np.array_equal(arm.changed_logits[change], expected[change])


def test_an_arms_areas_are_those_of_its_own_net(arms):
    task, judged = trial()
    ids = tuple(judged.images.ids.tolist())
    for name, arm in arms.items():
        net = task.build() if name == "untouched" else arm.fitted.classifier
        assert arm.areas.maps.manifest.weights_sha256 == weights_sha256(net)
        assert torch.equal(arm.areas.maps.low(ids), maps_of(net, judged.images).low(ids))
    looks = {arm.areas.maps.low(ids).numpy().tobytes() for arm in arms.values()}
    assert len(looks) == len(ARMS)


@pytest.mark.filterwarnings("ignore:.*masks hide nothing")
def test_arms_differ_in_what_is_hidden_alone():
    # A threshold that nothing reaches: start, order and steps being the same, so are the weights.
    nothing = replace(SETTINGS, masktune=replace(SETTINGS.masktune, threshold=MeanPlusStd(1e6)))
    arms = run(*trial(), nothing)
    assert len({weights_sha256(arms[name].fitted.classifier) for name in TUNED}) == 1
    assert all(same(arms[name], arms["masktune"]) for name in TUNED)
    assert not same(arms["masktune"], arms["untouched"])


@pytest.mark.parametrize(
    ("epochs", "reason"),
    [
        (1, "'bright' was 54 % of its answers and is 0 % now"),
        (4, "it lost 100 points of accuracy on training images that were held back"),
    ],
)
def test_an_arm_that_the_guard_stops_keeps_the_old_answers(epochs, reason):
    # Tuned on labels turned round: after an epoch all is dark, after four all 24 answers are the opposite.
    task, judged = trial(wrong=True)
    start = predict_all(task.build(), judged.held_out)
    assert start.correct.all()
    assert start.predicted.sum() == 13  # Of 24: 54 %.
    tuned = replace(SETTINGS.masktune, epochs=epochs)
    settings = replace(SETTINGS, arms=("continue_erm",), batch_size=4, masktune=tuned)
    task = replace(task, training=settings.tuning())
    arms = run(task, judged, settings, RateChoice(0.1))
    assert arms["continue_erm"].stopped == reason
    assert arms["continue_erm"].fitted is None
    assert same(arms["continue_erm"], arms["untouched"])


def test_an_arm_that_diverges_keeps_the_old_answers():
    task, judged = trial()
    arms = run(task, judged, choice=RateChoice(1e30))
    for name in TUNED:
        assert arms[name].stopped.startswith("the loss is no longer a finite number (tuning, ")
        assert "\n" not in arms[name].stopped
        assert arms[name].fitted is None
        assert same(arms[name], arms["untouched"])


def test_the_same_seed_gives_the_same_bits(arms):
    again, other = run(*trial()), run(*trial(seed=1))
    assert all(same(again[name], arms[name]) for name in ARMS)
    assert np.array_equal(other["untouched"].predictions.logits, arms["untouched"].predictions.logits)
    assert not any(same(other[name], arms[name]) for name in TUNED)


def test_the_given_net_is_left_as_it_was():
    build = trained()
    before = weights_sha256(build())
    given = build()
    run(*trial(build=build))
    assert weights_sha256(given) == before == weights_sha256(build())


def test_with_a_folder_nothing_is_trained_anew(tmp_path, arms):
    first = run(*trial(tmp_path))
    seen = []
    second = run(*trial(tmp_path, lambda step: seen.append(step.what)))
    assert all(same(first[name], arms[name]) and same(second[name], arms[name]) for name in ARMS)
    assert steps(seen) == []
    assert [what for what in seen if what.startswith("asking")] == [f"asking {name}" for name in ARMS]


def test_with_a_folder_only_the_arm_that_is_missing_is_tuned(tmp_path, arms):
    run(*trial(tmp_path), replace(SETTINGS, arms=("continue_erm", "masktune")))
    seen = []
    all_of_them = run(*trial(tmp_path, lambda step: seen.append(step.what)))
    # 72 images in steps of 32 are three; two arms were missing.
    assert steps(seen) == [
        f"{name}: tuning, round 1, epoch 1 of 1"
        for name in ("random_mask", "least_salient_mask")
        for _ in "123"
    ]
    assert all(same(all_of_them[name], arms[name]) for name in ARMS)


def test_what_another_rate_left_is_refused(tmp_path):
    settings = replace(SETTINGS, arms=("masktune",))
    run(*trial(tmp_path), settings)
    with pytest.raises(
        RunFolderError, match=r"round-1.pt was made by another training: .*0\.001.* is .*0\.002"
    ):
        run(*trial(tmp_path), settings, RateChoice(2e-3))


def test_only_the_arms_that_are_asked_for_are_run(arms):
    seen = []
    found = run(*trial(progress=lambda step: seen.append(step.what)), replace(SETTINGS, arms=("masktune",)))
    assert list(found) == ["untouched", "masktune"]
    assert same(found["masktune"], arms["masktune"])
    assert steps(seen) == ["masktune: tuning, round 1, epoch 1 of 1"] * 3


def test_a_lower_rate_is_masktune_at_that_rate_bit_for_bit(arms):
    task, judged = trial()
    found = run_arms(task, SETTINGS, judged, TRIED)
    assert all(same(found.by_name[name], arms[name]) for name in ARMS)
    alone = replace(SETTINGS, arms=("masktune",))
    expected = run(task, judged, alone, RateChoice(3e-4))["masktune"]
    assert same(found.lower, expected)
    assert not same(found.lower, arms["masktune"])
    assert found.lower.name == "masktune"
    weights = [weights_sha256(arm.fitted.classifier) for arm in (found.lower, expected)]
    assert weights[0] == weights[1] == found.lower.areas.maps.manifest.weights_sha256


@pytest.mark.parametrize(
    ("names", "choice"),
    [
        (("masktune",), TRIED),  # Nothing to hold it against.
        (("continue_erm", "random_mask"), TRIED),  # No MaskTune.
        (("continue_erm", "masktune"), GENTLE),  # The rate was given.
        (("continue_erm", "masktune"), replace(TRIED, rate=1e-4)),  # The lowest.
    ],
)
def test_there_is_no_lower_rate_without_rates_below_controls_and_masktune(names, choice):
    task, judged = trial()
    assert run_arms(task, replace(SETTINGS, arms=names), judged, choice).lower is None


def test_masktune_at_the_lower_rate_keeps_its_state_beside_the_other(tmp_path):
    settings = replace(SETTINGS, arms=("continue_erm", "masktune"))
    task, judged = trial(tmp_path)
    first = run_arms(task, settings, judged, TRIED)
    assert {path.parent.name for path in tmp_path.rglob("round-1.pt")} == {
        "continue_erm",
        "masktune",
        "masktune-lower",
    }
    seen = []
    task, judged = trial(tmp_path, lambda step: seen.append(step.what))
    second = run_arms(task, settings, judged, TRIED)
    assert steps(seen) == []
    assert same(first.lower, second.lower)
    # Without its state it alone is tuned again.
    (tmp_path / "masktune-lower" / "round-1.pt").unlink()
    third = run_arms(task, settings, judged, TRIED)
    assert steps(seen) == ["masktune-lower: tuning, round 1, epoch 1 of 1"] * 3
    assert same(first.lower, third.lower)


def test_a_lower_rate_that_is_stopped_keeps_the_old_answers():
    task, judged = trial()
    choice = RateChoice(1e31, tuple(TriedRate(rate, 1.0, 0.0, 0.01) for rate in (1e31, 1e30)))
    found = run_arms(task, replace(SETTINGS, arms=("continue_erm", "masktune")), judged, choice)
    assert found.lower.stopped.startswith("the loss is no longer a finite number")
    assert same(found.lower, found.by_name["untouched"])


def guarded(monkeypatch, *of):
    """Run arms and give what the guard was shown: by arm, what the tuned net says of masked images."""
    shown = []

    def watch(before, after, masked):
        shown.append(masked)

    monkeypatch.setattr("masktune.trial.arms.collapsed", watch)
    found = run(*of)
    return found, dict(zip(TUNED, shown, strict=True))


def test_the_guard_sees_the_training_images_as_they_were_hidden(monkeypatch):
    task, judged = trial()
    found, shown = guarded(monkeypatch, task, judged)
    assert shown["continue_erm"] is None
    for name in TUNED[1:]:
        fitted = found[name].fitted
        batch = fitted.masks.hide(task.train.__getitems__(range(len(task.train))))
        expected = predict(fitted.classifier, [batch])
        assert shown[name].ids.tolist() == task.train.ids.tolist()
        assert shown[name].labels.tolist() == task.train.labels.tolist()
        assert shown[name].logits == pytest.approx(expected.logits, abs=1e-4)
        plain = predict(fitted.classifier, [task.train.__getitems__(range(len(task.train)))])
        assert not np.allclose(shown[name].logits, plain.logits, atol=0.1)


def test_of_many_training_images_the_guard_sees_500(monkeypatch):
    task, judged = trial()
    many = images(600)
    settings = replace(SETTINGS, arms=("masktune",))
    shown = []
    monkeypatch.setattr("masktune.trial.arms.collapsed", lambda before, after, masked: shown.append(masked))
    for _ in range(2):
        run(replace(task, train=many), judged, settings)
    (first, second) = shown
    assert len(first) == len(set(first.ids)) == GUARDED == 500
    assert set(first.ids) < set(many.ids)
    assert first.ids.tolist() == second.ids.tolist()


def test_a_net_that_learnt_nothing_under_the_masks_and_lost_is_stopped(monkeypatch):
    # Planted: after tuning four of the 24 held-back images are wrong; p is 1 / 2**4, which is to do here.
    monkeypatch.setattr("masktune.trial.guard.SURE", 0.1)
    task, judged = trial(wrong=True)
    start = predict_all(task.build(), judged.held_out)
    assert start.correct.all()
    settings = replace(SETTINGS, arms=("masktune",))
    after = np.where(np.arange(24) < 4, -1, 1).astype(np.float32)[:, None] * start.logits
    monkeypatch.setattr(
        "masktune.trial.arms.fit_and_ask",
        lambda method, task, held_out: (method.fit(task), replace(start, logits=after)),
    )
    arm = run(task, judged, settings, RateChoice(1e-9))["masktune"]
    # Labels are turned round, so the net is right on next to none of the images that it was tuned on.
    assert arm.stopped.startswith("it is right on ")
    assert arm.stopped.endswith("would be, and lost 17 points without masks")


def test_weights_that_are_finite_but_too_large_are_no_classifier():
    # One step, so no loss after it is seen; two layers of 1e25 each make logits beyond what floats hold.
    task, judged = trial()
    settings = replace(SETTINGS, arms=("continue_erm",), batch_size=72)
    arms = run(replace(task, training=settings.tuning()), judged, settings, RateChoice(1e25))
    assert arms["continue_erm"].stopped == (
        "a logit is no longer a finite number after tuning (expected finite logits, got NaN or infinity for "
        "24 of 24 images); try a smaller learning rate"
    )
    assert same(arms["continue_erm"], arms["untouched"])


@pytest.mark.parametrize(
    ("empty", "sentence"),
    [
        ("images", "expected at least one image to judge the arms on, got none; give more images"),
        ("held_out", "expected at least one image to hold back from tuning, got none; give more images"),
    ],
)
def test_no_image_left_is_said(empty, sentence):
    none = Subset(images(4), torch.arange(0))
    with pytest.raises(InputError) as caught:
        JudgedImages(**{"images": images(4), "held_out": images(4)} | {empty: none})
    assert str(caught.value) == sentence


def made_task(data, validation):
    """Grey images of 12 bits, and a net that has learnt to read their marker."""

    def fresh():
        net = from_seed(lambda: SmallCNN(channels=1), 0)
        return Classifier(net, InputSpec(size=(28, 28), channels=1), data.classes)

    first = Training(epochs=12, batch_size=16, optimizer="adam", learning_rate=3e-3, annealing="linear")
    kept = ERM().fit(Task(data, validation, fresh, first)).classifier.state_dict()

    def build():
        net = fresh()
        net.load_state_dict(kept)
        return net

    return Task(data, validation, build, TrialSettings().tuning())


@pytest.mark.filterwarnings("ignore:.*masks hide nothing")
def test_hiding_or_swapping_the_marker_that_a_net_reads_misleads_it():
    marker = Marker(size=0.25, place="top right", strength=1.0, share=1.0, conflicting=0.0)
    made = ShortcutImages(128, size=(28, 28), bits=12, images_per_subject=2, marker=marker)
    parts = made.splits(validation=32)
    task = made_task(made, parts.validation)
    arms = run(
        task, JudgedImages(parts.tests["aligned"], parts.validation), TrialSettings(arms=("masktune",))
    )
    untouched = arms["untouched"]
    assert untouched.predictions.subjects.tolist() == parts.tests["aligned"].subjects.tolist()
    assert untouched.predictions.groups.tolist() == parts.tests["aligned"].groups.tolist()
    right = {
        change: replace(untouched.predictions, logits=untouched.changed_logits[change]).correct.mean()
        for change in CHANGES
    }
    # Circles carry the marker, crosses do not; without it circles look like crosses to this net.
    assert untouched.predictions.correct.mean() > 0.95
    assert right["salient"] < 0.7
    # Circles with the place of a cross lose it, with that of another circle they keep one.
    circles = untouched.predictions.labels == 0
    swapped = replace(untouched.predictions, logits=untouched.changed_logits["other_class"])
    assert swapped.correct[circles].mean() < 0.2
    assert right["same_class"] > 0.9
