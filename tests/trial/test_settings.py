from math import nan

import pytest
import torch
from torch import nn

from masktune.errors import InputError
from masktune.masking import TopFraction
from masktune.methods import ContinueERM, LeastSalientMask, MaskTune, RandomMask
from masktune.models.build import from_seed
from masktune.models.classifier import Classifier
from masktune.trial.settings import ARMS, TrialSettings
from masktune.types import InputSpec

from .tiny import CLASSES, trial

SHARE = "expected a --validation-share above 0 and up to 1"
ALL = "1 judges on all unseen images"
OWN = MaskTune(threshold=TopFraction(0.1), fill="noise", optimizer_state="fresh")


def test_the_arms_are_those_of_the_design():
    assert ARMS == ("untouched", "continue_erm", "random_mask", "least_salient_mask", "masktune")
    assert TrialSettings().arms == ARMS
    assert TrialSettings().tuned == ARMS[1:]
    assert TrialSettings(arms=("masktune", "untouched")).tuned == ("masktune",)


@pytest.mark.parametrize("arm", ARMS[1:])
def test_a_method_bears_the_name_of_its_arm(arm):
    assert TrialSettings().method(arm, 1e-3).name == arm


def test_controls_take_over_all_that_masktune_does():
    settings = TrialSettings(masktune=OWN)
    tuned = settings.method("masktune", 3e-4)
    assert (tuned.learning_rate, tuned.tune_checkpoint, tuned.mask_checkpoint) == (3e-4, "last", "last")
    assert (tuned.threshold, tuned.fill) == (TopFraction(0.1), "noise")
    for arm, control in (
        ("continue_erm", ContinueERM),
        ("random_mask", RandomMask),
        ("least_salient_mask", LeastSalientMask),
    ):
        assert settings.method(arm, 3e-4) == control(of=tuned)


def test_nothing_is_trained_before_the_tuning_epoch():
    tuning = TrialSettings(optimizer="sgd", weight_decay=0.2, batch_size=7, learning_rate=0.05).tuning()
    assert (tuning.epochs, tuning.selection, tuning.milestones) == (0, "last", ())
    assert (tuning.optimizer, tuning.weight_decay, tuning.batch_size) == ("sgd", 0.2, 7)
    assert tuning.learning_rate == 0.05
    assert TrialSettings(rates=(0.5, 0.1)).tuning().learning_rate == 0.5


def test_loss_and_augmentation_are_those_of_the_tuning_epoch():
    tuning = TrialSettings(loss="balanced", augment="crop_flip").tuning()
    assert (tuning.loss, tuning.augment) == ("balanced", "crop_flip")
    assert (TrialSettings().tuning().loss, TrialSettings().tuning().augment) == ("cross_entropy", "none")


@pytest.mark.parametrize("arm", ARMS[1:])
@pytest.mark.parametrize("freeze_bn", [False, True])
def test_frozen_statistics_stay_in_every_arm_while_weights_move(arm, freeze_bn):
    def net():
        parts = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(3), nn.Flatten())
        return nn.Sequential(*parts, nn.Linear(16, 2))

    def build():
        return Classifier(from_seed(net, 0), InputSpec(size=(8, 8)), CLASSES)

    own = MaskTune(saliency="layercam", layer="2", threshold=TopFraction(0.2), optimizer_state="fresh")
    task, _ = trial(build=build)
    settings = TrialSettings(masktune=own, freeze_bn=freeze_bn)
    before, after = build().net[1], settings.method(arm, 1e-3).fit(task).classifier.net[1]
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(getattr(after, name), getattr(before, name)) == freeze_bn
    assert not torch.equal(after.weight, before.weight)


def test_statistics_that_masktune_freezes_stay_frozen():
    settings = TrialSettings(masktune=MaskTune(batch_norm="frozen"))
    assert settings.tuned_at(1e-3).batch_norm == "frozen"


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"arms": ("masktun",)},
            (
                "expected arm as one of untouched, continue_erm, random_mask, least_salient_mask, masktune, "
                "got 'masktun' (did you mean 'masktune'?)"
            ),
        ),
        ({"arms": ()}, "expected arms, each once and one that is tuned, got none"),
        ({"arms": ("untouched",)}, "expected arms, each once and one that is tuned, got untouched"),
        (
            {"arms": ("masktune", "masktune")},
            "expected arms, each once and one that is tuned, got masktune, masktune",
        ),
        ({"rates": ()}, "expected positive learning rates to choose from, got ()"),
        ({"rates": (1e-3, 0.0)}, "expected positive learning rates to choose from, got (0.001, 0.0)"),
        ({"rates": (float("nan"),)}, "expected positive learning rates to choose from, got (nan,)"),
        ({"learning_rate": 0.0}, "expected a positive learning rate, got 0.0"),
        ({"learning_rate": -1.0}, "expected a positive learning rate, got -1.0"),
        ({"batch_size": 0}, "expected epochs >= 0, batch_size >= 1, got 0, 0"),
        ({"optimizer": "adm"}, "expected optimizer as one of sgd, adam, got 'adm' (did you mean 'adam'?)"),
        (
            {"loss": "balance"},
            (
                "expected loss as one of cross_entropy, balanced, smoothed, "
                "got 'balance' (did you mean 'balanced'?)"
            ),
        ),
        (
            {"augment": "flop"},
            (
                "expected augment as one of none, flip, crop, crop_flip, "
                "got 'flop' (did you mean 'flip' or 'crop'?)"
            ),
        ),
        *(({"validation_share": share}, f"{SHARE}, got {share}; {ALL}") for share in (0.0, -0.1, 1.1, nan)),
        ({"hold_out": 0.5}, "expected a share above 0 and below 0.5 to hold out, got 0.5"),
        ({"hold_out": 0.0}, "expected a share above 0 and below 0.5 to hold out, got 0.0"),
    ],
)
def test_settings_check_themselves(changed, sentence):
    with pytest.raises(InputError) as caught:
        TrialSettings(**changed)
    assert str(caught.value) == sentence
