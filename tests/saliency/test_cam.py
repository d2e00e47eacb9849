import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from masktune.saliency import cam

METHODS = (cam.grad_cam, cam.xgrad_cam, cam.grad_cam_plus_plus, cam.layer_cam)
# One channel; the head reads it by these weights, so these are the gradients.
ACTIVATION = torch.tensor([[[[4.0, 2.0], [0.0, 2.0]]]])
GRADIENT = torch.tensor([[[[1.0, 0.0], [0.0, -1.0]]]])


def random_pair(seed=0, dtype=torch.float32, relu=True):
    generator = torch.Generator().manual_seed(seed)
    activations = torch.randn(3, 5, 4, 6, generator=generator, dtype=torch.float64)
    gradients = torch.randn(3, 5, 4, 6, generator=generator, dtype=torch.float64)
    return (activations.relu() if relu else activations).to(dtype), gradients.to(dtype)


@pytest.mark.parametrize(
    ("method", "weight"),
    [
        (cam.grad_cam, 0.0),  # The gradients 1 and -1 cancel.
        (cam.xgrad_cam, 0.25),  # (4 * 1 - 2 * 1) / 8
        (cam.grad_cam_plus_plus, 0.1),  # 1 / (2 * 1 + 8 * 1) where the gradient is 1, nothing elsewhere.
    ],
)
def test_a_channel_gets_its_weight(method, weight):
    torch.testing.assert_close(method(ACTIVATION, GRADIENT), weight * ACTIVATION[:, 0], rtol=0, atol=1e-6)


def test_layer_cam_weighs_place_by_place():
    assert cam.layer_cam(ACTIVATION, GRADIENT).tolist() == [[[4.0, 0.0], [0.0, 0.0]]]


def slow_weights(method, a, g):
    """The papers' formulas, pixel by pixel in float64."""
    n = a.numel()
    total = sum(a.flatten().tolist())
    pairs = list(zip(a.flatten().tolist(), g.flatten().tolist(), strict=True))
    if method is cam.grad_cam:
        return sum(y for _, y in pairs) / n
    if method is cam.xgrad_cam:
        return sum(x / (total + 1e-7) * y for x, y in pairs)
    return sum(y**2 / (2 * y**2 + total * y**3 + 1e-6) * max(y, 0.0) for _, y in pairs)


@pytest.mark.parametrize("method", METHODS[:3])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_slow_copy_in_float64(method, seed):
    activations, gradients = random_pair(seed, torch.float64)
    raw = method(activations.float(), gradients.float())
    for image in range(3):
        slow = sum(
            slow_weights(method, a, g) * a for a, g in zip(activations[image], gradients[image], strict=True)
        )
        torch.testing.assert_close(raw[image].double(), slow, rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 99), factor=st.sampled_from([0.01, 0.5, 3.0, 100.0]))
def test_grad_cam_xgrad_cam_and_layer_cam_ignore_the_scale_of_the_scores(seed, factor):
    activations, gradients = random_pair(seed)
    for method in (cam.grad_cam, cam.xgrad_cam, cam.layer_cam):
        raw, scaled = method(activations, gradients), method(activations, factor * gradients)
        torch.testing.assert_close(scaled, factor * raw, rtol=1e-4, atol=1e-4 * factor)


@given(seed=st.integers(0, 99))
def test_xgrad_cam_conserves_gradient_times_activation(seed):
    activations, gradients = random_pair(seed)
    total = cam.xgrad_cam(activations, gradients).sum((1, 2))
    torch.testing.assert_close(total, (activations * gradients).sum((1, 2, 3)), rtol=1e-3, atol=1e-3)


def test_scale_cuts_at_zero_and_stretches_each_map():
    raw = torch.tensor([[[-3.0, 1.0, 2.0]], [[1.0, 2.0, 5.0]], [[-1.0, -2.0, -5.0]], [[7.0, 7.0, 7.0]]])
    expected = torch.tensor([[[0, 0.5, 1]], [[0, 0.25, 1]], [[0, 0, 0]], [[0, 0, 0.0]]])
    torch.testing.assert_close(cam.scale(raw), expected, rtol=0, atol=2e-7)


def test_scale_has_grad_cams_epsilon():
    # 1e-7 / (1e-7 + 1e-7)
    assert cam.scale(torch.tensor([[[0.0, 1e-7]]]))[0, 0, 1].item() == pytest.approx(0.5)


def test_enlarge_interpolates_between_centres_and_stretches_again():
    # Half-pixel centres: 0, 0.25, 0.75, 1 by columns. Rows likewise, and the second stretch changes nothing.
    low = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    expected = torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(1, 3, 4)
    torch.testing.assert_close(cam.enlarge(low, (3, 4)), expected, rtol=0, atol=1e-6)


def test_enlarge_stretches_a_flattened_peak_to_one():
    low = torch.zeros(1, 3, 3)
    low[0, 1, 1] = 1.0
    peak = functional.interpolate(low[None], (4, 4), mode="bilinear", align_corners=False).amax()
    assert peak < 0.6
    assert cam.enlarge(low, (4, 4)).amax().item() == pytest.approx(1, abs=1e-6)


def test_enlarge_takes_height_first():
    assert cam.enlarge(torch.rand(2, 3, 5), (6, 20)).shape == (2, 6, 20)


def test_enlarge_averages_layers_before_the_last_stretch():
    fine, coarse = torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[1.0]]])  # A map of one place is constant.
    expected = torch.tensor([[[0.0, 1.0]]])  # The mean is 0.5 and 1.
    torch.testing.assert_close(cam.enlarge((fine, coarse), (1, 2)), expected, rtol=0, atol=1e-6)
