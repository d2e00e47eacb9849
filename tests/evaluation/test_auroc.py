import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from masktune.errors import InputError
from masktune.evaluation import Predictions, Rate, auroc


def scored(scores, labels, subjects=None):
    scores = np.array(scores, np.float32)
    return Predictions(
        logits=np.stack([np.zeros_like(scores), scores], axis=1),
        labels=np.array(labels, np.int64),
        ids=np.arange(len(scores)).astype(str),
        subjects=subjects,
    )


def test_by_hand_with_a_tie():
    # Pairs (positive, negative): 3>1, 3>2, 2>1 are right, 2=2 is half: 3.5 of 4.
    assert auroc(scored([3, 2, 1, 2], [1, 1, 0, 0])).value == 3.5 / 4


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=30, deadline=None)
def test_equals_scikit_learn_and_mann_whitney(case):
    scores, labels = map(np.array, zip(*case, strict=True))
    made = auroc(scored(scores, labels))
    if labels.all() or not labels.any():
        assert made == Rate(None, len(labels))
        return
    assert made.value == pytest.approx(roc_auc_score(labels, scores))
    u = mannwhitneyu(scores[labels], scores[~labels]).statistic
    assert made.value == pytest.approx(u / (labels.sum() * (~labels).sum()))
    assert 0 <= made.low <= made.value <= made.high <= 1
    mirrored = auroc(scored(-scores, labels))
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - made.high, 1 - made.low))


def test_confident_logits_keep_their_order():
    # Softmax in float32 is 1.0 for all four of them.
    assert auroc(scored([40, 41, 42, 43], [0, 0, 1, 1])).value == 1


def test_a_perfect_order_of_few_images_is_not_certainty():
    made = auroc(scored(range(10), [0] * 5 + [1] * 5))
    assert made.high == 1
    assert 0.6 < made.low < 0.8
    more = auroc(scored(range(100), [0] * 50 + [1] * 50))
    assert made.low < more.low < 1


def test_the_interval_covers_the_truth():
    # Normal scores one apart have the area Phi(1 / sqrt 2) = 0.76025.
    random, hits = np.random.default_rng(0), 0
    for _ in range(400):
        made = auroc(scored(random.normal(size=60) + np.repeat([1.0, 0.0], 30), [1] * 30 + [0] * 30))
        hits += made.low <= 0.76025 <= made.high
    assert 368 <= hits <= 396


def test_subjects_are_resampled():
    random = np.random.default_rng(1)
    scores, labels = random.normal(size=40), np.arange(40) % 2
    scores += labels
    names = np.array([f"p{i}" for i in range(40)])
    tenfold = [np.repeat(values, 10) for values in (scores, labels, names)]
    alone, whole, blind = auroc(scored(scores, labels)), auroc(scored(*tenfold)), auroc(scored(*tenfold[:2]))
    assert whole.value == pytest.approx(alone.value)
    assert whole.high - whole.low == pytest.approx(alone.high - alone.low, rel=0.2)
    assert whole.high - whole.low > 2 * (blind.high - blind.low)


def test_a_perfect_order_of_subjects_rests_on_their_number():
    names = np.repeat([f"p{i}" for i in range(10)], 10)
    whole = auroc(scored(np.repeat(range(10), 10), np.repeat([0, 1], 50), names))
    alone = auroc(scored(range(10), [0] * 5 + [1] * 5))
    assert (whole.value, whole.low, whole.n) == (1, pytest.approx(alone.low), 100)


def test_three_classes_are_refused():
    made = Predictions(np.zeros((1, 3), np.float32), np.array([0]), np.array(["a"]))
    with pytest.raises(InputError, match="expected two classes for the AUROC, got 3"):
        auroc(made)
