"""Our methods and data sets keep what the checks for people who add theirs look for."""

from dataclasses import replace

import pytest

from masktune.data import BiasedDigits
from masktune.masking import TopFraction
from masktune.methods import (
    AFR,
    DFR,
    ERM,
    JTT,
    RWG,
    RWY,
    SUBG,
    SUBY,
    XRM,
    ContinueERM,
    CVaRDRO,
    DFRTrain,
    GroupDRO,
    LastLayerBalanced,
    LeastSalientMask,
    LfF,
    MaskTune,
    RandomMask,
)
from masktune.testing import ShortcutImages, check_dataset, check_method
from masktune.testing.attempts import SHORT, Attempts, small_cnn

OURS = MaskTune(saliency="layercam", threshold=TopFraction(0.1))  # Finds a place in any image.


@pytest.mark.parametrize(
    "method",
    [
        ERM(),
        ContinueERM(of=OURS),
        RandomMask(of=OURS),
        LeastSalientMask(of=OURS),
        OURS,
        replace(OURS, masks="online"),
        GroupDRO(step_size=0.5),
        GroupDRO(balanced=False, adjustment=1.0, selection="last"),
        CVaRDRO(alpha=0.5),
        JTT(first_epochs=1, up_weight=3),
        LfF(),
        RWG(),
        RWY(selection="validation_accuracy"),
        SUBG(),
        SUBY(),
        XRM(first_epochs=1),
        DFR(repeats=5),
        DFRTrain(),
        AFR(gammas=(1.0, 4.0), penalties=(0.0, 0.1), steps=100),  # All of them would take a minute.
        LastLayerBalanced(),
    ],
    ids=repr,
)
def test_ours_conform(method):
    assert check_method(method) == ()


@pytest.mark.parametrize("data", [ShortcutImages(20, seed=0), BiasedDigits.splits().train])
def test_our_data_sets_conform(data):
    check_dataset(data)


@pytest.mark.parametrize("masks", ["saved", "online"])
def test_controls_hide_as_many_pixels_and_take_as_many_steps_as_masktune(masks):
    of = replace(OURS, masks=masks)
    images = Attempts(of, small_cnn, SHORT).task().train.__getitems__(range(49))
    for method in (of, RandomMask(of=of), LeastSalientMask(of=of), ContinueERM(of=of)):
        sizes = []

        def count(net, given, sizes=sizes):
            if net.training:
                sizes.append(len(given[0]))

        def watched(classes, count=count):
            made = small_cnn(classes)
            made.register_forward_pre_hook(count)
            return made

        attempts = Attempts(method, watched, SHORT)
        fitted = attempts.fit(attempts.task())
        # Two epochs of ERM and one of tuning; of 49 images the last one joins the sixth batch.
        assert sizes == [8, 8, 8, 8, 8, 9] * 3
        assert (fitted.epochs, fitted.samples) == (3, 147)
        if method.name != "continue_erm":
            # A tenth of 16 x 16 pixels.
            assert fitted.masks.hidden(images).sum((1, 2)).tolist() == [26] * 49
