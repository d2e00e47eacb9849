import numpy as np
import pytest

from masktune.findings.mt010_tags import QUESTION

from .made import Planted, words
from .observations import observed


def test_fires_where_the_classifier_goes_with_a_camera():
    made = Planted()
    (found,) = QUESTION.ask(made.observed(facts={"EXIF Model": made.site, "folder 1": made.site}))
    assert (found.code, found.verdict) == ("MT010", "problem")
    assert found.about["column"] == "EXIF Model"


def test_a_missing_tag_can_tell_the_class():
    made = Planted(uses=False)
    tag = words(np.where(made.copied == 0, "", "Canon"))
    (found,) = QUESTION.ask(made.observed(facts={"EXIF Make": tag}))
    assert found.verdict == "hint"
    assert found.about == {"column": "EXIF Make", "class": "class 1", "value": "Canon"}


def test_a_value_is_named_rather_than_its_absence():
    # The class whose tag is missing is the rarer one; still the other's value says more to a person.
    labels = (np.arange(400) % 4 > 0).astype(int)
    (found,) = QUESTION.ask(observed(labels, facts={"EXIF Make": words(np.where(labels == 0, "", "Canon"))}))
    assert found.about == {"column": "EXIF Make", "class": "class 1", "value": "Canon"}
    swapped = words(np.where(labels == 0, "Nikon", "Canon"))
    (found,) = QUESTION.ask(observed(labels, facts={"EXIF Make": swapped}))
    assert found.about == {"column": "EXIF Make", "class": "class 0", "value": "Nikon"}


def test_one_of_ten_classes_with_its_own_program_is_named():
    random = np.random.default_rng(0)
    labels = np.arange(1000) % 10
    own = np.where(labels == 3, random.random(1000) < 0.9, random.random(1000) < 0.02)
    margin = random.normal(2, 1, 1000) - 3 * (own != (labels == 3))
    logits = np.eye(10)[labels] * margin[:, None]
    facts = {"EXIF Software": words(np.where(own, "GIMP", "Photoshop"))}
    (found,) = QUESTION.ask(observed(labels, logits, facts=facts))
    assert found.verdict == "problem"
    assert found.about == {"column": "EXIF Software", "class": "class 3", "value": "GIMP"}
    gain = next(one for one in found.evidence if one.name.startswith("gain over chance"))
    youden = own[labels == 3].mean() - own[labels != 3].mean()
    assert gain.value == pytest.approx(youden, abs=1e-9)


def test_stays_quiet_on_tags_of_chance():
    random = np.random.default_rng(1)
    facts = {"EXIF Model": words(random.choice(["A", "B", "C"], 200)), "width": words(["64"] * 200)}
    (found,) = QUESTION.ask(observed(np.arange(200) % 2, facts=facts))
    assert found.verdict == "passed"
    assert found.reason.startswith("none of 1 headers and tags tells the class well")


def test_not_applicable_without_tags():
    (found,) = QUESTION.ask(observed(np.arange(60) % 2))
    assert found.reason == "the images are no files, so they have no headers or tags"
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, facts={"width": words(["64"] * 60)}))
    assert found.reason.startswith("of 1 headers and tags each has one value")
