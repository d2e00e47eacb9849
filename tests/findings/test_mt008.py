import numpy as np
import pytest

from masktune.findings import mt008_properties, mt009_names, mt010_tags, mt011_columns
from masktune.findings.mt008_properties import QUESTION

from .made import Planted, chance, words
from .observations import observed

ALL = [module.QUESTION for module in (mt008_properties, mt009_names, mt010_tags, mt011_columns)]


def numbers(finding):
    return {one.name: one for one in finding.evidence}


def brightness(set_, seed=0):
    """Class 1's images are the brighter ones: 0.5 to 1 against 0 to 0.5."""
    return set_.copied / 2 + np.random.default_rng(seed).uniform(0, 0.5, set_.n)


def test_fires_where_the_classifier_goes_with_a_property():
    made = Planted()
    seen = made.observed(properties={"brightness": brightness(made)})
    (found,) = QUESTION.ask(seen)
    assert found.verdict == "problem"
    assert found.code == "MT008"
    assert '"brightness" alone tells class' in found.reason
    assert "harder for the classifier" in found.reason
    assert found.about["column"] == "brightness"
    low, high = map(float, found.about["value"].split(" to "))
    assert (low, high) == pytest.approx((0.5, 1), abs=0.02) or (low, high) == pytest.approx(
        (0, 0.5), abs=0.02
    )
    against = made.copied != made.labels
    assert set(found.samples) <= set(seen.ids[against])
    margins = [seen.margin[seen.ids == sample][0] for sample in found.samples]
    assert margins == sorted(margins)
    assert len(found.samples) == 12


def test_its_numbers():
    made = Planted()
    (found,) = QUESTION.ask(made.observed(properties={"brightness": brightness(made)}))
    held = numbers(found)
    accuracy = held['balanced accuracy of "brightness" alone']
    assert accuracy.value == pytest.approx((made.copied == made.labels).mean(), abs=0.03)
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.p_value == pytest.approx(1e-4)  # One column: nothing to correct.
    assert held["balanced accuracy by chance"].value == 0.5
    gain = next(one for name, one in held.items() if name.startswith("gain over chance"))
    assert gain.value == pytest.approx(2 * accuracy.value - 1)
    assert held["chance that an image that it speaks against is harder (0.5: no relation)"].value > 0.9


def test_a_property_that_the_classifier_ignores_is_a_hint():
    made = Planted(uses=False)
    (found,) = QUESTION.ask(made.observed(properties={"brightness": brightness(made)}))
    assert found.verdict == "hint"
    assert found.reason.endswith("the classifier does not clearly go with it")


def test_a_weak_property_that_the_classifier_ignores_passes():
    """As a cross has more edges than a circle: right about 70 of 100 images, a gain of 0.4."""
    weak = {"share": 0.7, "n": 800}
    made = Planted(uses=False, **weak)
    (found,) = QUESTION.ask(made.observed(properties={"brightness": brightness(made)}))
    assert found.verdict == "passed"
    made = Planted(uses=True, **weak)
    (found,) = QUESTION.ask(made.observed(properties={"brightness": brightness(made)}))
    assert found.verdict == "hint"


def test_of_two_classes_the_values_of_both_are_said():
    made = Planted()
    dark = np.where(made.copied == 1, 0.25, 0.75)
    (found,) = QUESTION.ask(made.observed(properties={"darkness": dark}))
    both = {'class 1 ("0.25") from class 0 ("0.75")', 'class 0 ("0.75") from class 1 ("0.25")'}
    assert found.reason.split(" tells ")[1].split(";")[0] in both


def test_a_property_that_makes_images_hard_is_a_hint():
    # Dark images of both classes are often wrong; brightness tells nothing of the class.
    random = np.random.default_rng(0)
    labels, bright = np.arange(400) % 2, random.uniform(0, 1, 400)
    margin = random.normal(2, 1, 400) - 3 * (bright < 0.25)
    logits = np.eye(2)[labels] * margin[:, None]
    seen = observed(labels, logits, properties={"brightness": bright})
    (found,) = QUESTION.ask(seen)
    assert found.verdict == "hint"
    assert 'where "brightness" is' in found.reason
    assert "points lower" in found.reason
    low, high = map(float, found.about["value"].split(" to "))
    assert high < 0.26
    assert "class" not in found.about
    gap = numbers(found)["difference of these accuracies"]
    assert gap.low > 0.1
    assert all(low <= bright[seen.ids == sample][0] <= high for sample in found.samples)


def test_stays_quiet_on_properties_of_chance():
    made = Planted(n=200, share=0.5)
    (found,) = QUESTION.ask(made.observed(properties=chance(200, 40, 7)["properties"]))
    assert found.verdict == "passed"
    assert found.reason.startswith("none of 20 image properties tells the class well")
    assert "the strongest is" in found.reason
    assert found.evidence[1].value == 0.5


def test_ninety_in_a_hundred_of_one_class_are_no_clue():
    labels = (np.arange(500) % 10 == 0).astype(int)
    properties = chance(500, 10, 1)["properties"]
    (found,) = QUESTION.ask(observed(labels, properties=properties))
    assert found.verdict == "passed"
    assert abs(found.evidence[0].value - 0.5) < 0.12  # Not 0.9.


def test_where_it_looks_is_told_beside():
    made = Planted()
    where = np.zeros((400, 16, 16), np.uint8)
    where[made.copied == 0, :4, :4] = 255
    where[made.copied == 1, 12:, 12:] = 255
    (found,) = QUESTION.ask(made.observed(properties={"brightness": brightness(made)}, where=where))
    looks = numbers(found)["share of where it looks that goes with it, within classes (R squared)"]
    assert looks.value > 0.85  # Not 1: one bin has images of both.
    assert looks.p_value == pytest.approx(1e-4)


def test_three_findings_at_most():
    made = Planted()
    many = {f"property {at}": brightness(made, at) for at in range(9)}
    found = QUESTION.ask(made.observed(properties=many))
    assert len(found) == 3
    assert "The same may go for: property" in found[-1].advice
    named = {one.about["column"] for one in found}
    assert all(name in named or name in found[-1].advice for name in many)


def test_other_classes_of_the_net_leave_a_hint():
    made = Planted(n=200)
    seen = observed(
        made.labels,
        np.zeros((200, 2)),
        properties={"brightness": brightness(made)},
        same_classes=False,
        data_labels=made.labels,
    )
    (found,) = QUESTION.ask(seen)
    assert found.verdict == "hint"
    assert "cannot be told, since its classes are others" in found.reason


def test_not_applicable_without_properties_or_images():
    (found,) = QUESTION.ask(observed(np.arange(60) % 2))
    assert (found.verdict, found.reason) == ("not_applicable", "no image properties were measured")
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, properties={"brightness": np.ones(60)}))
    assert found.verdict == "not_applicable"
    assert found.reason.startswith("of 1 image properties each has one value")
    (found,) = QUESTION.ask(observed(np.arange(8) % 2, properties={"brightness": np.arange(8.0)}))
    assert found.reason == "fewer than two classes have 20 images or more"


def test_the_same_twice():
    made = Planted()
    seen = made.observed(properties={"brightness": brightness(made)})
    assert QUESTION.ask(seen) == QUESTION.ask(seen)


@pytest.mark.parametrize(("per_subject", "sets"), [(1, 40), (5, 20)])
def test_hardly_any_clean_set_gets_a_problem(per_subject, sets):
    verdicts = []
    for seed in range(sets):
        made = Planted(n=400, uses=False, share=0.5, seed=seed, per_subject=per_subject)
        seen = made.observed(**chance(400, 20, seed))
        verdicts.append({found.verdict for question in ALL for found in question.ask(seen)})
    assert sum("problem" in each for each in verdicts) <= sets // 20  # 5 %.
    assert sum("hint" in each for each in verdicts) <= sets // 5


def test_a_word_that_nobody_can_read_is_only_text():
    made = Planted()
    wild = words(np.array(["<script>\n'\"" + "x" * 300, "العربية"])[made.copied])
    (found,) = mt011_columns.QUESTION.ask(made.observed(columns={"<b>" * 50: wild}))
    assert found.verdict == "problem"
    assert len(found.reason) < 400
    assert "\n" not in found.reason
    assert found.about["value"] in set(wild)
