"""MaskTune in Lightning: four epochs as ever, then one on masked batches, in a module of your own.

python examples/05_mask_in_lightning.py
"""
# ruff: noqa: D101, D102 - the library says what its hooks are for.

import logging
import warnings

import lightning.pytorch as pl
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from masktune import BiasedDigits
from masktune.integrations.lightning import MaskBatches
from masktune.models import SmallCNN

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="lightning")
torch.set_num_threads(1)
pl.seed_everything(0, verbose=False)


class Digits(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = SmallCNN()

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return cross_entropy(self(images), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)

    def accuracy(self, data):
        self.eval()
        with torch.no_grad():
            return (self(data.images.float() / 255).argmax(1).numpy() == data.labels).mean()


class Before(pl.Callback):
    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == masks.from_epoch:
            print(f"where the shortcut lies: {module.accuracy(conflicting):.1%} before, ", end="")
            module.train()


train, conflicting = BiasedDigits("train"), BiasedDigits("conflicting")
batches = DataLoader(
    TensorDataset(train.images.float() / 255, torch.as_tensor(train.labels)),
    batch_size=16,
    shuffle=True,
    drop_last=True,
)
masks = MaskBatches(from_epoch=4)  # The weights at the beginning of epoch 4 make the masks.
module = Digits()
trainer = pl.Trainer(
    max_epochs=5,
    accelerator="cpu",
    callbacks=[Before(), masks],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(module, batches)
print(f"{module.accuracy(conflicting):.1%} after one epoch on masked images")
print(f"hidden: {masks.masker.statistics.hidden_share:.1%} of an image")
