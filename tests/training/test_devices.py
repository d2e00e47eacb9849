import functools
import operator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from masktune.errors import InputError
from masktune.training.devices import ALONE, Processes, choose_device, cpu_threads, processes
from torchrun import launch

from . import two_processes

worlds = st.integers(1, 3)


def of_world(world):
    return [Processes(rank, world) for rank in range(world)]


@settings(deadline=None)
@given(n=st.integers(0, 40), batch_size=st.integers(1, 9), world=worlds)
def test_each_sample_is_shared_out_once_in_the_batches_of_one_process(n, batch_size, world):
    shares = [here.share(n, batch_size) for here in of_world(world)]
    positions = [list(range(n)[share]) for share in ALONE.share(n, batch_size)]
    assert [position for batch in positions for position in batch] == list(range(n))
    dealt = sorted(list(range(n)[share]) for of_rank in shares for share in of_rank)
    assert dealt == positions
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_shares_by_hand():
    assert Processes(0, 2).share(10, 4) == [slice(0, 4), slice(8, 10)]
    assert Processes(1, 2).share(10, 4) == [slice(4, 8)]
    assert Processes(2, 3).share(8, 4) == []


@settings(deadline=None)
@given(n=st.integers(0, 20), world=worlds)
def test_each_image_of_a_training_batch_is_dealt_once(n, world):
    positions = torch.randperm(n, generator=torch.Generator().manual_seed(n)) + 100
    shares = [here.deal(positions).tolist() for here in of_world(world)]
    assert sorted(functools.reduce(operator.iadd, shares, [])) == sorted(positions.tolist())
    # Batch norm needs two images; what cannot be divided so stays with the first process.
    assert all(len(share) != 1 for share in shares) or n == 1
    if n < 2 * world:
        assert shares[0] == positions.tolist()


@settings(deadline=None)
@given(n=st.integers(0, 20), batch_size=st.integers(1, 5), world=worlds)
def test_parts_come_together_in_the_order_of_the_batches(n, batch_size, world):
    everyone = of_world(world)
    parts = [[share.start for share in here.share(n, batch_size)] for here in everyone]

    def gather(found, mine):
        found[:] = parts

    for here, mine in zip(everyone, parts, strict=True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.distributed, "all_gather_object", gather)
            assert here.together(mine) == list(range(0, n, batch_size))


def test_only_the_first_process_is_the_first():
    assert [here.first for here in of_world(3)] == [True, False, False]


def test_alone_nothing_is_communicated():
    net = torch.nn.BatchNorm1d(2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    ALONE.add_gradients(net)
    ALONE.average_buffers(net)
    ALONE.wait()
    assert ALONE.together([1, 2]) == [1, 2]
    assert ALONE.total(torch.tensor(2.5)) == 2.5
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    with processes("cpu") as here:
        assert here == Processes(rank=0, world=1, device=torch.device("cpu"))
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(("given", "missing"), [("WORLD_SIZE", "RANK"), ("RANK", "WORLD_SIZE")])
def test_half_of_what_torchrun_sets_is_somebody_elses(monkeypatch, given, missing):
    monkeypatch.setenv(given, "2")
    monkeypatch.delenv(missing, raising=False)
    with processes("cpu") as here:
        assert here == ALONE
        assert not torch.distributed.is_initialized()


def test_threads_are_set_for_the_block_and_put_back():
    assert torch.get_num_threads() == 1
    with cpu_threads(2):
        assert torch.get_num_threads() == 2
        with cpu_threads(None):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1
    with pytest.raises(KeyError), cpu_threads(2):
        raise KeyError
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there(name):
    sentence = f"^expected a device of this machine \\(cpu, cuda:0, mps\\), got {name}: "
    with pytest.raises(InputError, match=sentence) as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_each_process_has_its_own_gpu(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "empty", lambda size, device: asked.append(str(device)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [str(choose_device(name, 3)) for name in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda:3",
        "cuda:3",
        "cuda:1",
        "cpu",
    ]
    assert asked == ["cuda:3", "cuda:3", "cuda:1", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(choose_device("auto", 3)) == "cpu"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two real processes computed."""
    folder = tmp_path_factory.mktemp("two")
    done = launch(folder, script=[two_processes.__file__], timeout=300)
    assert done.returncode == 0, done.stderr
    return [dict(np.load(folder / f"rank-{rank}.npz")) for rank in (0, 1)]


@pytest.fixture(scope="module")
def one():
    """What one process computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield two_processes.compute(ALONE)
    torch.set_num_threads(threads)


def test_there_are_two(two, one):
    assert [int(found["world"]) for found in two] == [2, 2]
    assert int(one["world"]) == 1


def test_what_the_first_process_says_reaches_the_others(two, one):
    assert [str(found["first said"]) for found in (*two, one)] == ["from 0"] * 3
    assert [int(found["asked"]) for found in (*two, one)] == [1, 0, 1]


@pytest.mark.parametrize("kind", ["InputError", "StorageError"])
def test_what_stops_the_first_process_stops_them_all(two, one, kind):
    for found in (*two, one):
        assert str(found[kind]) == f"{kind}: process 0 will not"


def test_a_parameter_that_no_process_uses_stays_as_it_is(two, one):
    for found in (*two, one):
        assert found["spare"].tolist() == [1, 1, 1]


def test_what_one_process_cannot_do_all_refuse(two, one):
    assert [int(found["each"]) for found in (*two, one)] == [0, 1, 0]
    assert [str(found["last"]) for found in two] == ["process 1 will not"] * 2
    assert str(one["last"]) == "process 0 will not"


@pytest.mark.parametrize("batches", two_processes.BATCHES)
@pytest.mark.parametrize("what", ["logits", "labels", "ids", "groups", "maps", "classes", "n"])
def test_two_processes_predict_and_explain_the_same_bits_as_one(two, one, batches, what):
    for found in two:
        assert np.array_equal(found[f"{batches} {what}"], one[f"{batches} {what}"])
    assert len(one[f"{batches} ids"]) == 50 == one[f"{batches} n"]


@pytest.mark.parametrize("net", ["plain", "norm", "recipe"])
def test_both_processes_hold_the_same_weights(two, net):
    first, second = two
    assert str(first[f"{net} sha256"]) == str(second[f"{net} sha256"])


@pytest.mark.parametrize("net", ["plain", "recipe"])  # The second one balances, crops and mirrors.
def test_without_batch_norm_they_are_close_to_those_of_one_process(two, one, net):
    for found in two:
        assert found[f"{net} weights"] == pytest.approx(one[f"{net} weights"], abs=1e-4)
        assert found[f"{net} losses"] == pytest.approx(one[f"{net} losses"], abs=1e-4)
    assert one[f"{net} losses"][2] < one[f"{net} losses"][0] - 0.01
    assert one["recipe losses"] != pytest.approx(one["plain losses"], abs=1e-3)


def test_each_process_prepares_its_own_share_and_never_an_empty_batch(two, one):
    assert one["plain shares"].tolist() == [16, 16, 16, 2] * 3
    assert two[0]["plain shares"].tolist() == [8, 8, 8, 2] * 3
    assert two[1]["plain shares"].tolist() == [8, 8, 8] * 3


def test_all_processes_stop_when_the_loss_of_one_is_not_a_number(two):
    for found in two:
        assert str(found["diverged"]).startswith(
            "the loss is no longer a finite number (training, epoch 1 of 3"
        )
