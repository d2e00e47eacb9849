"""Make tests/golden/saliency_*.npz: weights, images, and the maps of pytorch-grad-cam 1.5.7.

    pip install --target /tmp/gc --no-deps grad-cam==1.5.7 opencv-python-headless ttach
    PYTHONPATH=tests:/tmp/gc python tests/golden/make_saliency_goldens.py

On a CPU grad-cam sees activations that in-place layers have overwritten, on a GPU it does not. Ours are those
that the layer returned, so a net with in-place layers is recorded from its out-of-place twin.
"""

from pathlib import Path

import numpy as np
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from saliency.tiny import GOLDEN_LAYERS, golden_net, images

METHODS = ("GradCAM", "XGradCAM", "GradCAMPlusPlus", "LayerCAM")
CLASSES = (2, 0, 1)


def main() -> None:
    torch.set_num_threads(1)
    for name, choices in GOLDEN_LAYERS.items():
        net = golden_net(name, twin=True)
        batch = images(3)
        arrays = {f"weight/{key}": value.numpy() for key, value in net.state_dict().items()}
        arrays |= {"images": batch.numpy(), "classes": np.array(CLASSES)}
        for layers in choices:
            for method in METHODS:
                made = getattr(pytorch_grad_cam, method)(net, [net.get_submodule(one) for one in layers])
                targets = [ClassifierOutputTarget(one) for one in CLASSES]
                place = f"{'+'.join(layers)}/{method}"
                arrays[f"predicted/{place}"] = made(batch, None)
                arrays[f"classes/{place}"] = made(batch, targets)
        np.savez_compressed(Path(__file__).parent / f"saliency_{name}.npz", **arrays)


if __name__ == "__main__":
    main()
