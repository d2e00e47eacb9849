"""Files of weights as people bring them: inside a checkpoint, under a prefix; written back the same way."""

from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import torch
from safetensors.torch import save
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.files import complete_file
from masktune.models.unpack import Format, unpack
from masktune.models.weights import Weights, load_weights

# In the order in which timm looks, then what training scripts and libraries call it.
_CONTAINERS = (
    *("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict", "net", "network"),
    *("module", "weights", "params", "ema", "checkpoint"),
)
_COUNTER = "num_batches_tracked"


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightFile:
    """The weights of a file, and how they lay in it."""

    path: Path
    """Where they were read."""
    format: Format
    """"safetensors", or "torch" for a file of torch.save."""
    container: tuple[str, ...]
    """The keys behind which the weights lie, such as ("state_dict",); empty for a bare state dict."""
    prefix: str
    """What stands before each key of the net, such as "module."; empty until a net is known."""
    weights: Weights
    """All tensors of the container under the keys of the file, those of other parts included."""
    notes: tuple[str, ...] = ()
    """What a person should know: which part was taken, what was left out."""
    content: Mapping[Any, Any] = field(default_factory=dict, repr=False)
    """Everything in the file."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The text that a safetensors file carries beside the weights."""
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The file's names of the net's keys where they differ, as they do for some nets of Hugging Face."""

    def of_net(self) -> Weights:
        """The weights under the prefix, without it, by the names that the net has for them."""
        renamed = {theirs: ours for ours, theirs in self.names.items()}
        under = {
            name.removeprefix(self.prefix): value
            for name, value in self.weights.items()
            if name.startswith(self.prefix)
        }
        return {renamed.get(name, name): value for name, value in under.items()}

    def write(self, weights: Weights, path: Path) -> None:
        """Write weights of the same net as they came: format, container, prefix; all else is kept.

        Raises:
            StorageError: full disk, no permission.
        """
        tuned = {
            self.prefix + self.names.get(name, name): value.detach().cpu().contiguous()
            for name, value in weights.items()
        }
        with complete_file(path) as part:
            if self.format == "safetensors":
                part.write_bytes(save({**self.weights, **tuned}, dict(self.metadata) or None))
            else:
                torch.save(_replaced(self.content, self.container, tuned), part)


def read_weight_file(path: Path) -> WeightFile:
    """Read weights from safetensors, a state dict, or a checkpoint of Lightning, timm or Hugging Face.

    Raises:
        DataNotFound: no such file.
        DataDamaged: it is empty, truncated, or no file of weights.
        InputError: it holds code, or no weights.
    """
    kind, content, metadata = unpack(path)
    container, found = _walk(content)
    weights = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    if not weights:
        held = ", ".join(map(str, list(content)[:5])) or "nothing"
        raise InputError(f"expected weights in {path}, got a file that holds {held}")
    notes = (f"weights taken from {'.'.join(container)} of {path.name}",) if container else ()
    return WeightFile(path, kind, container, "", weights, notes, content, metadata)


def matched(net: nn.Module, file: WeightFile, names: Mapping[str, str] | None = None) -> WeightFile:
    """The file with the prefix under which most keys of the net are found, and notes on what that leaves out.

    Nothing is loaded, and nothing need fit. `names` are other names of the net's keys that files may have.
    """
    own = list(net.state_dict())
    plain, renamed = (_prefixes(file.weights, keys) for keys in (own, list((names or {}).values())))
    used = dict(names) if names and renamed[1] > plain[1] else {}
    (prefix, *others), count = renamed if used else plain
    notes = [f"keys without their prefix {prefix!r}"] if prefix else []
    if others and count == len(own):
        notes.append(f"the whole net is also found under {others[0]!r}: not used")
    left = [name for name in file.weights if not name.startswith(prefix)]
    if left:
        notes.append(f"{len(left)} keys of other parts left out (first: {left[0]})")
    return replace(file, prefix=prefix, names=used, notes=(*file.notes, *notes))


def fit(net: nn.Module, file: WeightFile, names: Mapping[str, str] | None = None) -> WeightFile:
    """Load a file into a net; every key of the net must be there, and none be left over beside them.

    Old files lack the counters of batch normalisation, which nothing reads: they alone may be missing.

    Returns:
        The file with its prefix, and notes on what was left out.

    Raises:
        InputError: keys are missing, left over or of another shape; the first of each is named.
    """
    found = matched(net, file, names)
    weights = found.of_net()
    own = net.state_dict()
    counters = {name: own[name] for name in own if name.endswith(_COUNTER) and name not in weights}
    try:
        load_weights(net, weights | counters)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error
    return found


def _walk(content: Mapping[Any, Any]) -> tuple[tuple[str, ...], Mapping[Any, Any]]:
    """The keys that lead to the weights, and the mapping that holds them."""
    known = [key for key in _CONTAINERS if _holds_weights(content.get(key))]
    if not known and not any(isinstance(value, Tensor) for value in content.values()):
        known = [key for key, value in content.items() if "optim" not in str(key) and _holds_weights(value)]
    if not known:
        return (), content  # A bare state dict; what else it holds (a step, say) stays where it is.
    container, weights = _walk(content[known[0]])
    return (known[0], *container), weights


def _holds_weights(value: object) -> bool:
    """Whether it is a state dict, or holds one further down."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    return any(isinstance(one, Tensor) for one in value.values()) or any(
        _holds_weights(value.get(key)) for key in _CONTAINERS
    )


def _prefixes(weights: Weights, keys: list[str]) -> tuple[list[str], int]:
    """The prefixes under which most of these keys lie, the shortest first, and how many do."""
    own, counts = set(keys), Counter({"": 0})
    for name in weights:
        parts = name.split(".")
        for place in range(len(parts)):
            if ".".join(parts[place:]) in own:
                counts["".join(f"{part}." for part in parts[:place])] += 1
    most = max(counts.values())
    best = [prefix for prefix, count in counts.items() if count == most]
    return sorted(best, key=lambda prefix: (len(prefix), prefix)), most


def _replaced(content: Any, container: tuple[str, ...], tuned: Mapping[str, Any]) -> Any:
    """The content with the tuned weights in their place; what is not on the way to them is not touched."""
    changed = copy(content)  # Of its own type, with the versions of modules that torch hangs on a state dict.
    if container:
        first, *rest = container
        tuned = {first: _replaced(content[first], tuple(rest), tuned)}
    changed.update(tuned)
    return changed
