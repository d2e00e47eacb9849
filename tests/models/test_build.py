import pytest
import torch
from torch import nn

from masktune.models.build import from_seed
from masktune.models.small_cnn import SmallCNN
from masktune.models.weights import weights_sha256


def test_first_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = from_seed(SmallCNN, 3)
    torch.manual_seed(2)
    torch.rand(5)
    assert weights_sha256(from_seed(SmallCNN, 3)) == weights_sha256(first)
    assert weights_sha256(from_seed(SmallCNN, 4)) != weights_sha256(first)


def test_they_are_what_torch_makes_after_manual_seed():
    torch.manual_seed(3)
    assert torch.equal(nn.Linear(4, 2).weight, from_seed(lambda: nn.Linear(4, 2), 3).weight)


def test_the_global_generator_stays_as_it_was():
    before = torch.get_rng_state()
    from_seed(SmallCNN, 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_after_an_error_too():
    def broken():
        torch.rand(3)
        raise ValueError("no net")

    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="no net"):
        from_seed(broken, 3)
    assert torch.equal(torch.get_rng_state(), before)
