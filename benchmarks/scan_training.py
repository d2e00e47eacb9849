"""How the classifiers of `scan_real.py` are trained: plain loops, seeded, one thread."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional

from masktune.data import InMemory
from masktune.data.base import Dataset, batches
from masktune.models import predict
from masktune.models.classifier import Classifier
from masktune.seeds import seeded


def tuned(net: Classifier, train: Dataset, epochs: int, path: Path) -> None:
    """Tune a net that has weights of another task, and write its weights."""
    with seeded(0, torch.device("cpu")):
        optimizer = torch.optim.AdamW(net.train().parameters(), lr=3e-4, weight_decay=1e-2)
        for epoch in range(epochs):
            for at, batch in enumerate(batches(train, 32, torch.randperm(len(train)))):
                if len(batch) < 2:
                    continue
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(batch.images), batch.labels)
                loss.backward()
                optimizer.step()
                if at % 10 == 0:
                    print(f"epoch {epoch} batch {at} loss {loss:.3f}", flush=True)
    _save(net, path)


def trained(net: Classifier, train: Dataset, epochs: int, path: Path, *, mirrored: bool = False) -> None:
    """Train a net from scratch, every class weighing the same, and write its weights."""
    images = in_memory(train)
    counts = torch.bincount(torch.from_numpy(images.labels)).float()
    steps = epochs * -(-len(images) // 64)
    with seeded(0, torch.device("cpu")):
        optimizer = torch.optim.AdamW(net.train().parameters(), lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for epoch in range(epochs):
            for chosen in torch.randperm(len(images)).split(64):
                batch = images.__getitems__(chosen)
                pixels = batch.images.flip(3) if mirrored and torch.rand(()) < 0.5 else batch.images
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(pixels), batch.labels, len(images) / counts / len(counts))
                loss.backward()
                optimizer.step()
                schedule.step()
            print(f"epoch {epoch} loss {loss:.3f}", flush=True)
    _save(net, path)


def in_memory(dataset: Dataset) -> InMemory:
    """All images read once; only for sets that fit."""
    if isinstance(dataset, InMemory):
        return dataset
    images = torch.cat([batch.images for batch in batches(dataset, 64)])
    return InMemory(images, dataset.labels, dataset.ids, dataset.classes)


def recall(net: Classifier, dataset: Dataset, label: int) -> float:
    """Share of a class's images that are given their class."""
    found = predict(net, batches(dataset, 64))
    return float(found.correct[found.labels == label].mean())


def accuracy(net: Classifier, dataset: Dataset) -> float:
    return float(predict(net, batches(dataset, 64)).correct.mean())


def _save(net: Classifier, path: Path) -> None:
    save_file({name: value.contiguous() for name, value in net.net.state_dict().items()}, path)
