"""Lightning: mask the training batches of your own module, loader, augmentation and loss.

A callback's hooks see a batch but cannot replace it, and writing into its tensors would change the loader's
own where nothing is moved to another device. So the batch is replaced where Lightning takes it from the
strategy: after the transfer and after `on_after_batch_transfer`, before anybody else gets it.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any, Unpack, final

from torch import Tensor, nn

from masktune.errors import InputError, MasktuneWarning, MissingExtra, near
from masktune.integrations import (
    HIDDEN_SHARE,
    MaskerOptions,
    check_options,
    frozen_copy,
    masker_of,
    share_between,
    warn_if_unmasked,
)
from masktune.masking import Masker, MaskStatistics

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback  # type: ignore[assignment] # The same, under its older name.
    except ImportError as error:
        raise MissingExtra("MaskBatches needs lightning; type: pip install lightning") from error

Key = str | int
Keys = Key | Sequence[Key] | Callable[[Any, Masker], Any] | None
"""Where a batch holds its images.

A number counts the entries of a tuple or list, a name is a key of a dict or a field; several are several
views, each masked for itself. A function gets the batch and the masker and returns the batch to train on.
None takes the first entry of a tuple or list, or the one entry of a dict that is a tensor of four dimensions.
"""

_SHARDED = ("FSDPStrategy", "DeepSpeedStrategy", "ModelParallelStrategy")


@final
class MaskBatches(Callback):
    """Hides in each training batch what the module looked at when masking began.

    The masks come from a frozen copy of the module, taken before the first masked batch. The copy is no part
    of the module or its `state_dict`; it goes into the callback's own state in the checkpoint, so that a run
    that is resumed makes the same masks. Validation, test and prediction are left alone.

    The mean share that is hidden is logged as `masktune/hidden_share`, once an epoch.

    Args:
        keys: where the batch holds its images, see `Keys`.
        net: the dotted name of the submodule that maps images to logits; None for the module's own `forward`.
        from_epoch: the first epoch, from 0, whose batches are masked; the copy is taken when it begins.
        options: `explainer`, `threshold`, `fill`, and `mean` and `std` of images that are normalised.
    """

    def __init__(
        self,
        *,
        keys: Keys = None,
        net: str | None = None,
        from_epoch: int = 0,
        **options: Unpack[MaskerOptions],
    ) -> None:
        super().__init__()
        check_options(options, from_epoch)
        self.keys = keys
        self.net = net
        self.from_epoch = from_epoch
        self.masker: Masker | None = None
        """Explains the frozen copy; None before the first masked batch. It counts in `.statistics`."""
        self._options = options
        self._copy: nn.Module | None = None
        self._resumed: dict[str, Any] | None = None
        self._before = MaskStatistics()
        self._undo: Callable[[], None] | None = None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """A new fit begins with a new copy; where it resumes, the checkpoint is read after this."""
        if stage == "fit":
            self.masker = self._copy = self._resumed = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to replace batches."""
        strategy = type(trainer.strategy).__name__
        if strategy in _SHARDED:
            raise InputError(
                f"expected a strategy that keeps the whole net in each process, got {strategy}; use "
                "strategy='ddp', or train on one device"
            )
        if self._resumed is not None:
            self._freeze(pl_module)
        self._replace_batches(trainer, pl_module)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Log what is hidden in this batch."""
        if self.masker is None:
            return
        now = self.masker.statistics
        share = share_between(self._before, now)
        if share is not None:
            n = now.n - self._before.n
            pl_module.log(HIDDEN_SHARE, share, on_step=False, on_epoch=True, batch_size=n, sync_dist=True)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Say so where nothing was masked."""
        if trainer.current_epoch >= self.from_epoch and self.masker is None:
            warnings.warn(
                "no batch was masked: a training step that takes `dataloader_iter` fetches its batches "
                "itself; take `batch` instead",
                MasktuneWarning,
                stacklevel=2,
            )

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Leave the strategy as it was."""
        self._restore()
        warn_if_unmasked(self.masker, self.from_epoch, trainer.current_epoch)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Leave the strategy as it was."""
        self._restore()

    def state_dict(self) -> dict[str, Any]:
        """The frozen weights and the counts, for the checkpoint; empty before masking began."""
        if self._copy is None or self.masker is None:
            return {}
        return {"weights": self._copy.state_dict(), "statistics": asdict(self.masker.statistics)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the masks of the run that wrote the checkpoint."""
        self._resumed = state_dict or None

    def _freeze(self, module: nn.Module) -> Masker:
        self._copy = frozen_copy(_submodule(module, self.net))
        masker = masker_of(self._copy, self._options)
        if self._resumed is not None:
            self._copy.load_state_dict(self._resumed["weights"])
            masker.statistics = MaskStatistics(**self._resumed["statistics"])
        self.masker = masker
        return masker

    def _replace_batches(self, trainer: Any, module: nn.Module) -> None:
        self._restore()
        strategy, before = trainer.strategy, vars(trainer.strategy).get("batch_to_device")
        move = strategy.batch_to_device

        def move_and_mask(*args: Any, **kwargs: Any) -> Any:
            batch = move(*args, **kwargs)
            masks = trainer.training and trainer.current_epoch >= self.from_epoch
            return self._masked(batch, module) if masks else batch

        def undo() -> None:
            del strategy.batch_to_device
            if before is not None:
                strategy.batch_to_device = before

        strategy.batch_to_device, self._undo = move_and_mask, undo

    def _restore(self) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None

    def _masked(self, batch: Any, module: nn.Module) -> Any:
        masker = self._freeze(module) if self.masker is None else self.masker
        self._before = masker.statistics
        return masked_batch(batch, self.keys, masker)


def masked_batch(batch: Any, keys: Keys, masker: Masker) -> Any:
    """The batch with its images masked; the batch that came is left as it is.

    Raises:
        InputError: there are no images at that place.
    """
    if callable(keys):
        return keys(batch, masker)
    if isinstance(batch, Tensor) and keys is None:
        return masker(batch)
    if keys is None:
        keys = _only_images(batch) if isinstance(batch, Mapping) else 0
    for key in [keys] if isinstance(keys, str | int) else keys:
        batch = _with_masked(batch, key, masker)
    return batch


def _with_masked(batch: Any, key: Key, masker: Masker) -> Any:
    try:
        images = (
            getattr(batch, key) if isinstance(key, str) and not isinstance(batch, Mapping) else batch[key]
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"expected images at {key!r} of the batch, got {_contents(batch)}; say where they are with keys="
        ) from error
    return _with(batch, key, masker(images))


def _with(batch: Any, key: Key, images: Tensor) -> Any:
    """A batch of the same type with another entry at `key`."""
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{str(key): images})
    if isinstance(batch, tuple):
        names = getattr(batch, "_fields", ())
        place = names.index(key) if isinstance(key, str) else range(len(batch))[key]
        entries = (images if i == place else entry for i, entry in enumerate(batch))
        return type(batch)(*entries) if names else tuple(entries)
    changed = batch.copy()
    changed[key] = images
    return changed


def _only_images(batch: Mapping[str, Any]) -> Key:
    found = [key for key, value in batch.items() if isinstance(value, Tensor) and value.ndim == 4]
    if len(found) != 1:
        raise InputError(
            f"expected one entry of the batch with images (batch, channels, height, width), got {len(found)} "
            f"among {_contents(batch)}; name it, as in keys='image'"
        )
    return found[0]


def _contents(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a {type(batch).__name__} with {', '.join(map(repr, batch))}"
    many = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
    return f"a {type(batch).__name__}{many}"


def _submodule(module: nn.Module, name: str | None) -> nn.Module:
    if name is None:
        return module
    try:
        return module.get_submodule(name)
    except AttributeError as error:
        known = [path for path, _ in module.named_modules() if path]
        raise InputError(
            f"expected net as the name of a submodule of {type(module).__name__}, "
            f"got {name!r}{near(name, known)}"
        ) from error
