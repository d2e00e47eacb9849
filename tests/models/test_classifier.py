from types import SimpleNamespace

import pytest
import torch
from torch import nn

from masktune.errors import InputError
from masktune.models.classifier import Classifier, evaluating
from masktune.models.small_cnn import SmallCNN
from masktune.types import InputSpec


class Sees(nn.Module):
    """Keeps what it gets; its logits are the mean of each of the first `k` channels."""

    def __init__(self, k=2):
        super().__init__()
        self.k = k

    def forward(self, images):
        self.images = images
        return images.mean((2, 3))[:, : self.k]


def classifier(net=None, classes=("a", "b"), **spec):
    return Classifier(net or Sees(), InputSpec(**{"size": (2, 2)} | spec), classes)


def test_bytes_are_shares_of_255():
    images = torch.randint(0, 256, (4, 3, 28, 28), dtype=torch.uint8)
    made = Classifier(SmallCNN(), InputSpec(size=(28, 28)), ("a", "b")).eval()
    assert torch.equal(made(images), made(images.float() / 255))


def test_normalisation_by_hand():
    made = classifier(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    images = torch.tensor([0, 51, 102, 255], dtype=torch.uint8).view(1, 1, 2, 2).repeat(1, 3, 1, 1)
    made(images)
    assert made.net.images[0].flatten(1).tolist() == [
        pytest.approx([-1.0, -0.6, -0.2, 1.0]),  # (0, 0.2, 0.4, 1) - 0.5, over 0.5.
        pytest.approx([-1.0, -0.2, 0.6, 3.0]),
        pytest.approx([0.0, 0.1, 0.2, 0.5]),
    ]


def test_one_number_serves_all_channels():
    made = classifier(mean=(0.5,), std=(0.25,))
    made(torch.ones(1, 3, 2, 2))
    assert made.net.images.unique().tolist() == [2.0]


def test_grey_is_repeated_for_a_net_that_wants_colour():
    made = classifier(mean=(0.0, 0.5, 1.0), std=(1.0, 1.0, 1.0))
    images = torch.rand(2, 1, 2, 2)
    made(images)
    assert torch.equal(made.net.images, torch.cat([images, images - 0.5, images - 1], dim=1))


def test_grey_is_repeated_without_normalisation_too():
    made = classifier()
    images = torch.rand(2, 1, 2, 2)
    made(images)
    assert torch.equal(made.net.images, images.repeat(1, 3, 1, 1))


def test_grey_stays_grey_for_a_net_that_wants_grey():
    made = classifier(net=nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), channels=1)
    assert made(torch.rand(2, 1, 2, 2)).shape == (2, 2)


def test_one_logit_is_the_head_of_two_classes():
    images = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    assert classifier(net=Sees(k=1))(images).tolist() == [[0.0, 0.25], [0.0, 0.75]]


def test_float64_images_serve_a_float32_net_and_the_reverse():
    images = torch.rand(1, 3, 28, 28, dtype=torch.float64)
    made = Classifier(SmallCNN(), InputSpec(size=(28, 28)), ("a", "b")).eval()
    assert made(images).dtype == torch.float32
    assert made.double()(images.float()).dtype == torch.float64


def test_the_weights_are_those_of_the_net():
    made = classifier(net=nn.Linear(2, 2), mean=(0.5,), std=(0.5,))
    assert list(made.state_dict()) == ["net.weight", "net.bias"]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("images", "came"),
    [
        (torch.rand(3, 2, 2), "(3, 2, 2)"),
        (torch.rand(1, 3, 2, 3), "(1, 3, 2, 3)"),
        (torch.rand(1, 4, 2, 2), "(1, 4, 2, 2)"),
        (torch.rand(1, 2, 2, 3), "(1, 2, 2, 3)"),
    ],
)
def test_another_shape_is_refused(images, came):
    with pytest.raises(InputError) as caught:
        classifier()(images)
    assert str(caught.value) == (
        f"expected images of shape (b, 3, 2, 2), got {came}; resize them, or give the classifier "
        f"another InputSpec"
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.int8])
def test_another_type_is_refused(dtype):
    with pytest.raises(InputError, match=rf"^expected uint8 images, or floats in \[0, 1\], got {dtype}$"):
        classifier()(torch.zeros(1, 3, 2, 2, dtype=dtype))


@pytest.mark.usefixtures("unchecked")
def test_not_one_logit_a_class_is_refused():
    sentence = r"^expected logits of shape \(4, 2\) from the net, one column a class, got \(4, 3\); check the"
    with pytest.raises(InputError, match=sentence):
        classifier(Sees(k=3))(torch.rand(4, 3, 2, 2))


@pytest.mark.usefixtures("unchecked")
def test_no_logits_at_all_are_refused():
    sentence = r"^expected logits of shape \(4, classes\) from the net, got a tensor of shape \(4, 3, 2, 2\)$"
    with pytest.raises(InputError, match=sentence):
        classifier(nn.Identity())(torch.rand(4, 3, 2, 2))


class Gives(nn.Module):
    """Gives the means of the first channels in another form."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def forward(self, images):
        return self.form(images.mean((2, 3)))


@pytest.mark.parametrize(
    "form",
    [
        lambda means: {"loss": None, "logits": means[:, :2]},
        lambda means: (means[:, :2], means),
        lambda means: SimpleNamespace(logits=means[:, :2]),
    ],
)
def test_logits_are_found_in_what_the_net_returns(form):
    images = torch.tensor([0.25, 0.5, 1.0]).view(1, 3, 1, 1).expand(4, 3, 2, 2)
    assert classifier(Gives(form))(images).tolist() == [[0.25, 0.5]] * 4


def test_one_bare_logit_an_image_serves_two_classes():
    images = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    assert classifier(Gives(lambda means: means[:, 0]))(images).tolist() == [[0.0, 0.25], [0.0, 0.75]]
    assert classifier(Gives(lambda means: means[:, 0]))(images[:1]).tolist() == [[0.0, 0.25]]


@pytest.mark.parametrize("classes", [("only",), ("same", "same"), ()])
def test_class_names_differ_and_are_two_or_more(classes):
    with pytest.raises(InputError, match="expected two or more class names, no two alike, got"):
        classifier(classes=classes)


def mixed_modes():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))).train()
    net[1].eval()
    net[1][1].train()
    return net, [module.training for module in net.modules()]


def test_evaluating_gives_each_module_its_own_mode_back():
    net, before = mixed_modes()
    with evaluating(net) as same:
        assert same is net
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == before == [True, True, False, False, True]


def test_evaluating_does_so_after_an_error():
    net, before = mixed_modes()
    with pytest.raises(KeyError), evaluating(net):
        raise KeyError
    assert [module.training for module in net.modules()] == before
