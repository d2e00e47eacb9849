import warnings

import pytest
import torch

from masktune.errors import MasktuneWarning
from masktune.masking.counting import MaskStatistics, warn_if_many_empty


def some_masks():
    hidden = torch.zeros(4, 2, 5, dtype=torch.bool)
    hidden[0, 0, :3] = True  # 3 of 10 pixels.
    hidden[1, :, 0] = True  # 2 of 10 pixels.
    return hidden, torch.tensor([False, False, True, False])


def test_counts_by_hand():
    statistics = MaskStatistics.of(*some_masks())
    assert (statistics.n, statistics.no_evidence, statistics.above_maximum, statistics.empty) == (4, 1, 1, 2)
    assert statistics.hidden_share == pytest.approx(0.125)


def test_batches_add_up():
    hidden, empty_maps = some_masks()
    parts = [
        MaskStatistics.of(hidden[part], empty_maps[part]) for part in (slice(0, 3), slice(3, 4), slice(4, 4))
    ]
    total = sum(parts, MaskStatistics())
    whole = MaskStatistics.of(hidden, empty_maps)
    assert (total.n, total.no_evidence, total.above_maximum) == (4, 1, 1)
    assert total.hidden_share == pytest.approx(whole.hidden_share)
    assert MaskStatistics().hidden_share == 0


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (
            MaskStatistics(100, 2, 10),
            r"12 of 100 masks hide nothing: 10 thresholds are above their map's maximum; lower k",
        ),
        (
            MaskStatistics(100, 10, 2),
            r"12 of 100 masks hide nothing: 10 maps have no positive value; check the net",
        ),
    ],
)
def test_many_empty_masks_are_said_with_the_commoner_reason(statistics, message):
    with pytest.warns(MasktuneWarning, match=message):
        warn_if_many_empty(statistics)


def test_few_empty_masks_are_not_worth_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_many_empty(MaskStatistics(100, 5, 5))
        warn_if_many_empty(MaskStatistics())
        warn_if_many_empty(MaskStatistics(100, 50, 10), share=0.6)
