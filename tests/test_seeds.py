import subprocess
import sys

import numpy as np
import pytest
import torch

from masktune.seeds import generator, seed_of, seeded

CPU = torch.device("cpu")


def test_a_seed_is_pinned_for_ever():
    # blake2b of "order", "\x1f", "3", its first 8 bytes as a big-endian number, halved; worked out by hand.
    assert seed_of("order", 3) == 0x9D01E330688D9E59 >> 1


def test_a_seed_is_the_same_in_another_interpreter_and_fits_torch():
    command = [
        sys.executable,
        "-c",
        "from masktune.seeds import seed_of; print(seed_of('roll', 7, 'a/b.png'))",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(printed) == seed_of("roll", 7, "a/b.png")
    assert all(0 <= seed_of("bound", number) < 2**63 for number in range(200))


def test_each_part_and_its_place_count():
    seeds = {seed_of(*parts) for parts in [("a", "b"), ("b", "a"), ("ab",), ("a",), ("a", "b", ""), ("a", 0)]}
    assert len(seeds) == 6


def test_a_generator_is_its_own():
    before = torch.get_rng_state()
    first = torch.rand(3, generator=generator("x", 1))
    assert torch.equal(first, torch.rand(3, generator=generator("x", 1)))
    assert not torch.equal(first, torch.rand(3, generator=generator("x", 2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_seeds_inside_and_restores_outside():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with seeded(1, CPU):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(2), expected)
    torch.manual_seed(1)
    assert torch.equal(inside, torch.rand(3))


def test_seeded_restores_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"), seeded(1, CPU):  # noqa: PT012
        torch.rand(3)
        raise RuntimeError("stop")
    assert torch.equal(torch.get_rng_state(), before)


def test_numpy_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is looked at.
    with seeded(1, CPU):
        generator(3)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
