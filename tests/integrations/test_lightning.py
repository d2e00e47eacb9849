"""The Lightning callback, in Lightning's own loop."""

import copy
from collections import namedtuple
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*log_every_n_steps"),
    pytest.mark.filterwarnings("ignore:.*ModelSummary"),
]

import lightning.pytorch as pl  # noqa: E402

from integrations import import_without, pictures, same, tiny_net  # noqa: E402
from masktune import LayerCAM, Masker, MeanPlusStd, XGradCAM  # noqa: E402
from masktune.errors import InputError, MasktuneWarning, MissingExtra  # noqa: E402
from masktune.integrations.lightning import MaskBatches, masked_batch  # noqa: E402

THRESHOLD = MeanPlusStd(1.0)


class Module(pl.LightningModule):
    """Somebody's module; it keeps the batches that it was trained and validated on."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.net = tiny_net(dropout)
        self.trained, self.validated = [], []
        self.modes = []

    def forward(self, images):
        return self.net(images)

    def images_of(self, batch):
        return batch["image"] if isinstance(batch, dict) else batch[0]

    def labels_of(self, batch):
        return batch["label"] if isinstance(batch, dict) else batch[1]

    def training_step(self, batch, batch_idx):
        self.trained.append(self.images_of(batch).clone())
        self.modes.append(all(module.training for module in self.modules()))
        return cross_entropy(self(self.images_of(batch)), self.labels_of(batch))

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.images_of(batch).clone())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def trainer(folder, *callbacks, epochs=1, library=pl, **changed):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    return library.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **quiet | {"enable_checkpointing": False} | changed,
    )


def loader(batch_size=4):
    return DataLoader(TensorDataset(*pictures()), batch_size=batch_size)


def as_they_are(*batches):
    """A loader of these very objects."""
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)


def expected(net, images=None, **options):
    """The masked batches of one epoch, by a masker of that net."""
    masker = Masker(net, threshold=THRESHOLD, **options)
    return [masker(part) for part in (pictures()[0] if images is None else images).split(4)]


def test_each_epoch_trains_on_what_the_start_weights_look_at(tmp_path):
    module = Module()
    start = copy.deepcopy(module.net)
    callback = MaskBatches(threshold=THRESHOLD)
    trainer(tmp_path, callback, epochs=2).fit(module, loader())
    wanted = expected(start)
    assert not torch.equal(torch.cat(wanted), pictures()[0])
    torch.testing.assert_close(module.trained, wanted * 2, rtol=0, atol=0)
    assert not same(start.state_dict(), module.net.state_dict())  # It was trained; the masks were not.
    assert callback.masker.statistics.n == 16


def test_the_module_stays_in_training_mode_with_gradients_accumulated_in_bfloat16(tmp_path):
    module = Module(dropout=0.5)
    start = copy.deepcopy(module.net)
    fitted = trainer(
        tmp_path, MaskBatches(threshold=THRESHOLD), precision="bf16-mixed", accumulate_grad_batches=2
    )
    fitted.fit(module, loader(batch_size=2))
    assert module.modes == [True] * 4
    assert fitted.global_step == 2
    wanted = torch.cat(expected(start))  # Dropout and autocast have no part in the masks.
    assert torch.equal(torch.cat(module.trained), wanted)


def test_validation_and_test_see_their_own_images(tmp_path):
    module = Module()
    module.test_step = module.validation_step
    fitted = trainer(tmp_path, MaskBatches(threshold=THRESHOLD), epochs=2)
    fitted.fit(module, loader(), loader())
    fitted.validate(module, loader(), verbose=False)
    # Two before the first epoch, to see that it works; two an epoch; two of validate.
    torch.testing.assert_close(module.validated, list(pictures()[0].split(4)) * 4, rtol=0, atol=0)


def test_from_epoch_takes_the_weights_of_that_epochs_beginning(tmp_path):
    module = Module()
    kept = []

    class Keep(pl.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            kept.append(copy.deepcopy(pl_module.net))

    callback = MaskBatches(from_epoch=1, threshold=THRESHOLD)
    trainer(tmp_path, callback, Keep(), epochs=3).fit(module, loader())
    wanted = expected(kept[1])
    torch.testing.assert_close(module.trained[:2], list(pictures()[0].split(4)), rtol=0, atol=0)
    torch.testing.assert_close(module.trained[2:], wanted * 2, rtol=0, atol=0)
    assert not torch.equal(torch.cat(expected(kept[0])), torch.cat(wanted))


def test_masks_come_after_the_users_own_augmentation(tmp_path):
    class Flips(Module):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            return batch[0].flip(3), batch[1]

    module = Flips()
    start = copy.deepcopy(module.net)
    trainer(tmp_path, MaskBatches(threshold=THRESHOLD)).fit(module, loader())
    torch.testing.assert_close(module.trained, expected(start, pictures()[0].flip(3)), rtol=0, atol=0)


def test_a_batch_that_the_loader_keeps_is_not_written_into(tmp_path):
    images, labels = pictures()
    kept = {"image": images, "label": labels}
    before = images.clone()
    module = Module()
    trainer(tmp_path, MaskBatches(threshold=THRESHOLD), epochs=2).fit(module, as_they_are(kept))
    assert torch.equal(kept["image"], before)
    assert torch.equal(module.trained[0], module.trained[1])  # Not masks of masked images.
    assert not torch.equal(module.trained[0], before)


def checkpointed(folder, epochs, callback, resume=None):
    """Train to `epochs`, from a checkpoint or from the start; gives the weights and a checkpoint."""
    module = Module()
    fitted = trainer(folder, callback, epochs=epochs, enable_checkpointing=True)
    fitted.fit(module, loader(), ckpt_path=resume)
    fitted.save_checkpoint(path := folder / f"{epochs}.ckpt")
    return module.state_dict(), path


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    def masks():
        return MaskBatches(threshold=THRESHOLD)

    whole, _ = checkpointed(tmp_path / "whole", 3, masks())
    _, first = checkpointed(tmp_path / "parts", 1, masks())
    second = masks()
    resumed, _ = checkpointed(tmp_path / "parts", 3, second, resume=first)
    assert same(whole, resumed)
    assert second.masker.statistics.n == 24  # Those before the break are counted.

    forgotten = torch.load(first, weights_only=True)
    forgotten["callbacks"] = {}
    torch.save(forgotten, tmp_path / "forgotten.ckpt")
    other, _ = checkpointed(tmp_path / "other", 3, masks(), resume=tmp_path / "forgotten.ckpt")
    assert not same(whole, other)  # So the frozen weights matter.


def test_the_checkpoint_of_the_module_has_its_own_keys_only(tmp_path):
    _, path = checkpointed(tmp_path, 1, MaskBatches(threshold=THRESHOLD))
    saved = torch.load(path, weights_only=True)
    assert saved["state_dict"].keys() == Module().state_dict().keys()
    start = saved["callbacks"]["MaskBatches"]["weights"]
    assert same(dict(start), dict(Module().state_dict()))
    assert Module.load_from_checkpoint(path, weights_only=True).net[0].weight.shape == (6, 3, 3, 3)


def test_a_second_fit_takes_its_own_copy(tmp_path):
    module, callback = Module(), MaskBatches(threshold=THRESHOLD)
    trainer(tmp_path, callback).fit(module, loader())
    between = copy.deepcopy(module.net)
    module.trained.clear()
    trainer(tmp_path, callback).fit(module, loader())
    torch.testing.assert_close(module.trained, expected(between), rtol=0, atol=0)
    assert callback.masker.statistics.n == 8


def test_what_is_hidden_is_logged(tmp_path):
    module, callback = Module(), MaskBatches(threshold=THRESHOLD)
    start = copy.deepcopy(module.net)
    fitted = trainer(tmp_path, callback)
    fitted.fit(module, loader(batch_size=5))  # Batches of 5 and 3: their mean is weighted.
    masker = Masker(start, threshold=THRESHOLD)
    share = masker.hidden(pictures()[0]).float().mean().item()
    assert 0.01 < share < 0.5
    assert fitted.logged_metrics["masktune/hidden_share"].item() == pytest.approx(share)
    assert callback.masker.statistics.hidden_share == pytest.approx(share)


def test_a_submodule_and_an_explainer_are_chosen_by_name(tmp_path):
    module = Module()
    start = copy.deepcopy(module.net)
    callback = MaskBatches(net="net", explainer=partial(LayerCAM, layer="2"), threshold=THRESHOLD)
    trainer(tmp_path, callback).fit(module, loader())
    wanted = expected(start, explainer=LayerCAM(start, layer="2"))
    torch.testing.assert_close(module.trained, wanted, rtol=0, atol=0)


def test_black_is_black_in_normalised_images(tmp_path):
    images, labels = pictures()
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.5])
    normalised = (images - mean[:, None, None]) / std[:, None, None]
    module = Module()
    callback = MaskBatches(mean=mean.tolist(), std=std.tolist(), threshold=THRESHOLD)
    trainer(tmp_path, callback).fit(module, as_they_are((normalised, labels)))
    changed = (module.trained[0] != normalised).any(1)
    assert changed.any()
    black = module.trained[0].permute(0, 2, 3, 1)[changed]
    torch.testing.assert_close(black, torch.tensor([-2.5, -1.6, -0.6]).expand_as(black))


def test_the_strategy_is_left_as_it_was(tmp_path):
    class Breaks(Module):
        def training_step(self, batch, batch_idx):
            raise RuntimeError("broken on purpose")

    for module in (Module(), Breaks()):
        fitted = trainer(tmp_path, MaskBatches(threshold=THRESHOLD))
        try:
            fitted.fit(module, loader())
        except RuntimeError as error:
            assert str(error) == "broken on purpose"  # noqa: PT017 - one of the two breaks.
        assert "batch_to_device" not in vars(fitted.strategy)


def test_it_works_in_the_older_package(tmp_path):
    older = pytest.importorskip("pytorch_lightning")

    class Older(older.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.trained = tiny_net(), []

        def forward(self, images):
            return self.net(images)

        def training_step(self, batch, batch_idx):
            self.trained.append(batch[0].clone())
            return cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module = Older()
    start = copy.deepcopy(module.net)
    trainer(tmp_path, MaskBatches(threshold=THRESHOLD), library=older).fit(module, loader())
    torch.testing.assert_close(module.trained, expected(start), rtol=0, atol=0)


Pair = namedtuple("Pair", "images labels")


@dataclass(frozen=True)
class Sample:
    images: torch.Tensor
    labels: torch.Tensor


IMAGES, LABELS = pictures(4)


@pytest.mark.parametrize(
    ("batch", "keys", "read"),
    [
        (IMAGES, None, lambda batch: batch),
        ((IMAGES, LABELS), None, lambda batch: batch[0]),
        ([IMAGES, LABELS], None, lambda batch: batch[0]),
        ((LABELS, IMAGES), 1, lambda batch: batch[1]),
        ((LABELS, IMAGES), -1, lambda batch: batch[-1]),
        ({"x": IMAGES, "y": LABELS}, None, lambda batch: batch["x"]),
        ({"x": IMAGES, "z": IMAGES, "y": LABELS}, "x", lambda batch: batch["x"]),
        (Pair(IMAGES, LABELS), None, lambda batch: batch.images),
        (Pair(IMAGES, LABELS), "images", lambda batch: batch.images),
        (Sample(IMAGES, LABELS), "images", lambda batch: batch.images),
        (
            Sample(IMAGES, LABELS),
            lambda batch, masker: replace(batch, images=masker(batch.images)),
            lambda batch: batch.images,
        ),
    ],
)
def test_batches_of_all_shapes(batch, keys, read):
    masker = Masker(tiny_net(), threshold=THRESHOLD)
    before = IMAGES.clone()
    changed = masked_batch(batch, keys, masker)
    assert type(changed) is type(batch)
    assert torch.equal(read(changed), masker(IMAGES))
    assert torch.equal(read(batch), before)


def test_two_views_are_masked_each_for_itself():
    masker = Masker(tiny_net(), threshold=THRESHOLD)
    batch = {"one": IMAGES, "two": IMAGES.flip(3), "plain": IMAGES}
    changed = masked_batch(batch, ["one", "two"], masker)
    assert torch.equal(changed["one"], masker(IMAGES))
    assert torch.equal(changed["two"], masker(IMAGES.flip(3)))
    assert changed["plain"] is IMAGES


@pytest.mark.parametrize(
    ("batch", "keys", "message"),
    [
        ({"x": IMAGES, "z": IMAGES}, None, "got 2 among a dict with 'x', 'z'; name it, as in keys='image'"),
        ({"y": LABELS}, None, "got 0 among a dict with 'y'"),
        ({"x": IMAGES}, "image", "expected images at 'image' of the batch, got a dict with 'x'"),
        ((IMAGES, LABELS), 2, "expected images at 2 of the batch, got a tuple of 2"),
        ((IMAGES, LABELS), "image", "expected images at 'image' of the batch, got a tuple of 2"),
    ],
)
def test_batches_without_images_are_refused(batch, keys, message):
    with pytest.raises(InputError, match=message):
        masked_batch(batch, keys, Masker(tiny_net()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"from_epoch": -1}, "expected from_epoch of at least 0, got -1"),
        ({"mean": (0.5,)}, "expected mean and std together"),
        ({"fill": "blak"}, "got 'blak'.*did you mean 'black'"),
        ({"explainer": XGradCAM(tiny_net())}, "of another net; pass explainer=XGradCAM"),
    ],
)
def test_options_are_refused_at_once(options, message):
    with pytest.raises(InputError, match=message):
        MaskBatches(**options)


def test_training_that_ends_before_masking_begins_is_warned_of(tmp_path):
    with pytest.warns(MasktuneWarning, match="begins with epoch 2, .* ended after 2; .* from_epoch=1$"):
        trainer(tmp_path, MaskBatches(from_epoch=2), epochs=2).fit(Module(), loader())


def test_a_wrong_name_of_the_net_is_said(tmp_path):
    with pytest.raises(InputError, match=r"submodule of Module, got 'nett' \(did you mean 'net'"):
        trainer(tmp_path, MaskBatches(net="nett")).fit(Module(), loader())


def test_sharded_nets_are_refused():
    class FSDPStrategy:
        """Lightning's own needs GPUs."""

    with pytest.raises(InputError, match="keeps the whole net in each process, got FSDPStrategy"):
        MaskBatches().on_train_start(SimpleNamespace(strategy=FSDPStrategy()), Module())


def test_a_step_that_fetches_its_own_batches_is_warned_of(tmp_path):
    class Fetches(Module):
        def training_step(self, dataloader_iter):
            batch, _, _ = next(dataloader_iter)
            return super().training_step(batch, 0)

    with pytest.warns(MasktuneWarning, match="no batch was masked"):
        trainer(tmp_path, MaskBatches()).fit(Fetches(), loader())


def test_without_lightning_the_line_to_type_is_said(monkeypatch):
    with pytest.raises(MissingExtra, match=r"^MaskBatches needs lightning; type: pip install lightning$"):
        import_without(
            monkeypatch, "masktune.integrations.lightning", "lightning.pytorch", "pytorch_lightning"
        )
