"""MaskTune inside a training loop of your own: a trained net, one epoch on masked batches.

python examples/03_in_your_own_loop.py
"""

import copy

import torch
from torch.nn.functional import cross_entropy

from masktune import BiasedDigits, Masker
from masktune.models import SmallCNN

torch.set_num_threads(1)
torch.manual_seed(0)
train, conflicting = BiasedDigits("train"), BiasedDigits("conflicting")
net = SmallCNN()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)


def batches():
    for indices in torch.randperm(len(train)).split(16):
        if len(indices) > 1:  # Batch norm has no variance over a single image.
            batch = train.__getitems__(indices)
            yield batch.images.float() / 255, batch.labels


def step(images, labels):
    optimizer.zero_grad()
    cross_entropy(net(images), labels).backward()
    optimizer.step()


def accuracy():
    net.eval()
    with torch.no_grad():
        found = net(conflicting.images.float() / 255).argmax(1).numpy()
    net.train()
    return (found == conflicting.labels).mean()


for _ in range(6):
    for images, labels in batches():
        step(images, labels)
before = accuracy()

masker = Masker(copy.deepcopy(net))  # A frozen copy makes the masks; the net itself is tuned.
for images, labels in batches():
    step(masker(images), labels)

print(f"where the shortcut lies: {before:.1%} before, {accuracy():.1%} after one epoch on masked images")
