"""Which layer is taken, and how its output is laid out."""

import pytest
import torch
from torch import nn

from masktune.errors import InputError, LayerNotFound, MasktuneWarning, NoSpatialLayer, SaliencyError
from masktune.saliency import GradCAM, Layer, LayerCAM, Layout, XGradCAM, find_layer
from masktune.saliency.dry_run import dry_run
from masktune.saliency.layouts import find_layout

from .tiny import FlatNet, PooledNet, TokenNet, images, seeded


def test_the_last_relu_before_the_last_pool_is_found():
    found = find_layer(seeded(FlatNet), images())
    assert found == Layer(
        "features.5", Layout("channels_first", (8, 16)), signed=False, constant_gradient=False
    )
    assert found.safe_for_sums


def test_the_outermost_of_modules_with_the_same_output_is_found():
    found = find_layer(seeded(PooledNet), images(1))
    assert found == Layer("second", Layout("channels_first", (6, 10)), signed=False, constant_gradient=True)


def test_in_place_layers_change_nothing():
    assert find_layer(seeded(lambda: FlatNet(inplace=True)), images()).path == "features.5"
    assert find_layer(seeded(lambda: PooledNet(inplace=True)), images()).path == "second"


def sequential(*tail, last=6):
    return seeded(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, last, 3), nn.ReLU(), *tail)
    )


@pytest.mark.parametrize(
    ("net", "layer"),
    [
        (sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(192, 2)), "3"),
        (sequential(nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(192, 2)), "3"),
        (sequential(nn.AvgPool2d(2), nn.Identity(), nn.Flatten(), nn.Linear(192, 2)), "3"),
        (sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 2)), "3"),
        (sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)), "3"),
        (sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 2)), "3"),
        # As many channels as classes, but the head still mixes them.
        (sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2), last=2), "3"),
        # Class maps: their mean is the score, so the layer before is taken.
        (sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), last=2), "1"),
        # A convolution over the whole map is a fully connected layer.
        (sequential(nn.Conv2d(6, 9, (7, 15)), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)), "3"),
    ],
)
def test_the_last_map_that_matters_is_found(net, layer):
    assert find_layer(net, images()).path == layer


def test_scores_whose_gradients_cancel_over_the_classes_matter_still():
    net = sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        net[6].weight[1] = -net[6].weight[0]
    found = dry_run(net, images())
    assert found.candidates[0].path == "3"
    assert not found.by_features


def test_a_head_of_zeros_hides_no_layer():
    net = seeded(PooledNet)
    nn.init.zeros_(net.head.weight)
    assert find_layer(net, images()).path == "second"
    with pytest.raises(SaliencyError, match=r"is exactly zero for the whole batch.*is the head still zero"):
        XGradCAM(net)(images())


def test_a_net_without_maps_is_told_what_it_has():
    net = nn.Sequential(nn.Flatten(), nn.Linear(720, 5), nn.Linear(5, 2))
    with pytest.raises(NoSpatialLayer, match=r"a height and a width in Sequential.*1 \(2, 5\), 2 \(2, 2\)"):
        XGradCAM(net)(images())


@pytest.mark.parametrize("prefix", [1, 2, 5])
def test_class_token_nets_are_read_before_the_last_attention(prefix):
    net = seeded(lambda: TokenNet(prefix))
    found = find_layer(net, images(2, (8, 12)))
    assert (found.path, found.layout) == ("norm1", Layout("tokens", (2, 3), prefix))
    assert not found.safe_for_sums
    maps = GradCAM(net)(images(2, (8, 12)))
    assert maps.low.shape == (2, 2, 3)
    assert maps.maps.shape == (2, 8, 12)


def test_mean_pooled_tokens_are_read_at_the_last_map():
    net = seeded(lambda: TokenNet(0, mean=True))
    found = find_layer(net, images(2, (8, 12)))
    # The MLP's output is added to the tokens and averaged: a constant gradient.
    assert (found.path, found.layout, found.constant_gradient) == ("mlp", Layout("tokens", (2, 3), 0), True)


def test_token_maps_are_where_the_tokens_are():
    class OneToken(TokenNet):
        def forward(self, x):
            return self.head(self.norm1(self.embed(x).flatten(2).transpose(1, 2))[:, 4])

    # Token 4 of a grid of 2 x 3 is row 1, column 1; LayerCAM shows where the gradient is.
    found = LayerCAM(seeded(OneToken), "norm1")(images(4, (8, 12)))
    assert (found.low.amax(0) > 0).tolist() == [[False, False, False], [False, True, False]]


def test_layers_after_the_last_attention_are_refused_with_better_ones():
    net = seeded(TokenNet)
    for layer in ("norm2", "mlp", "attention"):
        with pytest.raises(SaliencyError, match=f"layer '{layer}' is exactly zero .*; try 'norm1'"):
            GradCAM(net, layer)(images(2, (8, 12)))


def test_xgrad_cam_warns_once_where_sums_may_cancel():
    explain = XGradCAM(seeded(TokenNet))
    with pytest.warns(
        MasktuneWarning, match="sum of each channel, which may be near zero at norm1"
    ) as caught:
        explain(images(2, (8, 12)))
    explain(images(2, (8, 12)))  # Warnings are errors here.
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((2, 512, 7, 7), (224, 224), Layout("channels_first", (7, 7))),
        ((2, 16, 8, 8), (28, 28), Layout("channels_first", (8, 8))),
        ((2, 4, 5, 6), (48, 50), Layout("channels_first", (5, 6))),
        ((2, 512, 1, 3), (64, 96), None),
        ((2, 3, 197, 64), (224, 224), None),
        ((3, 512, 7, 7), (224, 224), None),
        ((2, 7, 7, 768), (224, 224), Layout("channels_last", (7, 7))),
        ((2, 56, 56, 96), (224, 224), Layout("channels_last", (56, 56))),
        ((2, 4, 7, 768), (100, 220), Layout("channels_last", (4, 7))),
        ((2, 49, 768), (224, 224), Layout("tokens", (7, 7), 0)),
        ((2, 197, 192), (224, 224), Layout("tokens", (14, 14), 1)),
        ((2, 198, 192), (224, 224), Layout("tokens", (14, 14), 2)),
        ((2, 29, 192), (64, 96), Layout("tokens", (4, 6), 5)),
        ((197, 2, 768), (224, 224), Layout("tokens_first", (14, 14), 1)),
        ((2, 1000), (224, 224), None),
        ((2, 131, 8), (224, 224), None),
    ],
)
def test_layouts_are_told_apart_by_shape(shape, size, expected):
    assert find_layout(nn.Sequential(), shape, 2, size) == expected


def test_the_patch_embedding_decides_how_many_tokens_lead():
    # 9 tokens of a 12 x 12 image: 3 x 3 by shape, but patches of 6 leave a grid of 2 x 2.
    net = nn.Sequential(nn.Conv2d(3, 8, 6, 6))
    assert find_layout(nn.Sequential(), (2, 9, 8), 2, (12, 12)) == Layout("tokens", (3, 3), 0)
    assert find_layout(net, (2, 9, 8), 2, (12, 12)) == Layout("tokens", (2, 2), 5)


@pytest.mark.parametrize("kind", ["channels_first", "channels_last", "tokens", "tokens_first"])
def test_every_layout_leads_to_the_same_maps(kind):
    maps = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    tokens = torch.cat((torch.full((2, 2, 3), -1.0), maps.flatten(2).transpose(1, 2)), 1)
    laid_out = {
        "channels_first": maps,
        "channels_last": maps.permute(0, 2, 3, 1),
        "tokens": tokens,
        "tokens_first": tokens.transpose(0, 1),
    }
    assert torch.equal(Layout(kind, (4, 5), 2).to_maps(laid_out[kind]), maps)


@pytest.mark.parametrize("pick", [lambda net: "features.5", lambda net: net.features[5]])
def test_a_layer_may_be_a_name_or_a_module_or_in_a_list(pick):
    net = seeded(FlatNet)
    expected = XGradCAM(net)(images()).maps
    for layer in (pick(net), [pick(net)]):
        found = XGradCAM(net, layer)(images())
        assert found.layer == "features.5"
        assert torch.equal(found.maps, expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("featurs.5", "FlatNet has no layer 'featurs.5' .did you mean 'features.5'"),
        ("", "FlatNet has no layer ''"),
        (["features.5", "head.9"], "no layer 'head.9' .did you mean 'head"),
        (nn.Conv2d(1, 1, 1), "that Conv2d is no part of this FlatNet"),
    ],
)
def test_a_layer_that_is_not_there_is_refused_at_once(layer, message):
    with pytest.raises(LayerNotFound, match=message):
        XGradCAM(seeded(FlatNet), layer)


def test_an_empty_list_of_layers_is_refused():
    with pytest.raises(InputError, match="at least one layer, got an empty list"):
        XGradCAM(seeded(FlatNet), [])


@pytest.mark.parametrize("layer", ["head", "head.0"])
def test_a_layer_without_places_is_refused_with_better_ones(layer):
    with pytest.raises(
        NoSpatialLayer, match=rf"but '{layer}' gives \(4, .\); try 'features.5' or 'features.4'"
    ):
        XGradCAM(seeded(FlatNet), layer)(images())


def test_a_map_of_one_place_is_refused():
    net = sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
    with pytest.raises(NoSpatialLayer, match=r"but '4' gives \(4, 6, 1, 1\); try '3'"):
        XGradCAM(net, "4")(images())


def test_a_named_map_may_have_odd_proportions():
    net = sequential(nn.AdaptiveAvgPool2d((1, 5)), nn.Flatten(), nn.Linear(30, 2))
    found = LayerCAM(net, "4")(images())
    assert found.low.shape == (4, 1, 5)
    assert found.maps.shape == (4, 12, 20)


def test_a_replaced_module_is_looked_up_anew():
    net = seeded(PooledNet)
    explain = GradCAM(net, "second")
    before = explain(images()).maps
    net.second = nn.Sequential(*seeded(PooledNet, seed=5).second)
    assert not torch.equal(explain(images()).maps, before)


def test_each_size_of_images_has_its_own_grid():
    explain = GradCAM(seeded(PooledNet))
    assert explain(images(2, (12, 20))).low.shape == (2, 6, 10)
    assert explain(images(2, (16, 16))).low.shape == (2, 8, 8)
    assert explain(images(2, (12, 20))).low.shape == (2, 6, 10)


def test_a_class_without_any_gradient_has_an_empty_map():
    # As SqueezeNet's: a ReLU behind the class maps, which is off for class 0 everywhere.
    net = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        net[0].weight.fill_(1)
        net[2].weight.fill_(1)
        net[2].bias.copy_(torch.tensor([-9.0, 0.0]))
    explain = LayerCAM(net)
    found = explain(images(channels=1), 0)
    assert found.layer == "1"
    assert found.empty.all()
    assert not explain(images(channels=1), 1).empty.any()


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)])
def test_class_maps_are_told_by_their_gradient_however_they_are_pooled(pool):
    assert find_layer(sequential(nn.Conv2d(6, 3, 1), pool, nn.Flatten()), images()).path == "3"
    mixed = sequential(nn.Conv2d(6, 3, 1), pool, nn.Flatten(), nn.Linear(3, 3))
    assert find_layer(mixed, images()).path == "4"


@pytest.mark.parametrize(
    ("declared", "grid", "prefix"), [(None, (5, 7), 1), (1, (5, 7), 1), (12, (4, 6), 12)]
)
def test_a_rest_of_the_image_may_be_padded_or_dropped(declared, grid, prefix):
    # 36 tokens of 18 x 25 pixels in patches of 4: 4 x 6 whole ones, 5 x 7 with the rest.
    net = nn.Sequential(nn.Conv2d(3, 8, 4, 4))
    if declared is not None:
        net.num_prefix_tokens = declared
    assert find_layout(net, (2, 36, 8), 2, (18, 25)) == Layout("tokens", grid, prefix)
    assert find_layout(net, (2, 25, 8), 2, (18, 25)) == Layout("tokens", (4, 6), 1)


@pytest.mark.parametrize("layers", ["trunk", ["trunk.inner", "trunk"]])
def test_only_what_a_layer_passes_on_counts(layers):
    # As encoders of Hugging Face: the tokens go out unread beside what the layer itself makes of them.
    class Trunk(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

        def forward(self, x):
            x = self.inner(x)
            return x, x.mean((2, 3))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk, self.head = Trunk(), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.trunk(x)[1])

    net = seeded(Net)
    assert find_layer(net, images()).path == "trunk.inner"
    with pytest.raises(SaliencyError, match="layer 'trunk' does not influence the scores"):
        GradCAM(net, layers)(images())


def test_scores_without_a_graph_are_refused_also_where_channels_are_as_many_as_classes():
    class Detached(PooledNet):
        def forward(self, x):
            return super().forward(x).detach()

    with pytest.raises(SaliencyError, match="must return logits, not classes or detached numbers"):
        GradCAM(seeded(lambda: Detached(classes=6)))(images())
