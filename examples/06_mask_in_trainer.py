"""MaskTune in Hugging Face's Trainer: five epochs, the last one on masked pixel values.

python examples/06_mask_in_trainer.py
"""
# ruff: noqa: D101, D102 - the library says what its hooks are for.

import tempfile

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from masktune import BiasedDigits
from masktune.integrations.transformers import MaskPixelValues
from masktune.models import SmallCNN

torch.set_num_threads(1)
torch.manual_seed(0)


class Model(torch.nn.Module):
    """Any model that the Trainer takes: one of `AutoModelForImageClassification`, or one like this."""

    def __init__(self):
        super().__init__()
        self.net = SmallCNN()

    def forward(self, pixel_values, labels=None):
        logits = self.net(pixel_values)
        return (
            {"logits": logits}
            if labels is None
            else {"loss": cross_entropy(logits, labels), "logits": logits}
        )


class Digits(torch.utils.data.Dataset):
    def __init__(self, split):
        digits = BiasedDigits(split)
        self.images, self.labels = digits.images.float() / 255, digits.labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"pixel_values": self.images[index], "labels": int(self.labels[index])}


class Accuracies(TrainerCallback):
    """Keeps what the Trainer's evaluation says after each epoch."""

    def __init__(self):
        self.found = []

    def on_evaluate(self, args, state, control, metrics=None, **others):
        self.found.append(metrics["eval_accuracy"])


accuracies = Accuracies()
masks = MaskPixelValues(from_epoch=4)  # The weights at the beginning of epoch 4 make the masks.
with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(
        Model(),
        args=TrainingArguments(
            output_dir=folder,
            num_train_epochs=5,
            per_device_train_batch_size=16,
            per_device_eval_batch_size=200,
            optim="sgd",
            optim_args="momentum=0.9",
            learning_rate=0.01,
            max_grad_norm=0,
            lr_scheduler_type="constant",
            dataloader_drop_last=True,
            eval_strategy="epoch",
            save_strategy="no",
            logging_strategy="epoch",
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Digits("train"),
        eval_dataset=Digits("conflicting"),
        compute_metrics=lambda found: {"accuracy": (found.predictions.argmax(1) == found.label_ids).mean()},
        callbacks=[accuracies, masks],
    )
    trainer.train()

hidden = [
    logs["masktune/hidden_share"] for logs in trainer.state.log_history if "masktune/hidden_share" in logs
]
before, after = accuracies.found[-2:]
print(f"where the shortcut lies: {before:.1%} before, {after:.1%} after one epoch on masked images")
print(f"hidden: {hidden[0]:.1%} of an image")
