from dataclasses import replace

import numpy as np
import pytest

from masktune.errors import DataDamaged, TrainingDiverged
from masktune.trial.rates import RateChoice, TriedRate, choose_rate, judge_rates, kept_choice
from masktune.trial.settings import TrialSettings

from .tiny import brightness, images, trained, trial


def with_batches_of(size, task, settings):
    settings = replace(settings, batch_size=size)
    return replace(task, training=settings.tuning()), settings


def right(n, wrong):
    """Right on all of n images but the first so many."""
    return np.arange(n) >= wrong


def test_the_largest_rate_that_loses_nothing_is_taken():
    choice = judge_rates({0.3: right(10, 10), 0.1: right(10, 0), 0.01: right(10, 0)})
    assert choice.rate == 0.1
    assert [(one.rate, one.accuracy) for one in choice.tried] == [(0.3, 0.0), (0.1, 1.0), (0.01, 1.0)]


@pytest.mark.parametrize(("wrong", "taken"), [(1, 0.1), (2, 0.01)])
def test_of_few_images_a_standard_error_of_the_paired_difference_may_be_lost(wrong, taken):
    # Ten differences, one of them 1: variance (0.9**2 + 9 * 0.1**2) / 9 = 0.1, standard error
    # sqrt(0.1 / 10) = 0.1, just what is lost. Two of them 1: sqrt(1.6 / 9 / 10) = 0.133 for 0.2.
    choice = judge_rates({0.1: right(10, wrong), 0.01: right(10, 0)})
    assert choice.rate == taken
    assert choice.tried[0].behind == pytest.approx(wrong / 10)
    assert choice.tried[0].allowed == pytest.approx({1: 0.1, 2: np.sqrt(1.6 / 90)}[wrong])
    assert choice.tried[1] == TriedRate(0.01, accuracy=1.0, behind=0.0, allowed=0.01)


@pytest.mark.parametrize(("wrong", "taken"), [(10, 0.1), (11, 0.01)])
def test_of_many_images_a_point_may_be_lost(wrong, taken):
    # Standard errors are below 0.0034 here.
    choice = judge_rates({0.01: right(1000, 0), 0.1: right(1000, wrong)})
    assert choice.rate == taken
    assert choice.tried[0].allowed == 0.01


def test_differences_are_paired():
    # Both are wrong once in ten, but on other images: the difference is 0, its error that of two changes.
    other = np.arange(10) < 9
    choice = judge_rates({0.1: right(10, 1), 0.01: other})
    assert choice.rate == 0.1
    lost = [one.behind for one in choice.tried]
    assert lost == [0.0, 0.0]
    # Differences -1, 1 and eight 0: variance 2 / 9.
    assert choice.tried[1].allowed == pytest.approx(np.sqrt(2 / 9 / 10))


def test_one_image_has_no_standard_error():
    choice = judge_rates({0.1: right(1, 1), 0.01: right(1, 0)})
    assert choice.rate == 0.01
    assert choice.tried[0] == TriedRate(0.1, accuracy=0.0, behind=1.0, allowed=0.01)


def test_a_rate_that_diverges_is_passed_over():
    choice = judge_rates({10.0: None, 0.1: right(10, 0), 0.01: right(10, 0)})
    assert choice.rate == 0.1
    assert choice.tried[0] == TriedRate(10.0, None, None, None)


def test_the_rate_below_is_the_next_that_did_not_diverge():
    correct = {1.0: right(10, 9), 0.1: right(10, 0), 0.03: None, 0.01: right(10, 9), 0.001: right(10, 9)}
    choice = judge_rates(correct)
    assert (choice.rate, choice.lower) == (0.1, 0.01)
    assert judge_rates({0.1: right(10, 0), 0.03: None}).lower is None
    assert RateChoice(0.1).lower is None


def test_all_rates_diverging_is_one_line():
    with pytest.raises(TrainingDiverged) as caught:
        judge_rates({0.003: None, 0.0001: None})
    assert str(caught.value) == (
        "the loss was no longer finite at any of the rates 0.003, 0.0001; give a smaller --lr, or look at "
        "the weights and the images' range"
    )


def test_a_given_rate_is_taken_as_it_is_and_nothing_is_tried():
    seen = []
    task, judged = trial(progress=seen.append)
    assert choose_rate(task, TrialSettings(learning_rate=0.7), judged.held_out) == RateChoice(0.7)
    assert seen == []


def test_nets_decide_by_the_control_on_a_quarter_of_the_images():
    seen = []
    task, judged = trial(progress=seen.append, build=trained())
    # At 1e30 the second step of the quarter, 18 images in steps of 9, meets weights of that size.
    task, settings = with_batches_of(9, task, TrialSettings(rates=(1e30, 1e-3, 1e-4)))
    choice = choose_rate(task, settings, judged.held_out)
    assert choice.rate == 1e-3
    assert [one.rate for one in choice.tried] == [1e30, 1e-3, 1e-4]
    assert choice.tried[0].accuracy is None
    # No maps were made: the control hides nothing.
    assert list(dict.fromkeys((step.what, step.total) for step in seen)) == [
        (f"trying the rate {rate}: tuning, round 1, epoch 1 of 1", 18)
        for rate in ("1e+30", "0.001", "0.0001")
    ]
    assert [step.done for step in seen[-2:]] == [9, 18]


def test_accuracy_is_that_on_the_images_that_are_held_back():
    # The same images with labels turned round: right becomes wrong, whatever was tuned on.
    task, judged = trial()
    for held_out, accuracy in ((judged.images, 1.0), (images(40, seed=9, wrong=True), 0.0)):
        tried = choose_rate(task, TrialSettings(rates=(1e-5, 1e-6)), held_out).tried
        assert [one.accuracy for one in tried] == [accuracy, accuracy]


def test_a_rate_that_wrecks_a_good_net_is_not_taken():
    # The net is right on all images. Adam's step is as large as the rate: at 100 it destroys the rule.
    task, judged = trial(build=brightness)
    settings = TrialSettings(rates=(100.0, 1e-4))
    choice = choose_rate(task, settings, judged.held_out)
    assert choice.rate == 1e-4
    assert choice.tried[1].accuracy == 1.0
    assert choice.tried[0].accuracy < 0.9


def test_a_rate_after_which_logits_are_no_numbers_is_passed_over():
    # All of the quarter in one step, so the loss never sees weights of 1e25; held-back images do.
    task, judged = trial(build=trained())
    choice = choose_rate(task, TrialSettings(rates=(1e25, 1e-3)), judged.held_out)
    assert choice.tried[0] == TriedRate(1e25, None, None, None)
    assert choice.rate == 1e-3


def test_all_nets_diverging_is_said():
    task, judged = trial(build=trained())
    task, settings = with_batches_of(9, task, TrialSettings(rates=(1e30, 1e32)))
    with pytest.raises(TrainingDiverged, match=r"any of the rates 1e\+30, 1e\+32; give a smaller --lr"):
        choose_rate(task, settings, judged.held_out)


def test_the_same_seed_makes_the_same_choice_and_leaves_no_file(tmp_path):
    choices = []
    for folder in (None, tmp_path):
        task, judged = trial(folder)
        choices.append(choose_rate(task, TrialSettings(), judged.held_out))
    assert choices[0] == choices[1]
    assert list(tmp_path.iterdir()) == []


def test_a_choice_that_was_made_is_read_and_nothing_is_tried_again(tmp_path):
    task, judged = trial(tmp_path)
    first = kept_choice(task, TrialSettings(), judged.held_out)
    assert first == choose_rate(task, TrialSettings(), judged.held_out)
    assert len(first.tried) == 4
    seen = []
    again, _ = trial(tmp_path, seen.append)
    assert kept_choice(again, TrialSettings(), judged.held_out) == first
    assert seen == []


@pytest.mark.parametrize("damage", ["{", "{}", '{"rate": 0.1, "tried": [{"speed": 1}]}'])
def test_a_damaged_choice_is_one_line(tmp_path, damage):
    task, judged = trial(tmp_path)
    kept_choice(task, TrialSettings(learning_rate=0.1), judged.held_out)
    (tmp_path / "rate.json").write_text(damage)
    with pytest.raises(DataDamaged) as caught:
        kept_choice(task, TrialSettings(), judged.held_out)
    assert "rate.json is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)
