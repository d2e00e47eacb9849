"""Our maps against those of pytorch-grad-cam 1.5.7, recorded by tests/golden/make_saliency_goldens.py."""

from pathlib import Path

import numpy as np
import pytest
import torch

from masktune.errors import MasktuneWarning
from masktune.saliency import GradCAM, GradCAMPlusPlus, LayerCAM, XGradCAM

from .tiny import GOLDEN_LAYERS, golden_net

EXPLAINERS = {one.__name__: one for one in (GradCAM, XGradCAM, GradCAMPlusPlus, LayerCAM)}
CASES = [(net, layers) for net, choices in GOLDEN_LAYERS.items() for layers in choices]


def recorded(name):
    with np.load(Path(__file__).parents[1] / "golden" / f"saliency_{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


@pytest.mark.filterwarnings(f"ignore::{MasktuneWarning.__module__}.{MasktuneWarning.__name__}")
@pytest.mark.parametrize("method", EXPLAINERS)
@pytest.mark.parametrize(("name", "layers"), CASES, ids=lambda case: str(case))
def test_maps_equal_those_of_grad_cam(name, layers, method):
    golden = recorded(name)
    net = golden_net(name)
    net.load_state_dict({k.removeprefix("weight/"): v for k, v in golden.items() if k.startswith("weight/")})
    explain = EXPLAINERS[method](net, layers)
    place = f"{'+'.join(layers)}/{method}"
    # Sums of channels of both signs lie near zero at a bare BatchNorm; float32 says no more there.
    tolerance = 1e-4 if layers == ["second.1"] else 1e-5
    for classes, key in ((None, "predicted"), (golden["classes"], "classes")):
        maps = explain(golden["images"], classes).maps
        torch.testing.assert_close(maps, golden[f"{key}/{place}"], rtol=0, atol=tolerance)


def test_the_recorded_maps_say_something():
    for name in GOLDEN_LAYERS:
        maps = {key: value for key, value in recorded(name).items() if key.startswith("predicted/")}
        assert len(maps) == 4 * len(GOLDEN_LAYERS[name])
        assert sum(float(one.amax()) > 0.99 for one in maps.values()) >= 0.9 * len(maps)
