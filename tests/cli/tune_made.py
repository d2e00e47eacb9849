"""Made images on disk, and the weights of small nets that were trained on others of their kind."""

import csv
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from cli.tune_nets import Small
from masktune.testing import Marker, ShortcutImages

NETS = Path(__file__).parent / "tune_nets.py"
MARKER = Marker("square", 0.2, "bottom right", of_class="cross", strength=1.0)
FOUR = ("circle", "cross", "ring", "star")


def images(n, seed, classes=("circle", "cross"), **more):
    """Shapes of 24 x 24 pixels; a white square in the corner of nearly all crosses."""
    return ShortcutImages(n, seed=seed, size=(24, 24), classes=classes, marker=MARKER, **more)


def write_table(root, n, seed=3, **more):
    """Images and their manifest, which has group and site, and subject where there are several a subject."""
    return images(n, seed, **more).save(root)


def write_folders(root, table, splits=()):
    """The images of a manifest as class/..., or as split/class/... where each has the next of some splits."""
    for at, row in enumerate(csv.DictReader(table.open())):
        split = splits[at % len(splits)] if splits else ""
        target = root / split / row["label"] / Path(row["path"]).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(table.parent / row["path"], target)
    return root


def write_weights(path, *, logits=2, classes=("circle", "cross")):
    """Of a net that was trained for a few epochs on 300 images."""
    data = images(300, seed=9, classes=classes)
    pixels, labels = data.images.float() / 255, torch.as_tensor(data.labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Small(logits)
        optimizer = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(6):
            for some in torch.randperm(len(data)).split(32):
                said = net(pixels[some])
                wanted = labels[some]
                loss = (
                    binary_cross_entropy_with_logits(said[:, 0], wanted.float())
                    if logits == 1
                    else cross_entropy(said, wanted)
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    save_file(net.state_dict(), path)
    return path
