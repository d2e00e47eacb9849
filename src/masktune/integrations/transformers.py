"""Hugging Face `Trainer`: mask the pixel values of your own training, with your own collator and loss.

A `TrainerCallback` sees no inputs, and a collator runs where the net is not. So a forward hook on the model
replaces the images, in training mode only; it is there from the first masked epoch to the end of training,
and no part of what `save_pretrained` writes.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack, final
from weakref import WeakKeyDictionary

from safetensors import safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from masktune.errors import DataNotFound, InputError, MissingExtra
from masktune.files import complete_file
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
from masktune.models import weights_sha256

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise MissingExtra(
        "MaskPixelValues needs transformers; type: pip install transformers accelerate"
    ) from error

FILE = "masktune.safetensors"
"""In each checkpoint of the Trainer: the weights that make the masks."""

Inputs = tuple[tuple[Any, ...], dict[str, Any]]

# A run that ended with an error had no chance to remove its hook; the next one on that model does.
_INSTALLED: WeakKeyDictionary[nn.Module, RemovableHandle] = WeakKeyDictionary()


@final
class MaskPixelValues(TrainerCallback):
    """Hides in each training batch what the model looked at when masking began.

    The masks come from a frozen copy of the model, taken before the first masked batch. Each checkpoint gets
    its weights as `masktune.safetensors`, so that `resume_from_checkpoint` makes the same masks; the model's
    own files hold nothing of it. Evaluation and prediction are left alone.

    The mean share that is hidden is logged as `masktune/hidden_share` beside the loss. The Trainer tells its
    reporters (TensorBoard, W&B) before the callbacks it is given: to reach those too, leave the callback out
    of `callbacks=[...]` and write `MaskPixelValues(...).add_to(trainer)`.

    Args:
        key: the name under which the model gets its images.
        from_epoch: the first epoch, from 0, whose batches are masked; the copy is taken when it begins.
        resume_from: the checkpoint that is resumed, where it lies outside of the Trainer's `output_dir`.
        options: `explainer`, `threshold`, `fill`, and `mean` and `std` of images that are normalised.
    """

    def __init__(
        self,
        *,
        key: str = "pixel_values",
        from_epoch: int = 0,
        resume_from: str | Path | None = None,
        **options: Unpack[MaskerOptions],
    ) -> None:
        check_options(options, from_epoch)
        self.key = key
        self.from_epoch = from_epoch
        self.resume_from = None if resume_from is None else Path(resume_from)
        self.masker: Masker | None = None
        """Explains the frozen copy; None before the first masked epoch. It counts in `.statistics`."""
        self._options = options
        self._copy: nn.Module | None = None
        self._model: nn.Module | None = None
        self._logged = MaskStatistics()
        self._epoch = 0

    def add_to(self, trainer: Any) -> "MaskPixelValues":
        """Put this callback before the reporters of a Trainer, so that they get what is logged."""
        callbacks = trainer.callback_handler.callbacks
        callbacks[:] = [self, *(one for one in callbacks if one is not self)]
        return self

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Refuse what cannot work; where training resumes, read the weights that make the masks."""
        model = others["model"]
        self.remove()
        _check_arguments(args, model)
        self.masker, self._copy, self._logged = None, None, MaskStatistics()
        done = state.epoch or 0
        self._epoch = int(done)
        if done > self.from_epoch:
            self._resume(model, [self.resume_from, _checkpoint(args, state)], math.ceil(done))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Mask from this epoch on, if it is time."""
        model = others["model"]
        if self._epoch >= self.from_epoch:
            if self.masker is None:
                self._freeze(model)
            self._install(model)
        self._epoch += 1

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Leave the model as it was."""
        self.remove()
        warn_if_unmasked(self.masker, self.from_epoch, self._epoch)

    def on_log(self, args: Any, state: Any, control: Any, *, logs: Any = None, **others: Any) -> None:
        """Add what was hidden since the loss was last logged."""
        if self.masker is None or not logs or "loss" not in logs:
            return
        share = share_between(self._logged, self.masker.statistics)
        self._logged = self.masker.statistics
        if share is not None:
            logs[HIDDEN_SHARE] = share
            state.log_history[-1][HIDDEN_SHARE] = share  # The Trainer's own record was written before.

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Put the frozen weights beside the model's own."""
        model = others["model"]
        folder = _checkpoint(args, state)
        if self.masker is None or self._copy is None or not args.should_save or not folder.is_dir():
            return
        about = {"model": weights_sha256(model), "statistics": json.dumps(asdict(self.masker.statistics))}
        with complete_file(folder / FILE) as part:
            save_model(self._copy, str(part), metadata=about)

    def remove(self) -> None:
        """Leave the model as it was; needed after training was broken off, if the model is used further."""
        if self._model is not None:
            _remove_from(self._model)
            self._model = None

    def _freeze(self, model: nn.Module) -> None:
        _remove_from(model)
        self._copy = _without_autocast(frozen_copy(model))
        self.masker = masker_of(self._copy, self._options)

    def _resume(self, model: nn.Module, folders: list[Path | None], first: int) -> None:
        """Two runs may have a checkpoint of the same number: the one is right whose model is this model."""
        model_hash = weights_sha256(model)
        files = [folder / FILE for folder in folders if folder is not None]
        for file in files:
            about = _about(file)
            if about.get("model") == model_hash:
                self._freeze(model)
                assert self._copy is not None
                assert self.masker is not None
                load_model(self._copy, file)
                self.masker.statistics = self._logged = MaskStatistics(**json.loads(about["statistics"]))
                return
        found = "those of another model; if the Trainer warned of missing keys, it did not load this one"
        raise DataNotFound(
            f"expected the weights that make the masks of the resumed model in {files[0]}, found "
            f"{found if any(file.is_file() for file in files) else 'none'}; pass "
            f"MaskPixelValues(resume_from=CHECKPOINT), or, if that run did not mask, from_epoch={first}"
        )

    def _install(self, model: nn.Module) -> None:
        _remove_from(model)
        self._model = model

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Inputs | None:
            # A deep copy of the model, as for a moving average, has this hook too.
            return self._masked(args, kwargs) if module.training and module is self._model else None

        _INSTALLED[model] = model.register_forward_pre_hook(hook, with_kwargs=True)

    def _masked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Inputs:
        assert self.masker is not None
        if isinstance(kwargs.get(self.key), Tensor):
            return args, kwargs | {self.key: self.masker(kwargs[self.key])}
        if args and isinstance(args[0], Tensor) and args[0].ndim == 4:
            return (self.masker(args[0]), *args[1:]), kwargs
        raise InputError(
            f"expected images under {self.key!r} among the model's inputs, "
            f"got {', '.join(kwargs) or 'none'}; name them with MaskPixelValues(key=...)"
        )


def _remove_from(model: nn.Module) -> None:
    if (handle := _INSTALLED.pop(model, None)) is not None:
        handle.remove()


def _checkpoint(args: Any, state: Any) -> Path:
    """Where the Trainer keeps this step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _about(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    with safe_open(file, framework="pt") as opened:
        return opened.metadata() or {}


def _without_autocast(net: nn.Module) -> nn.Module:
    """Undo what accelerate does to `forward` under mixed precision: maps are computed in float32."""
    if (forward := vars(net).pop("_original_forward", None)) is not None:
        vars(net)["forward"] = forward
    return net


def _check_arguments(args: Any, model: nn.Module) -> None:
    if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
        raise InputError("expected a model that is whole in each process; leave out fsdp and deepspeed")
    if args.n_gpu > 1:
        raise InputError(
            f"expected one GPU a process, got {args.n_gpu}; start with torchrun or set CUDA_VISIBLE_DEVICES"
        )
    if args.torch_compile or model._compiled_call_impl is not None:
        raise InputError(
            "expected a model that is not compiled, for compiled code ignores hooks; leave out torch_compile"
        )
