"""How a layer lays out places: channels first, channels last, or as a row of tokens."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

_MOST_PREFIX_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """Where batch, channels and places are in a layer's output."""

    kind: Literal["channels_first", "channels_last", "tokens", "tokens_first"]
    """(b, k, h, w), (b, h, w, k), (b, n, k) or, as in OpenAI's CLIP, (n, b, k)."""
    grid: tuple[int, int]
    """Height and width of the map."""
    prefix: int = 0
    """Tokens before the places: class, distillation, registers."""

    def to_maps(self, tensor: Tensor) -> Float[Tensor, "b k h w"]:
        """Bring a layer's output, or its gradient, to (b, k, h, w)."""
        if self.kind == "channels_first":
            return tensor
        if self.kind == "channels_last":
            return tensor.permute(0, 3, 1, 2)
        tokens = tensor.transpose(0, 1) if self.kind == "tokens_first" else tensor
        return tokens[:, self.prefix :].transpose(1, 2).reshape(len(tokens), -1, *self.grid)


def find_layout(net: nn.Module, shape: tuple[int, ...], batch: int, size: tuple[int, int]) -> Layout | None:
    """The layout of an output of this shape, for a batch of images of `size`; None where it has no places."""
    if len(shape) == 4 and shape[0] == batch:
        return _four_axes(shape, size)
    if len(shape) == 3 and batch in shape[:2]:
        kind: Literal["tokens", "tokens_first"] = "tokens" if shape[0] == batch else "tokens_first"
        count = shape[1] if kind == "tokens" else shape[0]
        for prefix, grid in _grids(net, count, size):
            if _fits(grid, size):
                return Layout(kind, grid, prefix)
    return None


def _four_axes(shape: tuple[int, ...], size: tuple[int, int]) -> Layout | None:
    """Channels first unless only the other reading fits, or only the other fits to the pixel."""
    first, last = (shape[2], shape[3]), (shape[1], shape[2])
    last_fits = _fits(last, size) and shape[3] > max(last)
    if last_fits and (not _fits(first, size) or (_divides(last, size) and not _divides(first, size))):
        return Layout("channels_last", last)
    return Layout("channels_first", first) if _fits(first, size) else None


def _grids(net: nn.Module, count: int, size: tuple[int, int]) -> list[tuple[int, tuple[int, int]]]:
    """Possible (prefix, grid) of so many tokens, the likeliest first.

    First what the patch embedding says, at any number of leading tokens: whether it drops or pads a rest of
    the image is told by what the net declares, else by the fewest leading tokens. Then what the net declares
    alone; then the fewest leading tokens that leave a grid of square patches.
    """
    grids = []
    height, width = size
    declared = next(
        (p for m in net.modules() if isinstance(p := getattr(m, "num_prefix_tokens", 0), int) and p), 0
    )
    embedding = next((m for m in net.modules() if isinstance(m, nn.Conv2d) and _is_patches(m)), None)
    if embedding is not None:
        down, across = embedding.stride
        both = (height // down, width // across), (-(-height // down), -(-width // across))
        grids += [(count - rows * columns, (rows, columns)) for rows, columns in both]
        grids.sort(key=lambda one: (one[0] < 0, one[0] != declared, one[0]))
    for prefix in (declared, *range(_MOST_PREFIX_TOKENS)):
        rows = round(((count - prefix) * height / width) ** 0.5) if count > prefix else 0
        if (
            rows
            and rows * (columns := (count - prefix) // rows) == count - prefix
            and _divides((rows, columns), size)
        ):
            grids.append((prefix, (rows, columns)))
    return [(prefix, grid) for prefix, grid in grids if 0 <= prefix < _MOST_PREFIX_TOKENS]


def _is_patches(convolution: nn.Conv2d) -> bool:
    return convolution.kernel_size == convolution.stride and convolution.stride[0] > 1


def _fits(grid: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a map of that grid can belong to an image: not larger, and about of its proportions."""
    down, across = size[0] / grid[0], size[1] / grid[1]
    return min(grid) > 1 and min(down, across) >= 1 and 0.5 <= down / across <= 2


def _divides(grid: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether the image is cut into exactly that grid, by squares."""
    return (
        all(s % g == 0 for s, g in zip(size, grid, strict=True)) and size[0] // grid[0] == size[1] // grid[1]
    )
