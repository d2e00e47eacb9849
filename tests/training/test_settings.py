import pytest
import torch

from masktune.errors import InputError
from masktune.training.settings import Training


def test_the_learning_rate_halves_at_the_papers_milestones():
    # Biased MNIST (paper.md 6.2): 0.01, halved every 25 epochs; the last of 100 epochs has 0.00125.
    training = Training(epochs=100)
    rates = [training.learning_rate_at(epoch) for epoch in (0, 24, 25, 49, 50, 74, 75, 99)]
    assert rates == [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.00125, 0.00125]


def test_other_milestones_by_hand():
    training = Training(learning_rate=1.0, decay=0.1, milestones=(2, 3))
    assert [training.learning_rate_at(epoch) for epoch in range(5)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert Training(learning_rate=0.3, milestones=()).learning_rate_at(99) == 0.3


def test_the_optimiser_is_the_one_asked_for():
    parameter = torch.nn.Parameter(torch.zeros(1))
    sgd = Training(learning_rate=0.3, momentum=0.8, weight_decay=0.2).make_optimizer([parameter])
    assert isinstance(sgd, torch.optim.SGD)
    assert {name: sgd.defaults[name] for name in ("lr", "momentum", "weight_decay", "nesterov")} == {
        "lr": 0.3,
        "momentum": 0.8,
        "weight_decay": 0.2,
        "nesterov": False,
    }
    adam = Training(optimizer="adam", learning_rate=0.3, weight_decay=0.2).make_optimizer([parameter])
    assert type(adam) is torch.optim.Adam
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.3, 0.2)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"epochs": -1}, "expected epochs >= 0, batch_size >= 1, got -1, 128"),
        ({"batch_size": 0}, "expected epochs >= 0, batch_size >= 1, got 10, 0"),
        ({"learning_rate": 0.0}, "expected a positive learning rate, got 0.0"),
        ({"learning_rate": float("nan")}, "expected a positive learning rate, got nan"),
        ({"learning_rate": float("inf")}, "expected a positive learning rate, got inf"),
        *(
            (
                dict([changed]),
                "expected momentum in [0, 1), weight_decay >= 0 and decay in (0, 1], got " + got,
            )
            for changed, got in [
                (("momentum", 1.0), "1.0, 0.0001 and 0.5"),
                (("momentum", -0.1), "-0.1, 0.0001 and 0.5"),
                (("weight_decay", -1.0), "0.9, -1.0 and 0.5"),
                (("weight_decay", float("nan")), "0.9, nan and 0.5"),
                (("decay", 0.0), "0.9, 0.0001 and 0.0"),
                (("decay", 1.5), "0.9, 0.0001 and 1.5"),
            ]
        ),
        ({"optimizer": "sdg"}, "expected optimizer as one of sgd, adam, got 'sdg' (did you mean 'sgd'?)"),
        (
            {"selection": "validation_acuracy"},
            (
                "expected selection as one of last, validation_accuracy, worst_class, worst_group, "
                "got 'validation_acuracy' (did you mean 'validation_accuracy'?)"
            ),
        ),
        (
            {"precision": "float16"},
            (
                "expected precision as one of auto, float32, bfloat16, got 'float16' "
                "(did you mean 'bfloat16' or 'float32'?)"
            ),
        ),
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
    ],
)
def test_settings_check_themselves(changed, sentence):
    with pytest.raises(InputError) as caught:
        Training(**changed)
    assert str(caught.value) == sentence


def test_linear_annealing_ends_at_zero():
    training = Training(learning_rate=0.4, epochs=2, milestones=(), annealing="linear")
    # Of two epochs a quarter, a half and three quarters are done after 0.5, 1 and 1.5.
    rates = [training.learning_rate_at(epoch) for epoch in (0, 0.5, 1, 1.5, 2)]
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1, 0])


def test_no_epochs_have_a_learning_rate_too():
    assert Training(learning_rate=0.4, epochs=0, annealing="linear").learning_rate_at(0) == 0.4


def test_numbers_are_float32_unless_something_else_is_asked_for():
    assert Training().precision == "float32"


def test_the_loss_is_plain_and_images_stay_as_they_are_unless_something_else_is_asked_for():
    assert (Training().loss, Training().augment) == ("cross_entropy", "none")
