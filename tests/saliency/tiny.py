"""Small nets for the tests of this room; `golden_net` is also what the golden maps were made with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from masktune.saliency import Layout, SafeCAM, find_layer


def seeded(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A net in eval mode with reproducible weights and BatchNorm statistics that do something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def images(count: int = 4, size: tuple[int, int] = (12, 20), channels: int = 3, seed: int = 1) -> Tensor:
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(seed))


class PooledNet(nn.Module):
    """Convolutions, global average pooling, a linear head: every method has a closed form at `second`."""

    def __init__(self, classes: int = 3, inplace: bool = False) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(inplace))
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Sequential(nn.Conv2d(5, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace))
        self.head = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.pool(self.first(x))).mean((2, 3)))


class FlatNet(nn.Module):
    """As the paper's small CNN: a pool, flattening, and an MLP with BatchNorm behind the last ReLU."""

    def __init__(self, classes: int = 3, inplace: bool = False, size: tuple[int, int] = (12, 20)) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace),
            nn.Conv2d(5, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace), nn.MaxPool2d(2),
        )  # fmt: skip
        inputs = 6 * ((size[0] - 4) // 2) * ((size[1] - 4) // 2)
        self.head = nn.Sequential(
            nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(inplace), nn.Linear(8, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))


class TokenNet(nn.Module):
    """A vision transformer of one block; `prefix` tokens lead, the head reads the first or the mean."""

    def __init__(self, prefix: int = 1, patch: int = 4, places: int = 6, mean: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.embed = nn.Conv2d(3, 16, patch, patch)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 16))
        self.positions = nn.Parameter(torch.randn(1, places, 16))
        self.norm1 = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2) + self.positions
        x = torch.cat((self.prefix.expand(len(x), -1, -1), x), 1)
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.mlp(self.norm2(x))
        return self.head(x.mean(1) if self.mean else x[:, 0])


@dataclass
class Output:
    """What Hugging Face's models return, in short."""

    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None


GOLDEN = {"pooled": PooledNet, "flat": FlatNet, "inplace": lambda: PooledNet(inplace=True)}
GOLDEN_LAYERS = {
    "pooled": (["second"], ["first"], ["first", "second"]),
    "flat": (["features.5"], ["features.2"], ["features.2", "features.5"]),
    "inplace": (["second.1"], ["second"]),  # A BatchNorm that an in-place ReLU follows.
}


def golden_net(name: str, twin: bool = False) -> nn.Module:
    """A net of the golden files; the twin has no in-place layers and the same weights."""
    net = seeded(GOLDEN[name], seed=sorted(GOLDEN).index(name))
    for module in net.modules():
        if twin and isinstance(module, nn.ReLU):
            module.inplace = False
    return net


def check_zoo(
    net: nn.Module, size: tuple[int, int], path: str, layout: Layout, constant: bool, count: int = 2
) -> None:
    """The layer that is found, and the default maps there, which must say something and be those by hand."""
    batch = images(count, size)
    found = find_layer(net, batch)
    came, expected = (found.path, found.layout, found.constant_gradient), (path, layout, constant)
    assert came == expected, f"expected {expected}, got {came}"
    explain = SafeCAM(net, path)  # Not found anew, to save time.
    maps = explain(batch)
    if maps.empty.all():  # In a net of random weights, nothing may speak even for the predicted class.
        maps = explain(batch, maps.logits.argmin(1))
    assert not maps.empty.all(), "all maps are empty"
    assert maps.layer == path
    assert maps.method == ("LayerCAM" if found.signed and not constant else "XGradCAM")
    assert tuple(maps.low.shape) == (count, *layout.grid)
    assert tuple(maps.maps.shape) == (count, *size)
    by_hand = maps_by_hand(net, path, layout, batch, maps.classes, maps.method)
    torch.testing.assert_close(maps.maps, by_hand, rtol=0, atol=2e-3)


def maps_by_hand(
    net: nn.Module, path: str, layout: Layout, batch: Tensor, classes: Tensor, method: str
) -> Tensor:
    """Maps by an ordinary pass through the whole net, and sums in numpy.

    Where the gradient is constant XGrad-CAM is computed as Grad-CAM, which it equals there.
    """
    kept = []

    def keep(module, args, output):
        output = output[0] if isinstance(output, tuple) else getattr(output, "last_hidden_state", output)
        kept.append(output)

    handle = net.get_submodule(path).register_forward_hook(keep)
    output = net(batch)
    handle.remove()
    score = getattr(output, "logits", output).gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, kept[-1:])
    a, g = (_places(tensor.detach().double().numpy(), layout) for tensor in (kept[-1], gradient))
    if method == "LayerCAM":
        raw = (np.maximum(g, 0) * a).sum(3)
    elif np.ptp(g, axis=(1, 2)).max() <= 1e-6 * np.abs(g).max():
        raw = (g.mean((1, 2), keepdims=True) * a).sum(3)
    else:
        raw = ((g * a).sum((1, 2), keepdims=True) / (a.sum((1, 2), keepdims=True) + 1e-7) * a).sum(3)
    low = _stretched(torch.from_numpy(np.maximum(raw, 0)))
    large = functional.interpolate(low[:, None], batch.shape[2:], mode="bilinear", align_corners=False)
    return _stretched(large[:, 0]).float()


def _places(array: np.ndarray, layout: Layout) -> np.ndarray:
    """Any layout as (b, h, w, k)."""
    if layout.kind == "channels_last":
        return array
    if layout.kind == "channels_first":
        return np.moveaxis(array, 1, 3)
    tokens = array if layout.kind == "tokens" else np.swapaxes(array, 0, 1)
    rows, columns = layout.grid
    return np.stack([tokens[:, layout.prefix + row * columns :][:, :columns] for row in range(rows)], axis=1)


def _stretched(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low + 1e-7)
