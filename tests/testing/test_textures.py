import numpy as np
import pytest

from masktune.testing.textures import TEXTURES, texture


def drawn(kind, seed=0, size=(40, 56), scale=0.25):
    return texture(kind, size, scale, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", TEXTURES)
def test_values_lie_around_zero_and_within_one(kind):
    values = np.stack([drawn(kind, seed) for seed in range(200)])
    assert values.shape == (200, 40, 56)
    assert values.dtype == np.float32
    assert abs(values).max() <= 1
    assert abs(values.mean()) < 0.03


@pytest.mark.parametrize("kind", TEXTURES)
def test_a_generator_draws_one_texture_and_another_one_another(kind):
    assert np.array_equal(drawn(kind, 3), drawn(kind, 3))
    assert not np.array_equal(drawn(kind, 3), drawn(kind, 4))


def test_a_gradient_rises_evenly():
    values = drawn("gradient", 5)
    down, across = np.diff(values, axis=0), np.diff(values, axis=1)
    assert down == pytest.approx(np.full((39, 56), down.mean()), abs=1e-6)
    assert across == pytest.approx(np.full((40, 55), across.mean()), abs=1e-6)
    assert abs(values).max() == 1


def test_stripes_have_the_wavelength_that_was_asked_for():
    # 64 px in waves of 4: the power of the spectrum lies at 16 waves an image, whatever the direction.
    values = texture("stripes", (64, 64), 4 / 64, np.random.default_rng(1))
    power = abs(np.fft.fft2(values)) ** 2
    waves = np.fft.fftfreq(64, 1 / 64)
    radius = np.hypot(waves[:, None], waves[None, :])
    assert (power * radius).sum() / power.sum() == pytest.approx(16, abs=0.7)


def test_noise_of_a_larger_scale_is_smoother():
    def steps(scale):
        return np.mean([abs(np.diff(drawn("noise", seed, scale=scale))).mean() for seed in range(20)])

    assert steps(0.1) > 2 * steps(0.25) > 4 * steps(0.6) > 0
