import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from masktune.errors import InputError
from masktune.masking.thresholds import MeanPlusStd, Quantile, TopFraction, hidden_from_low, top_pixels
from masktune.saliency.cam import enlarge, scale

THRESHOLDS = [
    MeanPlusStd(),
    MeanPlusStd(0.5),
    MeanPlusStd(0.0, over="all"),
    MeanPlusStd(1.0, most=0.05),
    TopFraction(0.1),
    TopFraction(0.1, most_salient=False),
    Quantile(0.9),
    Quantile(0.5, over="all"),
    Quantile(0.0, most=0.1),
]
each_threshold = pytest.mark.parametrize("threshold", THRESHOLDS, ids=str)
seeds = st.integers(0, 999)


def some_maps(seed, size=(28, 28), count=4):
    """Scaled maps as a net gives them: coarse, and in part exactly 0."""
    raw = torch.randn(count, 7, 7, generator=torch.Generator().manual_seed(seed))
    return enlarge(scale(raw), size)


def authors_rule(heat_map, k=2.0):
    """`masking.py:4-8` of the authors' code: zeros become NaN, then nanmean and nanstd with ddof 0."""
    values = np.where(heat_map > 0, heat_map.astype(np.float64), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        limit = np.nanmean(values) + k * np.nanstd(values, ddof=0)
    return heat_map > limit


def test_two_deviations_above_the_mean_of_the_positive_pixels():
    # Five positive pixels 1 1 1 1 11: mean 3, variance (4 * 4 + 64) / 5 = 16, deviation 4;
    # 3 + 1.9 * 4 = 10.6.
    maps = torch.tensor([[[0, 0, 1, 1], [0, 1, 11, 1]]], dtype=torch.float32)
    expected = torch.tensor([[[False] * 4, [False, False, True, False]]])
    assert torch.equal(MeanPlusStd(1.9)(maps), expected)
    # 3 + 2 * 4 = 11 is not below 11, and the comparison is strict.
    assert not MeanPlusStd(2.0)(maps).any()


def test_the_zeros_lower_the_threshold_where_all_pixels_count():
    # Over all eight: mean 15 / 8 = 1.875, variance 125 / 8 - 1.875² = 12.11, deviation 3.48;
    # 1.875 + 2 * 3.48 = 8.83.
    maps = torch.tensor([[[0, 0, 1, 1], [0, 1, 11, 1]]], dtype=torch.float32)
    assert MeanPlusStd(2.0, over="all")(maps).sum() == 1
    # 0.5 deviations over the mean: over the positive ones 5, over all 3.6; both hide only the 11.
    assert MeanPlusStd(0.5)(maps).sum() == MeanPlusStd(0.5, over="all")(maps).sum() == 1


@given(seed=seeds, k=st.sampled_from([0.5, 1.0, 2.0]))
def test_mean_plus_std_is_the_authors_rule(seed, k):
    maps = some_maps(seed)
    expected = np.stack([authors_rule(one, k) for one in maps.numpy()])
    np.testing.assert_array_equal(MeanPlusStd(k)(maps).numpy(), expected)


@given(seed=seeds, k=st.floats(0, 3), more=st.floats(0, 2))
def test_a_higher_k_hides_no_further_pixel(seed, k, more):
    maps = some_maps(seed)
    assert not (MeanPlusStd(k + more)(maps) & ~MeanPlusStd(k)(maps)).any()


@each_threshold
@given(seed=seeds, power=st.integers(-8, 8))
def test_the_scale_of_a_map_does_not_matter(threshold, seed, power):
    maps = some_maps(seed)
    assert torch.equal(threshold(maps * 2.0**power), threshold(maps))


@each_threshold
@given(seed=seeds)
def test_a_mask_depends_on_its_own_map_only(threshold, seed):
    maps = some_maps(seed)
    alone = torch.cat([threshold(one[None]) for one in maps.flip(0)]).flip(0)
    assert torch.equal(threshold(maps), alone)


@each_threshold
def test_degenerate_maps_hide_nothing_and_warn_of_nothing(threshold):
    nothing = torch.zeros(8, 8)
    not_a_number = torch.rand(8, 8)
    not_a_number[3, 3] = torch.nan
    infinite = torch.rand(8, 8)
    infinite[3, 3] = torch.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not threshold(torch.stack([nothing, not_a_number, infinite])).any()


@pytest.mark.parametrize(
    "threshold", [MeanPlusStd(), MeanPlusStd(0.0), Quantile(0.9), Quantile(0.0)], ids=str
)
@pytest.mark.parametrize("value", [0.1, 0.7, 1.0])
def test_equal_values_are_not_above_their_mean(threshold, value):
    flat = torch.full((1, 13, 13), value)
    one_pixel = torch.zeros(1, 13, 13)
    one_pixel[0, 4, 5] = value
    half = flat.clone()
    half[:, :6] = 0
    for maps in (flat, one_pixel, half):
        assert not threshold(maps).any()


@each_threshold
def test_an_empty_batch_gives_an_empty_mask(threshold):
    assert threshold(torch.zeros(0, 8, 8)).shape == (0, 8, 8)


def test_the_cap_keeps_the_most_salient_part():
    # k = 0 hides all above the mean of 1..16, 8.5: eight pixels.
    # A cap of 0.2 leaves int(0.2 * 16) = 3: 14, 15, 16.
    maps = torch.arange(1.0, 17).view(1, 4, 4)
    assert MeanPlusStd(0.0)(maps).sum() == 8
    assert MeanPlusStd(0.0, most=0.2)(maps).flatten().nonzero().flatten().tolist() == [13, 14, 15]
    assert torch.equal(MeanPlusStd(0.0, most=0.9)(maps), MeanPlusStd(0.0)(maps))


@given(seed=seeds, share=st.floats(0, 1))
def test_top_fraction_hides_the_rounded_share_of_positive_pixels(seed, share):
    maps = some_maps(seed)
    hidden = TopFraction(share)(maps)
    for one, positive in zip(hidden, maps > 0, strict=True):
        assert one.sum() == min(round(share * 784), int(positive.sum()))
    visible_peak = maps.masked_fill(hidden, 0).amax((1, 2))
    assert (maps.masked_fill(~hidden, 1) >= visible_peak[:, None, None]).all()


def test_top_fraction_takes_the_upper_left_of_equal_pixels():
    maps = torch.tensor([[[1, 2, 1], [1, 2, 1], [2, 0, 0]]], dtype=torch.float32)
    # round(0.5 * 9) = 4: the three 2s, then the first 1.
    expected = torch.tensor([[[True, True, False], [False, True, False], [True, False, False]]])
    assert torch.equal(TopFraction(0.5)(maps), expected)


def test_the_least_salient_share_counts_the_zeros():
    maps = torch.tensor([[[1, 3, 0], [1, 2, 0], [1, 2, 4]], [[0, 0, 0]] * 3], dtype=torch.float32)
    # round(0.4 * 9) = 4: the two zeros, then the first two of the three 1s; nothing where all are equal.
    expected = torch.tensor([[[1, 0, 1], [1, 0, 1], [0, 0, 0]], [[0, 0, 0]] * 3]).bool()
    assert torch.equal(TopFraction(0.4, most_salient=False)(maps), expected)


@given(seed=seeds, q=st.floats(0, 1), over=st.sampled_from(["positive", "all"]))
def test_quantile_is_numpys(seed, q, over):
    maps = some_maps(seed, size=(9, 11))
    for one, hidden in zip(maps.numpy(), Quantile(q, over=over)(maps).numpy(), strict=True):
        limit = np.quantile(one[one > 0] if over == "positive" else one, q).item()
        clear = np.abs(one - limit) > 1e-6  # Float32 and its rounding decide about equal values.
        np.testing.assert_array_equal(hidden[clear], (one > limit)[clear])


def test_quantile_by_hand():
    # Positive 1 2 3 4 5: the median is 3, and two are above. Over all eight (three zeros) it is 1.5.
    maps = torch.tensor([[[0, 0, 0, 1], [2, 3, 4, 5]]], dtype=torch.float32)
    assert Quantile(0.5)(maps).flatten().nonzero().flatten().tolist() == [6, 7]
    assert Quantile(0.5, over="all")(maps).flatten().nonzero().flatten().tolist() == [4, 5, 6, 7]


def test_ties_go_to_the_larger_second_score():
    scores = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    ties = torch.tensor([[[9.0, 1.0], [3.0, 2.0]], [[0.0, 1.0], [3.0, 2.0]]])
    chosen = top_pixels(scores, torch.tensor([2, 0]), ties)
    assert torch.equal(chosen, torch.tensor([[[True, False], [True, False]], [[False] * 2] * 2]))


def test_thresholding_the_small_map_gives_a_mask_of_whole_cells():
    low = torch.zeros(1, 4, 4)
    low[0, 1, 2] = 1.0
    low[0, 3] = 0.1  # Positive: 1 and four 0.1, mean 0.28, deviation 0.36, threshold 0.64 at k = 1.
    hidden = hidden_from_low(low, (8, 12), MeanPlusStd(1.0, at="map"))
    expected = torch.zeros(1, 8, 12, dtype=torch.bool)
    expected[0, 2:4, 6:9] = True
    assert torch.equal(hidden, expected)
    # Among five values none is more than sqrt(5 - 1) = 2 deviations above the mean; enlarged there are more.
    assert not hidden_from_low(low, (8, 12), MeanPlusStd(2.0, at="map")).any()
    assert hidden_from_low(low, (8, 12), MeanPlusStd(2.0, at="input")).any()


def test_maps_are_rounded_to_half_precision_before_they_are_enlarged():
    low = scale(torch.randn(3, 7, 7))
    assert torch.equal(
        hidden_from_low(low, (56, 56), MeanPlusStd(1.0)),
        MeanPlusStd(1.0)(enlarge(low.half().float(), (56, 56))),
    )


def test_a_function_is_a_threshold():
    low = scale(torch.randn(3, 7, 7))
    hidden = hidden_from_low(low, (7, 7), lambda maps: maps > 0.5)
    assert torch.equal(hidden, enlarge(low.half().float(), (7, 7)) > 0.5)


def test_nearest_is_the_one_of_cv2():
    # 3 cells on 7 pixels: floor(i * 3 / 7) = 0 0 0 1 1 2 2, where `nearest-exact` gives 0 0 1 1 1 2 2.
    cells = torch.tensor([[[0.1, 1.0, 0.1]]])
    hidden = hidden_from_low(cells, (1, 7), MeanPlusStd(1.0, at="map"))
    assert hidden[0, 0].tolist() == [False, False, False, True, True, False, False]
    assert functional.interpolate(cells, 7, mode="nearest")[0, 0].argmax() == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanPlusStd(-1.0), "expected k of at least 0, got -1.0; the paper uses 2"),
        (lambda: MeanPlusStd(float("nan")), "expected k of at least 0, got nan"),
        (lambda: MeanPlusStd(over="some"), "expected over as one of positive, all, got 'some'"),
        (lambda: MeanPlusStd(at="layer"), "expected at as one of input, map, got 'layer'"),
        (lambda: Quantile(0.5, over="al"), r"got 'al' \(did you mean 'all'\?\)"),
        (lambda: MeanPlusStd(most=5), r"expected most as a share from 0 to 1, got 5"),
        (lambda: TopFraction(20.0), "expected share as a share from 0 to 1, got 20.0"),
        (lambda: Quantile(95.0), "expected q as a share from 0 to 1, got 95.0"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_refusals(make, message):
    with pytest.raises(InputError, match=message):
        make()
