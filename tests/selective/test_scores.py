"""Scores, against the hand-computed vectors of the reference and the plain formulas in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax as scipy_log_softmax
from scipy.special import softmax
from scipy.stats import spearmanr

from masktune.errors import InputError
from masktune.evaluation import Predictions
from masktune.selective import KINDS, Score
from masktune.selective.log_space import log_softmax

FIRST = [(2, 1, 0), (1, 1.2, 0), (0, 0, 0), (3, 0, -1)]
SECOND = [(1, 2, 0), (0.5, 1.5, 0), (0, 0, 0), (4, 0, 0)]


def said(logits):
    logits = np.array(logits, dtype=np.float32)
    ids = np.array([f"{i}" for i in range(len(logits))])
    return Predictions(logits, np.zeros(len(logits), dtype=np.int64), ids)


def shown(name, first=FIRST, second=SECOND, **settings):
    score = Score(name, **settings)
    found = score.of(said(first), said(second))
    return score.kind.shown(found.scores), found


VECTORS = {
    "sr": (0.665241, 0.471715, 0.333333, 0.936240),
    "product": (0.162803, 0.296488, 0.111111, 0.903156),
    "poe": (0.487856, 0.730781, 0.333333, 0.998754),
    "mean": (0.454985, 0.550123, 0.333333, 0.950451),
    "masktune_official": (0.350057, 0.388915, 0.333333, 0.552171),
    "margin": (0.420512, 0.085507, 0, 0.889627),
    "entropy": (-0.832396, -0.999116, -1.098612, -0.274313),
    "energy": (2.407606, 1.951381, 1.098612, 3.065884),
    "maxlogit": (2, 1.2, 0, 3),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_reference_vectors(name):
    np.testing.assert_allclose(shown(name)[0], VECTORS[name], atol=6e-7)


@pytest.mark.parametrize(
    ("p", "values"), [(2, (0.707107, 0.513265, 0.792594)), (3, (0.793701, 0.582212, 0.896525))]
)
def test_the_p_norm_and_its_undefined_row(p, values):
    found = shown("maxlogit_pnorm", p=float(p))[0]
    np.testing.assert_allclose(found[[0, 1, 3]], values, atol=6e-7)
    assert found[2] == -np.inf


def test_labels_are_those_of_the_combined_vector_and_ties_take_the_lowest():
    for name in ("product", "poe", "masktune_official"):
        assert shown(name)[1].labels.tolist() == [0, 1, 0, 0]
    assert shown("product")[1].agree.tolist() == [False, True, True, True]
    assert shown("sr")[1].agree is None


def test_the_truth_table_of_agreement():
    """Both right, one right, both wrong alike, both wrong apart: only the same label counts."""
    first, second = [(3, 0, 0), (3, 0, 0), (0, 2, 0), (0, 2, 0)], [(2, 0, 0), (0, 2, 0), (0, 1, 0), (0, 0, 1)]
    values, found = shown("agree_min", first, second)
    assert found.agree.tolist() == [True, False, True, False]
    assert (found.scores == -np.inf).tolist() == [False, True, False, True]
    p = [softmax(row) for row in first], [softmax(row) for row in second]
    expected = [min(p[0][i].max(), p[1][i].max()) for i in (0, 2)]
    np.testing.assert_allclose(values[[0, 2]], expected, rtol=1e-6)
    product = shown("agree_product", first, second)[0]
    np.testing.assert_allclose(product[[0, 2]], [p[0][i].max() * p[1][i].max() for i in (0, 2)], rtol=1e-6)


@pytest.mark.parametrize("name", ["agree_min", "agree_product"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_ranked_last_is_below_every_agreement(name, classes):
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 4000, classes)) * 0.05
    _, found = shown(name, first, second, on_disagree="rank_last")
    assert found.agree.any()
    assert not found.agree.all()
    assert found.scores[~found.agree].max() < found.scores[found.agree].min()
    mean = Score("mean").of(said(first), said(second))
    apart = ~found.agree
    assert (found.labels[apart] == mean.labels[apart]).all()
    assert spearmanr(found.scores[apart], mean.scores[apart]).statistic == pytest.approx(1)


def test_sure_images_stay_apart():
    """Bug 4: a product of float32 softmaxes collapses them."""
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 10_000, 10)) * 3
    labels = random.integers(10, size=10_000)
    for logits in (first, second):
        logits[np.arange(10_000), labels] += random.uniform(0, 40, size=10_000)
    collapsed = (softmax(first.astype(np.float32), axis=1) * softmax(second.astype(np.float32), axis=1)).max(
        axis=1
    )
    assert len(np.unique(collapsed)) < 7_000
    for name in ("sr", "margin", "product", "poe", "mean", "agree_min", "mean+margin", "poe+margin"):
        found = Score(name).of(said(first), said(second)).scores
        finite = found[np.isfinite(found)]
        assert len(np.unique(finite)) >= 0.9999 * len(finite), name


def test_two_classes_make_the_official_score_a_mean():
    """Bug 2: it is sigmoid(|p + q - 1|), a lukewarm agreement above a clear dispute."""
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 500, 2)) * 2
    p, q = softmax(first, axis=1)[:, 0], softmax(second, axis=1)[:, 0]
    official = shown("masktune_official", first, second)[0]
    np.testing.assert_allclose(official, 1 / (1 + np.exp(-np.abs(p + q - 1))), atol=1e-6)
    mean = shown("mean", first, second)[0]
    assert spearmanr(official, mean).statistic == pytest.approx(1)
    logit = lambda share: (np.log(share / (1 - share)), 0)  # noqa: E731
    official = shown("masktune_official", [logit(0.95), logit(0.6)], [logit(0.1), logit(0.6)])[0]
    np.testing.assert_allclose(official, [0.512, 0.550], atol=5e-4)


def test_the_official_score_has_a_narrow_range():
    """Bug 1."""
    for classes, (low, high) in {10: (0.100, 0.232), 2: (0.5, 0.731)}.items():
        sure = np.eye(classes)[:1] * 100
        values = shown("masktune_official", [*sure, np.zeros(classes)], [*sure, np.zeros(classes)])[0]
        np.testing.assert_allclose(values, [high, low], atol=5e-4)


def test_a_temperature_can_turn_the_order_of_three_classes_around_and_not_of_two():
    rows = [(2, 0, 0), (3, 1.5, -9)]
    at_one, at_half = (shown("sr", rows, temperatures=(t, 1.0))[0] for t in (1.0, 0.5))
    np.testing.assert_allclose(at_one, [0.787, 0.818], atol=5e-4)
    np.testing.assert_allclose(at_half, [0.965, 0.953], atol=5e-4)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "head"])
def test_the_order_of_images_changes_nothing(name):
    random = np.random.default_rng(2)
    first, second = random.normal(size=(2, 60, 4)).astype(np.float32)
    order = random.permutation(60)
    one, two = said(first), said(second)
    whole = Score(name).of(one, two)
    moved = Score(name).of(one._take(order), two._take(random.permutation(60)))
    assert (moved.scores == whole.scores[order]).all()
    assert (moved.labels == whole.labels[order]).all()


@given(st.lists(st.lists(st.floats(-300, 300, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_log_softmax_is_scipys(rows):
    logits = np.array(rows, dtype=np.float32)
    np.testing.assert_allclose(
        log_softmax(logits), scipy_log_softmax(logits.astype(np.float64), axis=1), atol=1e-9
    )


def test_log_softmax_keeps_the_digits_near_1():
    assert log_softmax(np.array([[50, 0]], dtype=np.float32))[0, 0] == pytest.approx(-np.exp(-50), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("produkt", {}, r"unknown score 'produkt' \(did you mean 'product'"),
        ("sr", {"on_disagree": "rank_last"}, "sr never rejects"),
        ("maxlogit_pnorm", {"p": 0.0}, "norm p above 0"),
        ("sr", {"temperatures": (0.0, 1.0)}, "temperatures above 0"),
    ],
)
def test_bad_settings(name, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        Score(name, **settings)


def test_a_norm_says_nothing_about_two_classes():
    """Bug 46: it is 2 ** (-1 / p) for every image."""
    with pytest.raises(InputError, match="the same number for all images of two classes"):
        Score("maxlogit_pnorm").of(said([(1, 0), (3, 0)]))


def test_two_classifiers_are_needed_for_a_vote():
    with pytest.raises(InputError, match="needs the predictions of two classifiers"):
        Score("product").of(said(FIRST))


def test_other_images_are_no_second_opinion():
    other = said(SECOND[:3])
    with pytest.raises(InputError, match="on the same images"):
        Score("product").of(said(FIRST), other)
