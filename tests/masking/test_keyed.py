import time

import numpy as np
import torch

from masktune.masking import keyed


def test_the_bits_are_those_of_splitmix64():
    # The first three numbers of splitmix64 with seed 0, from the reference implementation by S. Vigna.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    drawn = keyed.bits(torch.zeros(1, dtype=torch.int64), torch.arange(3))
    assert drawn.numpy().view(np.uint64).tolist() == expected


def test_uniform_is_the_upper_24_bits():
    drawn = keyed.uniform(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    assert drawn.item() == 0xE220A8 / 2**24


def test_uniform_fills_the_unit_interval_evenly():
    drawn = keyed.uniform(keyed.sample_keys(["a"], "test", 0)[:, None], torch.arange(100_000)[None])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    tenths = torch.histc(drawn, 10, 0, 1)
    assert (tenths - 10_000).abs().max() < 400  # Four standard deviations of a count are 380.


def test_integers_are_below_their_bound_and_reach_all_of_it():
    keys = keyed.sample_keys([str(number) for number in range(200)], "test", 0)
    assert set(keyed.integers(keys, below=5).tolist()) == {0, 1, 2, 3, 4}


def test_a_key_depends_on_stream_seed_and_id_only():
    key = keyed.sample_keys(["b"], "roll", 0)
    assert keyed.sample_keys(["a", "b"], "roll", 0)[1] == key
    others = [
        keyed.sample_keys([i], *s) for i, s in (("a", ("roll", 0)), ("b", ("roll", 1)), ("b", ("noise", 0)))
    ]
    assert all(other != key for other in others)


def test_a_data_set_of_ids_takes_less_than_a_second():
    ids = [f"train/class/{number}.png" for number in range(48_000)]
    start = time.perf_counter()
    keyed.sample_keys(ids, "roll", 0)
    assert time.perf_counter() - start < 1
