import torch
from torch import nn

from masktune.training import execution
from masktune.training.execution import Execution

CPU = torch.device("cpu")


def test_what_is_asked_for_is_done(monkeypatch):
    for units in (True, False):
        monkeypatch.setattr(execution, "has_matrix_units", lambda device, units=units: units)
        assert not Execution.choose("float32", CPU).bfloat16
        assert Execution.choose("bfloat16", CPU).bfloat16
        assert Execution.choose("auto", CPU).bfloat16 == units


def test_weights_are_laid_out_in_place():
    net = nn.Conv2d(3, 4, 3)
    weight, values = net.weight, net.weight.detach().clone()
    Execution(bfloat16=False, channels_last=True).lay_out(net)
    assert net.weight is weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(weight, values)


def test_autocast_is_on_only_for_bfloat16():
    net, images = nn.Linear(2, 2), torch.ones(1, 2)
    with Execution(bfloat16=True, channels_last=True).autocast(CPU):
        assert net(images).dtype == torch.bfloat16
    with Execution(bfloat16=False, channels_last=True).autocast(CPU):
        assert net(images).dtype == torch.float32


def test_other_devices_have_no_matrix_units():
    assert not execution.has_matrix_units(torch.device("mps"))
