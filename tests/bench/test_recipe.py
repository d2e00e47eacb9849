from pathlib import Path
from typing import get_args

import pytest

from masktune.bench import Choices, biased_digits, biased_mnist
from masktune.bench.recipe import FIVE_ARMS, METHODS
from masktune.cli.options import MethodName
from masktune.errors import InputError


def test_the_default_trains_ten_epochs_at_a_constant_rate():
    training = biased_mnist(Path("nowhere")).training
    assert [training.learning_rate_at(epoch) for epoch in (0, 9)] == [0.01, 0.01]
    assert (training.epochs, training.batch_size, training.momentum, training.weight_decay) == (
        10,
        128,
        0.9,
        1e-4,
    )


def test_the_paper_halves_the_rate_every_25_of_100_epochs_and_tunes_at_the_last():
    recipe = biased_mnist(Path("nowhere"), choices=Choices(preset="paper"))
    rates = [recipe.training.learning_rate_at(epoch) for epoch in (0, 24, 25, 49, 50, 74, 75, 99)]
    assert rates == [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.00125, 0.00125]
    assert recipe.masktune.learning_rate == "last"


def test_a_short_run_of_the_paper_ends_at_the_same_eighth():
    recipe = biased_mnist(Path("nowhere"), choices=Choices(preset="paper", epochs=10))
    # Quarters of 10 epochs, rounded up: 3, 5, 8.
    assert recipe.training.milestones == (3, 5, 8)
    assert recipe.training.learning_rate_at(9) == 0.00125


def test_the_official_code_never_applies_its_schedule():
    recipe = biased_mnist(Path("nowhere"), choices=Choices(preset="official_code"))
    assert recipe.training.learning_rate_at(99) == 0.01
    assert (recipe.masktune.mask_checkpoint, recipe.masktune.tune_checkpoint) == ("best", "last")


def test_controls_follow_the_masktune_that_they_are_compared_with():
    recipe = biased_mnist(Path("nowhere"), choices=Choices(preset="paper", layer="features.9"))
    for name in ("continue_erm", "random_mask", "least_salient_mask"):
        assert recipe.method(name).of == recipe.masktune
    assert recipe.masktune.layer == "features.9"


@pytest.mark.parametrize(
    ("choices", "config"),
    [
        (Choices(), None),
        (Choices(preset="paper"), "paper"),
        (
            Choices(preset="paper", batch_size=32, layer="features.9"),
            "paper, batch_size=32, layer=features.9",
        ),
        (Choices(precision="bfloat16"), "precision=bfloat16"),
    ],
)
def test_the_short_name_of_what_departs_from_the_recipe(choices, config):
    assert choices.config == config


def test_the_command_line_names_every_method_in_the_order_of_tables():
    assert get_args(MethodName) == tuple(METHODS)


def test_settings_are_plain_values_that_tell_runs_apart():
    settings = biased_digits(Choices(precision="float32")).settings()
    assert settings["recipe"] == "biased-digits"
    assert settings["methods"] == list(FIVE_ARMS)
    assert settings["training.precision"] == "float32"
    assert settings["masktune.threshold"] == "MeanPlusStd(k=2.0, over='positive', at='input', most=None)"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"methods": ("maktune",)}, "unknown method 'maktune' (did you mean 'masktune'"),
        ({"seeds": ()}, "expected at least one seed and one method"),
        ({"seeds": (1, 1)}, "expected seeds from 0 to 2**63 - 1, no two alike, got (1, 1)"),
        ({"seeds": (2**63,)}, "expected seeds from 0 to 2**63 - 1, no two alike, got (9223372036854775808,)"),
        ({"methods": ("erm", "erm")}, "expected each method once, got erm erm"),
        ({"epochs": 0}, "expected at least 1 epoch, got 0"),
        ({"batch_size": 1}, "expected a batch size of at least 2 (batch norm), got 1"),
    ],
)
def test_refusals(choices, message):
    with pytest.raises(InputError) as error:
        Choices(**choices)
    assert message in str(error.value)
