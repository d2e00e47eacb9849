import numpy as np

from masktune.findings.mt009_names import QUESTION

from .made import Planted, words
from .observations import observed


def test_fires_where_the_classifier_goes_with_a_folder():
    made = Planted()
    (found,) = QUESTION.ask(made.observed(facts={"folder 2": made.site, "EXIF Model": made.site}))
    assert (found.code, found.verdict) == ("MT009", "problem")
    assert found.about["column"] == "folder 2"
    assert found.about["value"] == f"site {found.about['class'][-1]}"
    assert "the picture must show something that goes with it" in found.advice


def test_a_prefix_that_no_picture_shows_is_a_hint():
    made = Planted(uses=False)
    (found,) = QUESTION.ask(made.observed(facts={"name prefix": made.site}))
    assert found.verdict == "hint"
    assert "No mask can hide it: the picture does not show it" in found.advice


def test_numbers_of_files_that_go_by_class_are_told_as_a_range():
    # Files 0 to 199 are of class 0, the others of class 1.
    labels = np.arange(400) // 200
    (found,) = QUESTION.ask(observed(labels, facts={"name number": words(range(400))}))
    assert found.verdict == "hint"
    assert found.about["value"] in ("0 to 199", "200 to 399")
    assert "too few images go against it" in found.reason


def test_the_folder_of_the_class_is_left_out():
    labels = np.arange(100) % 2
    facts = {"folder 1": words(np.array(["cat", "dog"])[labels])}
    (found,) = QUESTION.ask(observed(labels, facts=facts, classes=("cat", "dog")))
    assert found.verdict == "not_applicable"
    assert found.reason.endswith("or is the class")


def test_stays_quiet_on_names_of_chance():
    random = np.random.default_rng(0)
    facts = {"name prefix": words(random.choice(["IMG", "DSC"], 200)), "name number": words(range(200))}
    (found,) = QUESTION.ask(observed(random.permutation(np.arange(200) % 2), facts=facts))
    assert found.verdict == "passed"
    assert found.reason.startswith("none of 2 parts of file names tells the class well")


def test_not_applicable_without_names():
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, facts={"EXIF Model": words(["a", "b"] * 30)}))
    assert found.reason == "the images have no file names, or these say no more than the class"
