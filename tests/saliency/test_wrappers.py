"""Nets in wrappers: compiled, data-parallel, and those that prepare their images."""

import pytest
import torch
from torch import distributed, nn

from masktune.errors import InputError
from masktune.saliency import RandomMap, XGradCAM, find_layer

from .tiny import FlatNet, images, seeded


class Prepares(nn.Module):
    """What masktune's Classifier is to this room."""

    def __init__(self, net, mean=0.5):
        super().__init__()
        self.net, self.mean = net, mean

    def to_net_input(self, images):
        return (images.float() / 255 if images.dtype == torch.uint8 else images) - self.mean

    def forward(self, images):
        return self.net(self.to_net_input(images))


def expected(batch, layer="features.5"):
    return XGradCAM(seeded(FlatNet), layer)(batch).maps


@pytest.mark.parametrize("layer", ["features.5", None])
def test_a_compiled_net_is_looked_into(layer):
    compiled = torch.compile(seeded(FlatNet), backend="eager")
    with torch.no_grad():
        compiled(images())  # Hooks that come after this call would not fire.
    found = XGradCAM(compiled, layer)(images())
    assert found.layer == "features.5"
    assert torch.equal(found.maps, expected(images()))


def test_a_net_compiled_in_place_is_looked_into():
    net = seeded(FlatNet)
    net.compile(backend="eager")
    explain = XGradCAM(net, "features.5")
    for seed in range(3):
        with torch.no_grad():
            net(images(seed=seed))
        assert torch.equal(explain(images(seed=seed)).maps, expected(images(seed=seed)))
    assert net._compiled_call_impl is not None


@pytest.mark.parametrize("layer", ["features._orig_mod.5", "features._orig_mod.2"])
def test_compiled_parts_are_looked_into_and_stay_as_compiled(layer):
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    net = seeded(FlatNet)
    net.features = torch.compile(net.features, backend=backend)
    net.head.compile(backend=backend)
    with torch.no_grad():
        net(images())
    before = net.features.forward, net.head._compiled_call_impl, len(graphs)
    assert torch.equal(
        XGradCAM(net, layer)(images()).maps, expected(images(), layer.replace("_orig_mod.", ""))
    )
    assert XGradCAM(net)(images()).layer == "features._orig_mod.5"
    # Nothing was compiled anew for our hooks.
    assert (net.features.forward, net.head._compiled_call_impl, len(graphs)) == before
    assert before[2] == 2


def test_data_parallel_nets_are_looked_into():
    assert torch.equal(
        XGradCAM(nn.DataParallel(seeded(FlatNet)), "features.5")(images()).maps, expected(images())
    )


def test_distributed_nets_are_looked_into(tmp_path):
    distributed.init_process_group("gloo", f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(seeded(FlatNet))
        maps = XGradCAM(wrapped, "features.5")(images()).maps
    finally:
        distributed.destroy_process_group()
    assert torch.equal(maps, expected(images()))


def test_a_net_that_prepares_its_images_takes_pixels():
    found = XGradCAM(Prepares(seeded(FlatNet)), "features.5")(images())
    assert torch.equal(found.maps, expected(images() - 0.5))


def test_bytes_are_pixels_where_the_net_prepares_them():
    pixels = (images() * 255).to(torch.uint8)
    found = XGradCAM(Prepares(seeded(FlatNet)))(pixels)
    assert torch.equal(found.maps, expected(pixels.float() / 255 - 0.5))
    assert found.size == (12, 20)


def test_wrappers_are_peeled_from_outside_in():
    # Each takes its own mean off: 0.5, then 0.25.
    nested = Prepares(nn.DataParallel(Prepares(torch.compile(seeded(FlatNet), backend="eager"), 0.25)))
    found = XGradCAM(nested)(images())
    assert found.layer == "features.5"
    torch.testing.assert_close(found.maps, expected(images() - 0.75), rtol=0, atol=1e-4)
    assert find_layer(nested, images()).path == "features.5"


def test_a_plain_net_refuses_bytes():
    with pytest.raises(InputError, match="got uint8; divide uint8 by 255, or wrap the net in Classifier"):
        XGradCAM(seeded(FlatNet))((images() * 255).to(torch.uint8))


def test_a_wrapped_net_and_its_inside_get_the_same_random_map():
    net, batch = seeded(FlatNet), images()
    assert torch.equal(RandomMap(Prepares(net, 0.0))(batch).maps, RandomMap(net)(batch).maps)
