from dataclasses import replace

import numpy as np
import pytest
import torch

from masktune.data import Subset
from masktune.errors import InputError, RunFolderError
from masktune.masking import AREAS, MeanPlusStd, TopFraction
from masktune.methods import ERM, Task
from masktune.methods.masktune import explainer_for
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.models.small_cnn import SmallCNN
from masktune.models.weights import weights_sha256
from masktune.testing import Marker, ShortcutImages
from masktune.training.settings import Training
from masktune.training.together import maps_of_all, predict_all
from masktune.trial.arms import Judged, run_arms
from masktune.trial.hiding import Areas, hidden_logits
from masktune.trial.rates import RateChoice
from masktune.trial.settings import ARMS, TrialSettings
from masktune.types import InputSpec

from .tiny import SETTINGS, images, trained, trial

GENTLE = RateChoice(1e-3)
TUNED = ARMS[1:]


def run(task, judged, settings=SETTINGS, choice=GENTLE):
    return run_arms(task, settings, judged, choice)


def same(first, second):
    """Bit for bit, as they are and with each area hidden."""
    return np.array_equal(first.predictions.logits, second.predictions.logits) and all(
        np.array_equal(first.hidden_logits[area], second.hidden_logits[area]) for area in AREAS
    )


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
        assert {area: logits.shape for area, logits in arm.hidden_logits.items()} == dict.fromkeys(
            AREAS, (40, 2)
        )


def test_each_arm_is_its_classifier_and_none_is_another(arms):
    _, judged = trial()
    hashes = {weights_sha256(arms[name].fitted.classifier) for name in TUNED}
    assert len(hashes) == len(TUNED)
    for name in TUNED:
        assert arms[name].stopped is None
        assert (arms[name].fitted.epochs, arms[name].fitted.selection) == (1, "last")
        said = predict_all(arms[name].fitted.classifier, judged.images)
        assert np.array_equal(arms[name].predictions.logits, said.logits)


def test_all_arms_are_asked_with_the_areas_of_the_start(arms):
    task, judged = trial()
    start = task.build()
    explainer = explainer_for(SETTINGS.masktune, start, task.seed)
    maps = maps_of_all(explainer, judged.images, weights_sha256=weights_sha256(start))
    areas = Areas(maps, TopFraction(0.2), task.seed)
    for name, arm in arms.items():
        net = start if name == "untouched" else arm.fitted.classifier
        expected = hidden_logits(net, judged.images, areas)
        for area in AREAS:
            assert np.array_equal(arm.hidden_logits[area], expected[area])


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
    assert [what for what in seen if what.startswith("tuning")] == []
    assert [what for what in seen if what.startswith("asking")] == [f"asking {name}" for name in ARMS]


def test_with_a_folder_only_the_arm_that_is_missing_is_tuned(tmp_path, arms):
    run(*trial(tmp_path), replace(SETTINGS, arms=("continue_erm", "masktune")))
    seen = []
    all_of_them = run(*trial(tmp_path, lambda step: seen.append(step.what)))
    # 72 images in steps of 32 are three; two arms were missing.
    assert seen.count("tuning, round 1, epoch 1 of 1") == 6
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
    assert seen.count("tuning, round 1, epoch 1 of 1") == 3


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
        Judged(**{"images": images(4), "held_out": images(4)} | {empty: none})
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
def test_hiding_the_marker_that_a_net_reads_costs_more_than_hiding_as_much_elsewhere():
    marker = Marker(size=0.25, place="top right", strength=1.0, share=1.0, conflicting=0.0)
    made = ShortcutImages(128, size=(28, 28), bits=12, images_per_subject=2, marker=marker)
    parts = made.splits(validation=32)
    task = made_task(made, parts.validation)
    arms = run(task, Judged(parts.tests["aligned"], parts.validation), TrialSettings(arms=("masktune",)))
    untouched = arms["untouched"]
    assert untouched.predictions.subjects.tolist() == parts.tests["aligned"].subjects.tolist()
    assert untouched.predictions.groups.tolist() == parts.tests["aligned"].groups.tolist()
    right = {
        area: replace(untouched.predictions, logits=untouched.hidden_logits[area]).correct.mean()
        for area in AREAS
    }
    # Circles carry the marker, crosses do not; without it circles look like crosses to this net.
    assert untouched.predictions.correct.mean() > 0.95
    assert right["salient"] < 0.7
    assert min(right["random"], right["least_salient"]) > 0.9
