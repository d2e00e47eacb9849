from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from masktune.errors import InputError
from masktune.evaluation import measure_attributes

from .fakes import predictions
from .test_imbalanced import scored, with_logits

PLACES = {"land bird on land": "land", "land bird on water": "water", "water bird on land": "land"}
PLACES |= {"water bird on water": "water"}


def grouped(made, places):
    """With the groups that labels and places make."""
    birds = np.array(["land bird", "water bird"])[made.labels]
    return replace(
        made, groups=np.array([f"{bird} on {place}" for bird, place in zip(birds, places, strict=True)])
    )


def by_name(found):
    return {(one.metric, one.group): one for one in found}


def test_the_auroc_within_a_place_is_that_of_its_images():
    random = np.random.default_rng(0)
    labels, places = random.integers(2, size=200), np.array(["land", "water"])[random.integers(2, size=200)]
    # Scores follow the place, and the label only on land.
    scores = 3 * (places == "water") + np.where(places == "land", labels, 0) + random.normal(size=200)
    found = by_name(measure_attributes(grouped(scored(scores, labels), places), PLACES))
    for place in ("land", "water"):
        here = places == place
        one = found["auroc_within", place]
        assert one.value == pytest.approx(roc_auc_score(labels[here], scores[here].astype(np.float32)))
        assert one.n == here.sum()
    assert found["auroc_within", "land"].low > 0.5
    assert found["auroc_within", "water"].low < 0.5


def test_a_moved_threshold_is_no_better_worst_group():
    # The second gives class 1 more often; else it is the first.
    scores, labels = np.array([-3, -1, -2, 1, -1, 2, -2, 3.0]), [0, 0, 0, 0, 1, 1, 1, 1]
    places = ["land", "water"] * 4
    first, second = (grouped(scored(moved, labels), places) for moved in (scores - 1.5, scores))
    found = [by_name(measure_attributes(one, PLACES)) for one in (first, second)]
    key = next(key for key in found[0] if key[0] == "worst_group_accuracy_equal_shares")
    assert found[0][key].value == found[1][key].value


def test_of_three_classes_there_is_no_auroc():
    made = with_logits(np.eye(3), [0, 1, 2])
    made = replace(made, groups=np.array(["a", "b", "c"]))
    found = measure_attributes(made, dict.fromkeys("abc", "any"))
    assert [one.metric for one in found] == ["worst_group_accuracy_equal_shares"]
    assert found[0].value == 1


def test_bad_input():
    with pytest.raises(InputError, match="with groups"):
        measure_attributes(predictions([1]), PLACES)
    with pytest.raises(InputError, match="got none of 'x'"):
        measure_attributes(predictions([1], groups="x"), PLACES)
