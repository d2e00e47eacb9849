"""The net is left as it was found, and maps are right, whatever the caller and the net do with gradients."""

import copy
import gc
import hashlib
import pickle
import threading

import pytest
import torch
from torch import nn

from masktune.errors import InputError, SaliencyError
from masktune.saliency import GradCAM, LayerCAM, RandomMap, XGradCAM
from masktune.saliency.probe import probe

from .tiny import FlatNet, Output, PooledNet, images, seeded

HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]


def state(net):
    """All that a call could disturb."""
    digest = hashlib.sha256()
    for value in net.state_dict().values():
        digest.update(value.numpy().tobytes())
    return {
        "weights": digest.hexdigest(),
        "training": [module.training for module in net.modules()],
        "hooks": [len(getattr(module, name)) for module in net.modules() for name in HOOKS],
        "requires_grad": [p.requires_grad for p in net.parameters()],
        "grad": [id(p.grad) for p in net.parameters()],
        "grad_values": [None if p.grad is None else p.grad.sum().item() for p in net.parameters()],
        "grad_mode": torch.is_grad_enabled(),
        "autocast_cache": torch.is_autocast_cache_enabled(),
        "random": torch.get_rng_state().tolist(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def in_use():
    """A net in the middle of training: mixed modes, some frozen weights, gradients from the last step."""
    net = seeded(FlatNet)
    net(images()).sum().backward()
    net.train()
    net.features[1].eval()
    net.head[1].eval()
    net.features[0].weight.requires_grad_(False)
    return net


@pytest.mark.parametrize("layer", [None, "features.5", ["features.2", "features.5"]])
@pytest.mark.parametrize("explainer", [XGradCAM, RandomMap])
def test_the_net_is_left_as_it_was(explainer, layer):
    net = in_use()
    before = state(net)
    explainer(net, layer)(images(), 1)
    assert state(net) == before
    assert before["training"].count(False) == 2
    assert len(HOOKS) >= 5


@pytest.mark.parametrize("layer", [None, "features.5"])
def test_the_net_is_left_as_it_was_when_its_forward_fails(layer):
    net = in_use()
    explain = XGradCAM(net, layer)
    net.head[2].register_forward_pre_hook(raise_error)
    before = state(net)
    with pytest.raises(ZeroDivisionError):
        explain(images())
    assert state(net) == before


def raise_error(*_):
    raise ZeroDivisionError


class FailsBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ZeroDivisionError


@pytest.mark.parametrize("layer", [None, "features.5"])
def test_the_net_is_left_as_it_was_when_the_backward_pass_fails(layer):
    net = in_use()
    net.head[2].forward = FailsBackwards.apply
    before = state(net)
    with pytest.raises(ZeroDivisionError):
        XGradCAM(net, layer)(images())
    assert state(net) == before


def test_the_net_is_left_as_it_was_when_the_classes_are_wrong():
    net = in_use()
    before = state(net)
    with pytest.raises(InputError):
        XGradCAM(net, "features.5")(images(), 7)
    assert state(net) == before


def test_two_hundred_calls_leave_nothing_behind():
    net = seeded(FlatNet)
    explain = XGradCAM(net)
    explain(images())
    gc.collect()
    before = state(net), sum(type(one) is torch.Tensor for one in gc.get_objects())
    for _ in range(200):
        explain(images(1))
    gc.collect()
    assert (state(net), sum(type(one) is torch.Tensor for one in gc.get_objects())) == before


def test_net_and_explainer_can_be_pickled_and_copied_after_use():
    net, batch = seeded(FlatNet), images()
    explain = XGradCAM(net)
    maps = explain(batch).maps
    for again in (pickle.loads(pickle.dumps(explain)), copy.deepcopy(explain), XGradCAM(copy.deepcopy(net))):
        assert torch.equal(again(batch).maps, maps)


def reference():
    """The maps of a net that nothing special happens to."""
    return XGradCAM(seeded(FlatNet), "features.5")(images()).maps


def test_train_mode_changes_nothing():
    assert torch.equal(XGradCAM(seeded(FlatNet).train(), "features.5")(images()).maps, reference())


def test_frozen_weights_change_nothing():
    net = seeded(FlatNet).requires_grad_(False)
    assert torch.equal(XGradCAM(net, "features.5")(images()).maps, reference())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("layer", ["features.5", None])
def test_the_callers_gradient_mode_changes_nothing(mode, layer):
    explain = XGradCAM(seeded(FlatNet), layer)
    with mode():
        found = explain(images() * 1.0, torch.tensor([0, 1, 2, 0]))
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
        assert torch.is_grad_enabled() == (mode is torch.enable_grad)
    expected = XGradCAM(seeded(FlatNet), "features.5")(images(), torch.tensor([0, 1, 2, 0]))
    assert torch.equal(found.maps, expected.maps)
    assert not found.logits.requires_grad


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("layer", ["features.5", "features", None])
def test_a_net_that_wraps_its_trunk_in_no_grad(layer, frozen):
    class Frozen(FlatNet):
        runs = 0

        def forward(self, x):
            self.runs += 1
            with torch.no_grad():
                x = self.features(x)
            return self.head(x.flatten(1))

    expected = XGradCAM(seeded(FlatNet), layer)(images()).maps
    net = seeded(Frozen).requires_grad_(not frozen)
    explain = XGradCAM(net, layer)
    for _ in range(2):
        assert torch.equal(explain(images()).maps, expected)
    before = net.runs
    explain(images())
    assert net.runs == before + 1  # It is remembered that this net needs the graph.


def test_bfloat16_autocast_gives_nearly_the_same_map():
    with torch.autocast("cpu", torch.bfloat16):
        found = XGradCAM(seeded(FlatNet), "features.5")(images())
        maps = found.maps
    assert found.low.dtype == maps.dtype == found.logits.dtype == torch.float32
    torch.testing.assert_close(maps, reference(), rtol=0, atol=0.05)


def test_bfloat16_autocast_finds_the_layer_where_channels_are_as_many_as_classes():
    with torch.autocast("cpu", torch.bfloat16):
        found = XGradCAM(seeded(lambda: PooledNet(classes=6)))(images())
    assert found.layer == "second"
    assert found.maps.isfinite().all()


def test_a_training_step_in_the_same_autocast_block_still_trains():
    # Older torch caches the weights that autocast casts under no_grad; those have no gradient.
    net, cached = seeded(FlatNet), []
    net.head[0].register_forward_pre_hook(lambda *_: cached.append(torch.is_autocast_cache_enabled()))
    with torch.autocast("cpu", torch.bfloat16):
        XGradCAM(net)(images())
        assert not any(cached)
        net(images()).float().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_half_precision_nets_are_summed_in_float32():
    class Eights(nn.Module):
        """Activations of 8 at 112 x 112 places: their sum, 100352, is infinite in float16."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Hardtanh(0, 8)
            self.head = nn.Linear(112 * 112, 2)

        def forward(self, x):
            return self.head(self.layer(x).flatten(1) / 8)

    net = seeded(Eights).half()
    nn.init.constant_(net.head.weight, 0.5)
    image = torch.full((1, 1, 112, 112), 8, dtype=torch.float16)
    image[0, 0, :56] = 6
    maps = XGradCAM(net, "layer")(image, 1).maps
    torch.testing.assert_close(maps, (image[0] - 6).float() / 2, rtol=0, atol=1e-4)


def test_what_the_layer_returned_counts_where_the_next_works_in_place():
    explain = XGradCAM(seeded(lambda: PooledNet(inplace=True)), "second.0")
    twin = XGradCAM(seeded(PooledNet), "second.0")
    with pytest.warns(match="sum of each channel"):
        maps = explain(images()).maps
    with pytest.warns(match="sum of each channel"):
        assert torch.equal(maps, twin(images()).maps)


def outputs_as(wrap):
    class Wrapped(FlatNet):
        def forward(self, x):
            return wrap(super().forward(x))

    return seeded(Wrapped)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: (logits, logits.sum()),
        lambda logits: [logits],
        lambda logits: {"loss": None, "logits": logits},
        lambda logits: {"out": logits},
        lambda logits: Output(logits),
    ],
    ids=["tuple", "list", "logits", "out", "dataclass"],
)
@pytest.mark.parametrize("layer", ["features.5", None])
def test_logits_are_found_in_containers(wrap, layer):
    assert torch.equal(XGradCAM(outputs_as(wrap), layer)(images()).maps, reference())


@pytest.mark.parametrize(
    ("wrap", "came"),
    [
        (lambda logits: {"boxes": logits}, "dict with boxes"),
        (
            lambda logits: (logits.sum(), logits),
            r"tuple of a tensor of shape \(\), a tensor of shape \(4, 3\)",
        ),
        (lambda logits: logits[:, :, None], r"a tensor of shape \(4, 3, 1\)"),
        (lambda logits: logits.sum().item(), "float"),
    ],
)
def test_other_outputs_are_refused(wrap, came):
    with pytest.raises(
        InputError, match=rf"expected logits of shape \(4, classes\) from the net, got {came}"
    ):
        XGradCAM(outputs_as(wrap), "features.5")(images())


def test_classes_instead_of_logits_are_refused():
    with pytest.raises(SaliencyError, match="must return logits, not classes or detached numbers"):
        XGradCAM(outputs_as(lambda logits: logits.detach()), "features.5")(images())


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "dataclass"])
@pytest.mark.parametrize("layer", ["features", None])
def test_a_layer_may_return_a_container(kind, layer):
    class Trunk(nn.Module):
        def __init__(self, trunk):
            super().__init__()
            self.trunk = trunk

        def forward(self, x):
            y = self.trunk(x)
            return {"tuple": (y, None), "list": [y], "dict": {"ids": None, "y": y}, "dataclass": Output(y)}[
                kind
            ]

    class Net(FlatNet):
        def __init__(self):
            super().__init__()
            self.features = Trunk(self.features[:-1])

        def forward(self, x):
            y = self.features(x)
            y = y.logits if kind == "dataclass" else y["y"] if kind == "dict" else y[0]
            return self.head(nn.functional.max_pool2d(y, 2).flatten(1))

    found = XGradCAM(seeded(Net), layer)(images())
    assert found.layer == "features"
    assert torch.equal(found.maps, reference())


def test_a_layer_that_runs_twice_is_read_at_its_last_run():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.act(self.conv(self.act(self.conv(x)))).mean((2, 3)))

    net = seeded(Twice)
    seen = probe(net, images(), {"act": net.act})
    expected = net.act(net.conv(net.act(net.conv(images()))))
    torch.testing.assert_close(seen.activations["act"], expected.detach())
    torch.testing.assert_close(
        seen.gradients["act"][:, :, 0, 0], net.head.weight.detach()[seen.classes] / 240
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_several_layers_in_any_order_keep_their_names(order):
    names = ["first", "second"]
    net, batch = seeded(PooledNet), images()
    found = GradCAM(net, [names[i] for i in order])(batch)
    assert found.layer == tuple(names[i] for i in order)
    for name, low in zip(found.layer, found.low, strict=True):
        torch.testing.assert_close(low, GradCAM(net, name)(batch).low, rtol=0, atol=1e-6)


@pytest.mark.parametrize("names", [["second", "second.2"], ["second.2", "second"], ["second.0", "second"]])
def test_one_layer_inside_another(names):
    net, batch = seeded(PooledNet), images()
    found = LayerCAM(net, names)(batch)
    for name, low in zip(names, found.low, strict=True):
        torch.testing.assert_close(low, LayerCAM(net, name)(batch).low, rtol=0, atol=1e-6)


def test_a_layer_that_does_not_run_is_named():
    class Idle(FlatNet):
        def __init__(self):
            super().__init__()
            self.idle = nn.Conv2d(3, 3, 3)

    with pytest.raises(SaliencyError, match=r"layer 'idle' \(Conv2d\) gave no tensor in the forward pass"):
        XGradCAM(seeded(Idle), "idle")(images())


def test_a_layer_beside_the_way_to_the_scores_is_named():
    class Beside(FlatNet):
        def __init__(self):
            super().__init__()
            self.beside = nn.Conv2d(3, 3, 3)

        def forward(self, x):
            self.beside(x)
            return super().forward(x)

    with pytest.raises(SaliencyError, match="layer 'beside' does not influence the scores"):
        XGradCAM(seeded(Beside), "beside")(images())


def test_two_threads_that_share_a_net_get_their_own_maps():
    net = seeded(FlatNet).train()
    batches = [images(2, seed=seed) for seed in range(2)]
    expected = [XGradCAM(net, "features.5")(batch).maps for batch in batches]
    wrong, start = [], threading.Barrier(2)

    def work(index):
        explain = XGradCAM(net, "features.5")
        start.wait()
        maps = [explain(batches[index]).maps for _ in range(100)]
        wrong.extend(one for one in maps if not torch.equal(one, expected[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(module.training for module in net.modules())
