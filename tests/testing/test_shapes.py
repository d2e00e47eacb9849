import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masktune.testing.shapes import REACH, SHAPES, coverage

# The polar second moment about the centre of mass, for an area of 1, worked out by hand. A circle's is
# 1 / (2 pi), a square's 1/6, an equilateral triangle's sqrt(3) / 9; the cross is five squares with sides a,
# a^2 = 1/5: 5 a^4 / 6 + 4 a^2 a^2. The ring's is pi / 2 (R^4 - (R/2)^4) where 3/4 pi R^2 = 1. The star is ten
# triangles from the centre to a tip (R) and to a notch (R/2), 36 degrees apart:
# (R^2 + R^2/4 + R^2/2 cos 36) / 6 where 2.5 R^2 sin 36 = 1.
MOMENTS = {
    "circle": 0.15915,
    "square": 0.16667,
    "triangle": 0.19245,
    "cross": 0.19333,
    "ring": 0.26526,
    "star": 0.18767,
}


def moments(covered):
    """Area, centre (y, x), and the polar second moment about it."""
    y, x = np.mgrid[: covered.shape[0], : covered.shape[1]] + 0.5
    area = covered.sum(dtype=np.float64)
    centre = (covered * y).sum() / area, (covered * x).sum() / area
    return area, centre, (covered * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2)).sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_what_its_name_says(shape):
    area, centre, moment = moments(coverage(shape, (100, 120), 2500.0, (48.3, 61.9), 0.4))
    assert area == pytest.approx(2500, rel=0.002)
    assert centre == pytest.approx((48.3, 61.9), abs=0.05)
    assert moment / area**2 == pytest.approx(MOMENTS[shape], rel=0.005)


@given(
    shape=st.sampled_from(list(SHAPES)),
    area=st.floats(80, 600),
    at=st.tuples(st.floats(0.4, 0.6), st.floats(0.4, 0.6)),
    turn=st.floats(0, math.tau),
)
def test_all_shapes_have_the_area_and_the_centre_that_were_asked_for(shape, area, at, turn):
    size = (64, 70)
    centre = (size[0] * at[0], size[1] * at[1])
    covered = coverage(shape, size, area, centre, turn)
    found, middle, _ = moments(covered)
    assert found == pytest.approx(area, rel=0.05)
    assert middle == pytest.approx(centre, abs=0.25)
    assert (covered.min(), covered.max()) == (0, 1)
    y, x = np.mgrid[:64, :70] + 0.5
    farthest = np.hypot(y - centre[0], x - centre[1])[covered > 0].max()
    assert farthest < REACH * math.sqrt(area) + 1


def test_a_square_of_whole_pixels():
    covered = coverage("square", (8, 8), 16.0, (4.0, 3.0), 0.0)
    assert covered.sum() == 16
    assert (covered[2:6, 1:5] == 1).all()


def test_half_a_pixel_is_half_covered():
    # Sides of 4 around 3.5: from 1.5 to 5.5.
    covered = coverage("square", (8, 8), 16.0, (3.5, 3.5), 0.0)
    assert covered[3].tolist() == [0, 0.5, 1, 1, 1, 0.5, 0, 0]
    assert covered[1].tolist() == [0, 0.25, 0.5, 0.5, 0.5, 0.25, 0, 0]


def test_a_turn_turns():
    upright = coverage("cross", (41, 41), 400.0, (20.5, 20.5), 0.0)
    turned = coverage("cross", (41, 41), 400.0, (20.5, 20.5), math.pi / 4)
    assert (upright[20, 9], turned[20, 9]) == (1, 0)  # An arm's end; turned, between two arms.
    assert (upright[13, 13], turned[13, 13]) == (0, 1)
