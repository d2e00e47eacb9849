"""Hide what a classifier looks at, in three lines.

python examples/01_mask_a_batch.py
"""

import torch

from masktune import BiasedDigits, Masker
from masktune.models import SmallCNN

net = SmallCNN()  # Any torch classifier; this one is untrained, so it looks at nothing in particular.
images = BiasedDigits("train").images[:8].float() / 255

masked = Masker(net)(images)

hidden = (masked != images).any(1).float().mean((1, 2))
print(
    "share of each image that was not black before and is hidden now:", [f"{share:.1%}" for share in hidden]
)
assert masked.shape == images.shape
assert torch.is_grad_enabled()
