from dataclasses import replace

import numpy as np
import pytest

from masktune.trial import judging
from masktune.trial.judging import SURE
from masktune.trial.settings import ARMS
from masktune.trial.verdict import LEAST_GAIN, LEVEL, MUCH, conflicting, verdict_of

from .planted import CONTROLS, ROBUST, SHORTCUT, Net, logits_of, said_of, world

SEEDS = range(5)


def score_of(verdict, name="swapped", *, equal_shares=False):
    return next(one for one in verdict.scores if (one.name, one.equal_shares) == (name, equal_shares))


def number(value):
    return f"{100 * value:.1f}"


def points(value):
    return f"{number(value)} points"


def with_arm(said, arm, plain, changed):
    """The same images, of which one arm says something else."""
    return replace(said, plain={**said.plain, arm: plain}, changed={**said.changed, arm: changed})


@pytest.mark.parametrize("classes", ["ab", "abc"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_net_that_is_right_whatever_the_place_says_has_helped(seed, classes):
    found = verdict_of(world(300, seed, ROBUST, classes=classes), seed=seed)
    assert (found.word, found.why) == ("helped", "gain")
    score = score_of(found)
    assert points(score.over_best.value) in found.reason
    assert f"({number(score.over_best.low)} to {number(score.over_best.high)})" in found.reason
    assert f"{100 * score.arms['masktune'].value:.1f} % of its worst class" in found.reason
    assert found.right_on_conflicting["masktune"] > found.right_on_conflicting["continue_erm"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_net_that_follows_the_place_as_before_has_no_effect(seed):
    found = verdict_of(world(1000, seed, SHORTCUT), seed=seed)
    assert (found.word, found.why) == ("no_evidence", "no_effect")
    gain = score_of(found).over_best
    told = f"is {points(gain.value)} ({number(gain.low)} to {number(gain.high)}); 15 are wanted"
    assert told.replace("-0.0", "0.0") in found.reason


@pytest.mark.parametrize("seed", SEEDS)
def test_images_that_could_not_show_a_gain_are_too_few(seed):
    # Ten images a class and nets that go their own ways: a gain of 15 points lies within the interval.
    half = replace(SHORTCUT, swapped=0.5)
    few, many = (verdict_of(world(n, seed, half, half, private=0.5), seed=seed) for n in (20, 1000))
    assert (few.word, few.why) == ("no_evidence", "too_few")
    score = score_of(few)
    assert score.over_best.high >= LEAST_GAIN
    assert f"with {score.least} in the smallest class" in few.reason
    assert f"to {number(score.over_best.high)}) against " in few.reason
    assert f"p {score.corrected:.2g}, corrected" in few.reason
    assert (many.word, many.why) == ("no_evidence", "no_effect")


def test_arms_that_are_all_equal_never_help(unchecked):
    for seed in range(100):
        said = world(30, seed, ROBUST)
        same = dict.fromkeys(ARMS, said.plain["masktune"]), dict.fromkeys(ARMS, said.changed["masktune"])
        found = verdict_of(replace(said, plain=same[0], changed=same[1]), seed=seed)
        # Of fifteen images a class, none of which differs, one in five might: Wilson's upper end of 0 of 15.
        assert (found.word, found.why) == ("no_evidence", "too_few")
        ends = [(gain.value, gain.low, gain.high) for gain in score_of(found).gains]
        assert ends == [(0, pytest.approx(-0.2039, abs=1e-4), pytest.approx(0.2039, abs=1e-4))] * 4
        assert all(one.corrected == 1 for one in found.scores)


@pytest.mark.parametrize("n", [60, 600])
def test_without_an_effect_at_most_one_in_twenty_helped(unchecked, monkeypatch, n):
    monkeypatch.setattr(judging, "REPEATS", 400)  # Enough here: a gain has to be beyond all doubt.
    net = Net(agrees=0.97, disagrees=0.6, swapped=0.6, hidden=0.8)
    words = [verdict_of(world(n, seed, net, net, private=0.4), seed=seed).word for seed in range(200)]
    assert words.count("helped") <= 10
    assert words.count("harmful") <= 10


def worse(seed, lost=100):
    """2,000 images; MaskTune has of class b as many wrong more as told, of 1,000."""
    said = world(2000, seed, SHORTCUT)
    plain = said.plain["untouched"].copy()
    right = np.flatnonzero((said.labels == 1) & (plain.argmax(1) == 1))
    at = np.random.default_rng(seed).choice(right, lost, replace=False)
    plain[at] = plain[at][:, ::-1]
    return with_arm(said, "masktune", plain, said.changed["untouched"])


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_points_less_in_a_class_are_harmful(seed):
    found = verdict_of(worse(seed), seed=seed)
    assert (found.word, found.why) == ("harmful", "worse")
    score = score_of(found, "worst_class")
    assert score.arms["masktune"].cell == "b"
    loss = score.over_untouched
    assert -loss.value >= MUCH
    # Of class b itself: 50 of its 500 images, whatever the old model's worst class was.
    assert "10.0 points (" in found.reason
    assert " less than before" in found.reason
    assert f"right on {100 * score.arms['masktune'].value:.1f} % of b" in found.reason


def test_a_loss_of_less_than_five_points_is_not_harmful():
    assert verdict_of(worse(0, lost=20)).word == "no_evidence"


def test_what_each_class_loses_a_little_of_all_images_together_lose_for_sure():
    # Of 40 images of each of ten classes 36 are right before and 31 after: 0.06 a class, before correction.
    labels, at = np.arange(400) % 10, np.arange(400) // 10
    old, new = (np.where(at < wrong, (labels + 1) % 10, labels) for wrong in (4, 9))
    plain = {arm: logits_of(old, 10) for arm in ARMS} | {"masktune": logits_of(new, 10)}
    found = verdict_of(said_of(labels, plain, classes="abcdefghij"))
    assert (found.word, found.why) == ("harmful", "worse")
    assert found.reason.startswith("the tuned model is right on 77.5 % of all images, 12.5 points (")


def test_a_loss_that_may_be_chance_is_not_harmful():
    # Of 20 images of class b two are lost: ten points, and p = 2 / 2**2.
    labels = np.repeat([0, 1], 20)
    plain = dict.fromkeys(ARMS, logits_of(labels))
    plain["masktune"] = logits_of(np.where(np.arange(40) < 38, labels, 0))
    found = verdict_of(said_of(labels, plain))
    assert score_of(found, "worst_class").over_untouched.value == pytest.approx(-0.1)
    assert found.word == "no_evidence"


def test_a_tuning_that_was_given_up_is_harmful_whatever_the_scores_say():
    found = verdict_of(world(300, 0, ROBUST), stopped="it lost 31 points")
    assert (found.word, found.why) == ("harmful", "collapsed")
    assert found.reason == "tuning was given up, since it lost 31 points"
    assert len(found.scores) == 8


def test_a_cap_leaves_no_evidence_but_what_is_harmful_stays_so():
    cap = "it is not known which images the weights have seen"
    capped = verdict_of(world(300, 0, ROBUST), cap=cap)
    assert (capped.word, capped.why, capped.reason) == ("no_evidence", "cannot_be_known", cap)
    assert capped.scores == verdict_of(world(300, 0, ROBUST)).scores
    unclear = verdict_of(world(300, 0, SHORTCUT), cap=cap)
    assert (unclear.word, unclear.why, unclear.reason) == ("no_evidence", "cannot_be_known", cap)
    assert verdict_of(worse(0), cap=cap) == verdict_of(worse(0))
    assert verdict_of(worse(0), cap=cap, stopped="it collapsed").why == "collapsed"


def moved(seed, *, by, swapped=1.5, n=1200):
    """MaskTune is `continue_erm` with a constant on the logit of the rare class; other arms are like it."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < 0.15).astype(np.int64)
    signs = 2 * labels - 1
    known = 2.2 * signs - 1.2 + 1.5 * random.normal(size=n)  # The rare class is given too rarely.
    differences = {arm: known + 0.2 * random.normal(size=n) for arm in ARMS}
    differences["masktune"] = differences["continue_erm"] + by

    def says(arm, less):
        return np.stack([np.zeros(n), differences[arm] - less * signs], axis=1).astype(np.float32)

    less = {"salient": 0.5, "other_class": swapped, "own_other_class": swapped}
    changed = {arm: {change: says(arm, value) for change, value in less.items()} for arm in ARMS}
    return said_of(labels, {arm: says(arm, 0) for arm in ARMS}, changed)


@pytest.mark.parametrize("by", [0.75, 1.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_on_a_logit_is_a_shift_of_the_threshold(seed, by):
    found = verdict_of(moved(seed, by=by), seed=seed)
    rose = score_of(found, "worst_class").over_best
    assert (rose.value >= MUCH, rose.low > 0) == (True, True)
    for name in ("swapped", "worst_class"):
        at_equal_shares = {gain.over: gain for gain in score_of(found, name, equal_shares=True).gains}
        assert at_equal_shares["continue_erm"].value == 0
    assert (found.word, found.why) == ("no_evidence", "threshold_shift")


@pytest.mark.parametrize(("by", "name"), [(0.75, "swapped"), (2.0, "worst_class")])
def test_the_reason_of_a_shift_has_the_numbers_with_and_without_it(by, name):
    found = verdict_of(moved(0, by=by))
    assert points(score_of(found, name).over_best.value) in found.reason
    equal = score_of(found, name, equal_shares=True).over_best
    assert f"({number(equal.low)} to {number(equal.high)}) over" in found.reason
    assert "when every model gives each class" in found.reason
    assert ("with the place swapped" in found.reason) == (name == "swapped")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_is_called_so_also_where_answers_still_follow_the_place(seed):
    found = verdict_of(moved(seed, by=1.0, swapped=2.5), seed=seed)
    score = score_of(found)
    assert (score.over_best.value >= LEAST_GAIN, score.arms["masktune"].value < LEVEL) == (True, True)
    assert (found.word, found.why) == ("no_evidence", "threshold_shift")


def test_a_shift_without_any_gain_in_the_worst_class_is_no_effect():
    # Now the frequent class is the worst one.
    assert verdict_of(moved(0, by=4.0)).word != "helped"


@pytest.mark.parametrize("seed", SEEDS)
def test_without_an_image_whose_place_misleads_it_cannot_be_known(seed):
    found = verdict_of(world(300, seed, ROBUST, conflict=0), seed=seed)
    assert (found.word, found.why, found.conflicting) == ("no_evidence", "cannot_be_known", 0)
    assert points(score_of(found).over_best.value) in found.reason


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gain_that_real_images_do_not_bear_out_is_not_confirmed(seed):
    # It resists a swap, but on images whose own place misleads it is right less often than a control.
    wrong_there = replace(ROBUST, agrees=SHORTCUT.agrees, disagrees=0.15)
    said = world(600, seed, wrong_there, replace(SHORTCUT, disagrees=0.3), private=0)
    found = verdict_of(said, seed=seed)
    assert (found.word, found.why) == ("no_evidence", "not_confirmed")
    right = found.right_on_conflicting
    assert right["masktune"] < right["continue_erm"]
    assert f"of the {found.conflicting} judged images" in found.reason
    assert f"it has {right['masktune']} right and " in found.reason
    assert found.reason.endswith(f" {max(n for arm, n in right.items() if arm != 'masktune')}")


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_confirmed_and_costs_a_class_much_is_harmful(seed):
    wrong_there = replace(ROBUST, agrees=SHORTCUT.agrees - 0.1, disagrees=0.15)
    said = world(600, seed, wrong_there, replace(SHORTCUT, disagrees=0.3), private=0)
    found = verdict_of(said, seed=seed)
    assert score_of(found).over_best.value >= LEAST_GAIN
    assert (found.word, found.why) == ("harmful", "worse")


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_that_still_follow_the_place_have_no_effect_however_large_the_gain(seed):
    found = verdict_of(world(600, seed, replace(ROBUST, swapped=0.4)), seed=seed)
    assert (found.word, found.why) == ("no_evidence", "no_effect")
    score = score_of(found)
    assert score.over_best.value >= LEAST_GAIN
    assert score.arms["masktune"].value < LEVEL
    assert "still follow a place" in found.reason
    assert f"{100 * score.arms['masktune'].value:.1f} %" in found.reason
    assert points(score.over_best.value) in found.reason


def test_a_net_that_follows_another_place_now_has_not_helped():
    found = verdict_of(world(600, 0, replace(ROBUST, own=0.1)))
    assert (found.word, found.why) == ("no_evidence", "no_effect")


@pytest.mark.parametrize("arm", ["untouched", *CONTROLS])
def test_each_other_arm_that_does_as_well_takes_the_gain_away(arm):
    said = world(600, 0, ROBUST)
    assert verdict_of(said).word == "helped"
    found = verdict_of(with_arm(said, arm, said.plain["masktune"], said.changed["masktune"]))
    assert found.word == "no_evidence"
    assert score_of(found).over_best.over == arm
    words = {
        "untouched": "the old model",
        "continue_erm": "the best control (one more ordinary epoch)",
        "random_mask": "the best control (random masks)",
        "least_salient_mask": "the best control (the least salient area hidden)",
    }
    assert words[arm] in found.reason


def test_a_gain_over_the_old_model_must_be_sure_too():
    # Swapped, so many of the 20 images of class a are wrong: over the old model five are gained and none
    # lost, p = 2 / 2**5, over each control twelve.
    labels = np.repeat([0, 1], 20)
    wrong = {"untouched": 5, **dict.fromkeys(CONTROLS, 12), "masktune": 0}
    swapped = {arm: logits_of(np.where(np.arange(40) < n, 1, labels)) for arm, n in wrong.items()}
    changed = {arm: {"other_class": z, "own_other_class": z} for arm, z in swapped.items()}
    found = verdict_of(said_of(labels, dict.fromkeys(wrong, logits_of(labels)), changed))
    score = score_of(found)
    assert (score.over_untouched.value, score.over_control.value) == (0.25, 0.6)
    assert score.lowest > 0
    assert score.over_control.p_value < SURE < score.over_untouched.p_value <= score.corrected
    assert (found.word, found.why) == ("no_evidence", "too_few")


def test_a_loss_outweighs_a_smaller_gain():
    # 600 images: with the place swapped 30 points more of class a, as they are 35 points less of class b.
    said = world(600, 0, replace(SHORTCUT, swapped=0.9), replace(SHORTCUT, swapped=0.6))
    plain = said.plain["untouched"].copy()
    right = np.flatnonzero((said.labels == 1) & (plain.argmax(1) == 1))[:105]
    plain[right] = plain[right][:, ::-1]
    found = verdict_of(with_arm(said, "masktune", plain, said.changed["masktune"]))
    assert score_of(found).over_best.value >= LEAST_GAIN
    assert (found.word, found.why) == ("harmful", "worse")


def test_images_of_few_subjects_are_too_few():
    # The same answers to 48 images, of 48 subjects or of eight.
    said = world(48, 3, ROBUST, replace(SHORTCUT, swapped=0.5), subjects=6, conflict=0.2)
    assert len(np.unique(said.units)) == 8
    assert verdict_of(replace(said, subjects=None)).word == "helped"
    assert verdict_of(said).why == "too_few"


def test_conflicting_images_are_those_whose_place_takes_the_answer_along():
    plain = {"untouched": logits_of([0, 0, 1, 1, 0])}
    # Image 0 has got the place of 1 and is wrong now; 1 that of 0 and stays right; 2 was wrong before; 3 has
    # got that of 4; 4 was wrong before.
    same = {"untouched": {"same_class": logits_of([1, 0, 1, 0, 1])}}
    said = said_of([0, 0, 0, 1, 1], plain, same, same_class=[1, 2, 0, 4, 3])
    assert conflicting(said).tolist() == [False, True, False, False, True]


def test_conflicting_images_are_found_where_they_were_planted():
    said = world(400, 0, ROBUST, private=0)
    misled = said.plain["untouched"].argmax(1) != said.labels
    found = conflicting(said)
    assert found.sum() > 20
    assert (found & misled).sum() / found.sum() > 0.8


def test_a_few_images_of_everything_give_a_verdict_without_a_warning():
    for n in (2, 3, 12):
        assert verdict_of(world(n, 0, ROBUST)).word in ("no_evidence", "helped")


def three(masktune, *, rare=9):
    """150 images of two classes each, on which MaskTune gains, and some of a third that all others know."""
    said = world(300, 0, ROBUST, classes="ab")
    labels = np.concatenate([said.labels, np.full(rare, 2)])

    def with_third(logits, right):
        answers = np.concatenate([logits.argmax(1), np.where(np.arange(rare) < right, 2, 0)])
        return logits_of(answers, 3)

    plain = {arm: with_third(said.plain[arm], masktune if arm == "masktune" else rare) for arm in ARMS}
    changed = {
        arm: {name: with_third(logits, rare) for name, logits in said.changed[arm].items()} for arm in ARMS
    }
    donors = np.concatenate([said.donors.same_class, np.arange(300, 300 + rare)])
    return said_of(labels, plain, changed, classes="abc", same_class=donors)


def test_a_class_of_few_judged_images_that_is_wiped_out_is_harm():
    assert verdict_of(world(300, 0, ROBUST)).word == "helped"
    found = verdict_of(three(0))
    assert (found.word, found.why) == ("harmful", "worse")
    assert found.reason.startswith("the tuned model is right on 0.0 % of c, 100.0 points")


def test_of_a_class_of_few_judged_images_nothing_is_claimed():
    found = verdict_of(three(9))
    assert (found.word, found.why) == ("no_evidence", "too_few")
    assert found.reason.startswith("too few images of c: with 9 judged (10 are the least)")
    assert verdict_of(three(10, rare=10)).word == "helped"


def test_a_class_that_is_not_the_worst_and_loses_is_harm():
    # Class a goes from 95 to 60 of 100 and class b from 60 to 75: the worst class is as good as it was. Wrong
    # answers go another way than before, so that no threshold explains it.
    labels = np.repeat([0, 1, 2], 100)
    at = np.tile(np.arange(100), 3)
    before = np.where(at < np.array([95, 60, 80])[labels], labels, (labels + 1) % 3)
    after = np.where(at < np.array([60, 75, 80])[labels], labels, (labels + 2) % 3)
    plain = dict.fromkeys(ARMS, logits_of(before, 3)) | {"masktune": logits_of(after, 3)}
    found = verdict_of(said_of(labels, plain, classes="abc"))
    assert (found.word, found.why) == ("harmful", "worse")
    assert "of a, 35.0 points" in found.reason
