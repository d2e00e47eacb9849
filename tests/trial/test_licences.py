import pytest
from torch import nn

from masktune.trial.licences import licences_of, relicensed

NOT_GIVEN = (
    "data: not given (--data-license TEXT, or data_license= in Python)",
    "weights: not given (--weights-license TEXT, or weights_license= in Python)",
)


class Named(nn.Module):
    """As timm's nets carry what is known of their weights."""

    def __init__(self, config):
        super().__init__()
        self.pretrained_cfg = config


def test_what_is_given_is_told_and_what_is_not_says_how():
    assert licences_of("CC BY 4.0", "MIT") == ("data: CC BY 4.0", "weights: MIT")
    assert licences_of() == NOT_GIVEN
    assert licences_of("CC BY 4.0", net=nn.Linear(1, 1)) == ("data: CC BY 4.0", NOT_GIVEN[1])


def test_of_a_net_of_timm_what_timm_says_of_its_weights_unless_it_is_given():
    net = Named({"license": "apache-2.0", "architecture": "resnet18", "tag": "a1_in1k"})
    said = "weights: apache-2.0, as timm says of its own weights resnet18.a1_in1k"
    assert licences_of(net=net) == (NOT_GIVEN[0], said)
    assert licences_of(weights="MIT", net=net)[1] == "weights: MIT"


@pytest.mark.parametrize("config", [{}, {"license": None}, None, "apache-2.0"])
def test_a_net_that_knows_no_licence_has_none(config):
    assert licences_of(net=Named(config)) == NOT_GIVEN


def test_a_net_that_timm_has_made():
    timm = pytest.importorskip("timm")
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    told = "weights: apache-2.0, as timm says of its own weights tf_efficientnet_lite0.in1k"
    assert licences_of(net=net)[1] == told


def test_what_is_given_later_takes_the_place_of_what_was_known_and_nothing_else():
    known = licences_of("CC BY 4.0", "MIT")
    assert relicensed(known, None, None) == known
    assert relicensed(known, None, "GPL: the third") == ("data: CC BY 4.0", "weights: GPL: the third")
    assert relicensed((), "CC0", None) == ("data: CC0", NOT_GIVEN[1])
