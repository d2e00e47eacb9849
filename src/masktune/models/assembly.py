"""A net by name with its weights in it: built to fit the file, at the size that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from masktune.errors import InputError
from masktune.models import hugging_face
from masktune.models.heads import AUXILIARY, Head, find_head, fresh_head, is_timm
from masktune.models.named import NamedNet, build_net, first_convolution, torchvision_models
from masktune.models.specs import InputOverrides, config_of, spec_of
from masktune.models.weight_files import WeightFile, fit, matched, read_weight_file
from masktune.seeds import generator, seeded
from masktune.types import InputSpec


@final
@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A net with its weights, before its head is fitted to the data."""

    named: NamedNet
    """The net and what is known of it."""
    spec: InputSpec
    """What it wants as input, with what the user changed."""
    head: Head
    """Its head, as it is."""
    weight_file: WeightFile | None
    """Where its weights come from."""
    notes: tuple[str, ...]
    """What a person should know."""

    @property
    def headless(self) -> bool:
        """The net gives features: timm's self-supervised models have no head."""
        return is_timm(self.named.net) and not self.head.paths


def assemble(
    name: str,
    *,
    weights: Path | None,
    classes: int | None,
    overrides: InputOverrides,
    seed: int,
    allow_download: bool,
    random_ok: bool,
) -> Assembled:
    """Build, load and look at the head; arguments and errors as `load_classifier`'s.

    `classes` is used for random weights only: a file decides how many logits its net has.
    """
    file = None if weights is None else read_weight_file(weights)

    def build(count: int | None, channels: int | None) -> NamedNet:
        with seeded(seed, torch.device("cpu")):
            return build_net(
                name,
                count,
                channels=channels,
                own_weights=weights is None,
                allow_download=allow_download,
            )

    has_own = weights is not None or allow_download
    named = build(classes if random_ok and not has_own else None, overrides.channels)
    _check_trained(named, file, random_ok)
    notes = _left_out(named)
    if file is not None:
        named, file, notes = _loaded(named, file, build, overrides)
    elif named.scheme == "function" and not random_ok:
        notes = (*notes, f"no --weights are given, so the net has those that {named} gives it")
    elif named.scheme == "hf":
        file = _own_file(named)
    spec, told = spec_of(named, weights)
    told = () if named.scheme == "function" and overrides.are_complete else told
    spec = overrides.applied_to(spec)
    notes = (*notes, *told, *_sized(named.net, spec.size))
    return Assembled(named, spec, find_head(named.net, trial_inputs(spec)), file, notes)


def trial_inputs(spec: InputSpec) -> Tensor:
    """Two images of noise as the net takes them, to see what comes out."""
    shape = (2, spec.channels, *spec.size)
    return torch.randn(shape, generator=generator("trial inputs"))


def _check_trained(named: NamedNet, file: WeightFile | None, random_ok: bool) -> None:
    if named.trained or file is not None or random_ok:
        return
    raise InputError(
        f"{named} comes without weights; pass --weights FILE, or --allow-download to fetch the library's own"
    )


def _loaded(
    named: NamedNet,
    file: WeightFile,
    build: Callable[[int | None, int | None], NamedNet],
    overrides: InputOverrides,
) -> tuple[NamedNet, WeightFile, tuple[str, ...]]:
    """Build the net again where the file has other numbers of logits or channels, then load it."""
    rows, channels = _numbers_in(named, file, overrides)
    told: tuple[str, ...] = ()
    if named.scheme != "function" and (rows is not None or channels is not None):
        named = build(rows, channels or overrides.channels)
    elif rows is not None:
        head = find_head(named.net, trial_inputs(_first_spec(named, overrides)))
        fresh_head(named.net, head, rows, seed=0)  # The file's weights come into it at once.
        told = (
            f"{named} has {head.logits} logits and the weights have {rows}: its head was made to fit them",
        )
        named = replace(named, classes=None)
    _match_auxiliary(named.net, file)
    try:
        found = fit(named.net, file, named.names)
    except InputError:
        # The weights may be those of the size that is asked for.
        if overrides.size is None or not _sized(named.net, overrides.size):
            raise
        found = fit(named.net, file, named.names)
    return named, found, (*told, *found.notes, *_transform_input(named, file))


def _numbers_in(
    named: NamedNet, file: WeightFile, overrides: InputOverrides
) -> tuple[int | None, int | None]:
    """Logits and channels in the file where they are not the net's; 0 logits for a file without a head."""
    weights = matched(named.net, file, named.names).of_net()
    own = named.net.state_dict()
    channels = None
    if (first := first_convolution(named.net)) is not None:
        kernel = weights.get(f"{first[0]}.weight")
        if kernel is not None and kernel.ndim == 4 and kernel.shape[1] != first[1].in_channels:
            channels = int(kernel.shape[1])
    paths = _head_paths(named, overrides)
    if not paths or not weights:
        return None, channels
    name = f"{paths[0]}.weight"
    if name not in weights:  # Self-supervised weights are the body only.
        body_fits = sum(key in weights for key in own) > len(own) / 2
        return (0 if is_timm(named.net) and body_fits else None), channels
    return (None if name in own and own[name].shape == weights[name].shape else len(weights[name])), channels


def _head_paths(named: NamedNet, overrides: InputOverrides) -> tuple[str, ...]:
    if is_timm(named.net):
        paths = config_of(named.net).get("classifier") or ()
        return (paths,) if isinstance(paths, str) else tuple(paths)
    return find_head(named.net, trial_inputs(_first_spec(named, overrides))).paths


def _first_spec(named: NamedNet, overrides: InputOverrides) -> InputSpec:
    """What the net wants before anything is changed; of a function's net only the user may know the size."""
    spec, _ = spec_of(named)
    return overrides.applied_to(spec) if named.scheme == "function" else spec


def _match_auxiliary(net: nn.Module, file: WeightFile) -> None:
    """Take off the auxiliary heads of torchvision's Inception and GoogLeNet where the file has none."""
    keys = matched(net, file).of_net()
    for name in AUXILIARY:
        if isinstance(getattr(net, name, None), nn.Module) and not any(
            key.startswith(f"{name}.") for key in keys
        ):
            setattr(net, name, None)
            vars(net)["aux_logits"] = False


def _transform_input(named: NamedNet, file: WeightFile) -> tuple[str, ...]:
    """Inception and GoogLeNet of torchvision scale their input once more, if they are its pretrained ones."""
    if named.scheme != "torchvision" or not hasattr(named.net, "transform_input"):
        return ()
    entries: Any = torchvision_models(str(named)).get_model_weights(named.name)
    if any(entry.url.endswith(f"/{file.path.name}") for entry in entries):
        vars(named.net)["transform_input"] = True
        return ()
    note = (
        f"built with transform_input=False; weights tuned from torchvision's pretrained {named.name} want "
        "transform_input=True: build it in a function of your own then"
    )
    return (note,)


def _left_out(named: NamedNet) -> tuple[str, ...]:
    if not named.unexpected:
        return ()
    first = named.unexpected[0]
    return (f"{len(named.unexpected)} keys that are no classifier's left out (first: {first})",)


def _own_file(named: NamedNet) -> WeightFile | None:
    """The file that a model of Hugging Face took its weights from, so that they can be written back."""
    path = hugging_face.weight_file_in(named.name)
    if path is None:
        return None
    file = matched(named.net, read_weight_file(path), named.names)
    complete = set(file.of_net()) >= set(named.net.state_dict()) - set(named.missing)
    return file if complete else None


def _sized(net: nn.Module, size: tuple[int, int]) -> tuple[str, ...]:
    """Bring a net of timm with position embeddings to another size, in place, and say so."""
    config = config_of(net)
    resize = getattr(net, "set_input_size", None)
    if not callable(resize) or not config.get("fixed_input_size"):
        return ()
    before = getattr(getattr(net, "patch_embed", None), "img_size", None) or config["input_size"][1:]
    if tuple(before) == size:
        return ()
    try:
        resize(img_size=size)
    except (AssertionError, ValueError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{type(net).__name__} cannot be brought to {size[0]}x{size[1]} pixels: {first}"
        ) from error
    return (f"position embeddings resized from {before[0]}x{before[1]} to {size[0]}x{size[1]} pixels",)
