import errno
import re
import resource

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import masktune.models.weights as room
from masktune.errors import DataDamaged, DataNotFound, InputError, StorageError
from masktune.models.weights import load_weights, read_weights, save_weights, weights_of, weights_sha256


def small_net(seed=0, outputs=2):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, outputs))


def test_weights_come_back_bit_by_bit(tmp_path):
    net, other = small_net(0), small_net(1)
    save_weights(weights_of(net), tmp_path / "a" / "weights.safetensors")
    load_weights(other, read_weights(tmp_path / "a" / "weights.safetensors"))
    assert all(torch.equal(net.state_dict()[name], value) for name, value in other.state_dict().items())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["weights.safetensors"]


def test_the_file_is_ordinary_safetensors_with_the_nets_keys(tmp_path):
    net = small_net()
    save_weights(weights_of(net), tmp_path / "weights.safetensors")
    assert set(load_file(tmp_path / "weights.safetensors")) == set(net.state_dict())


def test_tied_and_channels_last_weights_are_kept_too(tmp_path):
    net = small_net().to(memory_format=torch.channels_last)
    net.append(nn.Linear(4, 2))
    net[4].weight = net[3].weight
    save_weights(weights_of(net), tmp_path / "weights.safetensors")
    read = read_weights(tmp_path / "weights.safetensors")
    assert torch.equal(read["4.weight"], net[3].weight)
    assert torch.equal(read["0.weight"], net[0].weight)


def test_the_copy_is_not_touched_by_later_training():
    net = small_net()
    kept = weights_of(net)
    before = kept["3.bias"].clone()
    with torch.no_grad():
        net[3].bias.add_(1)
    assert torch.equal(kept["3.bias"], before)


def test_the_hash_is_that_of_the_values():
    net = small_net()
    value = weights_sha256(net)
    assert value == weights_sha256(small_net())
    assert value == weights_sha256(weights_of(net))
    assert value == weights_sha256(net.to(memory_format=torch.channels_last))
    assert value == weights_sha256(dict(reversed(weights_of(net).items())))
    assert value != weights_sha256(small_net(1))
    net[1].num_batches_tracked += 1
    assert value != weights_sha256(net)


def test_the_hash_sees_names_types_and_shapes():
    zeros = torch.zeros(4)
    different = [
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.view(2, 2)},
        {"a": zeros.to(torch.int32)},
        {"a": torch.zeros(8, dtype=torch.bfloat16)},
        {},
        {"a": torch.zeros(0)},
    ]
    assert len({weights_sha256(weights) for weights in different}) == len(different)


def test_the_first_of_each_kind_that_does_not_fit_is_named():
    net = small_net()
    before = weights_sha256(net)
    weights = weights_of(small_net(1, outputs=5))
    del weights["0.bias"], weights["1.weight"]
    weights["head.weight"] = torch.zeros(1)
    with pytest.raises(InputError) as caught:
        load_weights(net, weights)
    assert str(caught.value) == (
        "these weights are not this net's: 2 missing (first: 0.bias), 1 unexpected (first: head.weight), "
        "2 of another shape (first: 3.weight)"
    )
    assert weights_sha256(net) == before


def test_no_file(tmp_path):
    with pytest.raises(DataNotFound, match=f"^no weights at {re.escape(str(tmp_path))}/weights.safetensors$"):
        read_weights(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("content", ["cut off", "text", "empty"])
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    save_weights(weights_of(small_net()), path)
    whole = path.read_bytes()
    path.write_bytes({"cut off": whole[: len(whole) // 2], "text": b"not weights", "empty": b""}[content])
    with pytest.raises(DataDamaged, match="is truncated or no safetensors file; write it again"):
        read_weights(path)


def test_no_permission_to_read(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_weights(weights_of(small_net()), path)

    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(room, "load_file", refused)
    with pytest.raises(StorageError, match=r"^cannot read .*weights.safetensors: permission denied"):
        read_weights(path)


def test_a_full_disk_is_one_sentence_and_the_old_weights_survive(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights({"a": torch.ones(3)}, path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError) as caught:
            save_weights({"a": torch.zeros(10_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == f"cannot write {path}: the file is larger than this disk or your limits allow"
    assert read_weights(path)["a"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]
