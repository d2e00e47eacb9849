import argparse
import pickle
import shlex
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.models.weight_files import fit, matched, read_weight_file
from masktune.models.weights import weights_of

from .tiny import Wrapped, same_weights, shaken, small_net

NET = shaken(small_net())


def prefixed(prefix, net=NET, **others):
    return {prefix + name: value for name, value in weights_of(net).items()} | others


def loaded(path):
    net = small_net(1)
    return net, fit(net, read_weight_file(path))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "model.",
        "net.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.model.",
        "my.own.part.",
    ],
)
@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_each_prefix(tmp_path, prefix, kind):
    path = tmp_path / "weights"
    if kind == "torch":
        torch.save(prefixed(prefix), path)
    else:
        save_file(prefixed(prefix), path)
    net, file = loaded(path)
    assert same_weights(net, NET)
    assert (file.format, file.prefix, file.container) == (kind, prefix, ())
    assert file.notes == ((f"keys without their prefix {prefix!r}",) if prefix else ())


@pytest.mark.parametrize(
    ("make", "container"),
    [
        (lambda w: {"state_dict": w, "epoch": 3}, ("state_dict",)),
        (lambda w: {"model": w, "optimizer": {"state": {0: {"m": torch.ones(2)}}}}, ("model",)),
        (lambda w: {"model_state_dict": w}, ("model_state_dict",)),
        (lambda w: {"net": w, "acc": 93.1}, ("net",)),
        (lambda w: {"checkpoint": {"model": w}}, ("checkpoint", "model")),
        (lambda w: {"student_weights": w, "optim": w}, ("student_weights",)),
        (lambda w: {"epoch": torch.tensor(3), "state_dict": w}, ("state_dict",)),
    ],
)
def test_each_container(tmp_path, make, container):
    torch.save(make(prefixed("")), tmp_path / "last.pt")
    net, file = loaded(tmp_path / "last.pt")
    assert same_weights(net, NET)
    assert file.container == container
    assert file.notes == (f"weights taken from {'.'.join(container)} of last.pt",)


def test_a_checkpoint_of_timms_script_gives_its_averaged_weights(tmp_path):
    other = shaken(small_net(), seed=5)
    content = {"arch": "net", "state_dict": prefixed("", other), "state_dict_ema": prefixed("")}
    torch.save(content | {"args": argparse.Namespace(lr=0.1)}, tmp_path / "best.pth.tar")
    net, file = loaded(tmp_path / "best.pth.tar")
    assert same_weights(net, NET)
    assert file.container == ("state_dict_ema",)


def test_other_parts_of_a_lightning_checkpoint_are_left_out_with_a_note(tmp_path):
    module = Wrapped("model", NET, criterion=nn.Linear(2, 2))
    content = {"state_dict": weights_of(module), "pytorch-lightning_version": "2.4.0"}
    torch.save(content, tmp_path / "epoch=3.ckpt")
    net, file = loaded(tmp_path / "epoch=3.ckpt")
    assert same_weights(net, NET)
    assert file.notes == (
        "weights taken from state_dict of epoch=3.ckpt",
        "keys without their prefix 'model.'",
        "2 keys of other parts left out (first: criterion.weight)",
    )


def test_of_two_whole_nets_the_one_with_the_shorter_prefix_is_taken_and_the_other_named(tmp_path):
    content = prefixed("teacher.", shaken(small_net(), seed=5)) | prefixed("net.")
    torch.save(content, tmp_path / "two.pt")
    net, file = loaded(tmp_path / "two.pt")
    assert same_weights(net, NET)
    assert file.notes[1] == "the whole net is also found under 'teacher.': not used"
    assert file.notes[2] == f"{len(prefixed(''))} keys of other parts left out (first: teacher.0.weight)"


def test_old_files_lack_the_counters_of_batch_normalisation(tmp_path):
    weights = prefixed("")
    del weights["1.num_batches_tracked"]
    torch.save(weights, tmp_path / "old.pth")
    net, _ = loaded(tmp_path / "old.pth")
    assert torch.equal(net[1].running_var, NET[1].running_var)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_net_of_another_make_is_refused_and_nothing_is_loaded(tmp_path, prefix):
    weights = prefixed(prefix)
    del weights[f"{prefix}0.bias"]
    torch.save(weights | {f"{prefix}head.bias": torch.ones(2)}, tmp_path / "other.pt")
    net = small_net(1)
    before = weights_of(net)
    with pytest.raises(InputError) as caught:
        fit(net, read_weight_file(tmp_path / "other.pt"))
    assert str(caught.value) == (
        f"{tmp_path / 'other.pt'}: these weights are not this net's: 1 missing (first: 0.bias), "
        "1 unexpected (first: head.bias), 0 of another shape (first: none)"
    )
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_matching_loads_nothing(tmp_path):
    torch.save(prefixed("module."), tmp_path / "a.pt")
    net = small_net(1)
    before = weights_of(net)
    assert matched(net, read_weight_file(tmp_path / "a.pt")).prefix == "module."
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_other_names_of_the_same_keys(tmp_path):
    names = {name: f"old.{place}" for place, name in enumerate(NET.state_dict())}
    save_file({f"model.{names[name]}": value for name, value in prefixed("").items()}, tmp_path / "a")
    net = small_net(1)
    file = fit(net, read_weight_file(tmp_path / "a"), names)
    assert same_weights(net, NET)
    assert file.prefix == "model."
    file.write(prefixed(""), tmp_path / "b")
    assert set(load_file(tmp_path / "b")) == {f"model.{name}" for name in names.values()}


def test_written_back_as_it_came_all_else_kept(tmp_path):
    content = {
        "state_dict": prefixed("model.", criterion=torch.ones(3)),
        "pytorch-lightning_version": "2.4.0",
        "epoch": 7,
    }
    torch.save(content, tmp_path / "in.ckpt")
    _, file = loaded(tmp_path / "in.ckpt")
    tuned = shaken(small_net(), seed=9)
    file.write(weights_of(tuned), tmp_path / "out.ckpt")
    written = torch.load(tmp_path / "out.ckpt", weights_only=True)
    assert list(written) == list(content)
    assert written["epoch"] == 7
    assert list(written["state_dict"]) == list(content["state_dict"])
    assert written["state_dict"]["criterion"].tolist() == [1, 1, 1]
    net, _ = loaded(tmp_path / "out.ckpt")
    assert same_weights(net, tuned)
    assert same_weights(loaded(tmp_path / "in.ckpt")[0], NET)


def test_written_safetensors_keep_their_text(tmp_path):
    save_file(prefixed("module.", extra=torch.ones(1)), tmp_path / "in", {"format": "pt", "by": "us"})
    _, file = loaded(tmp_path / "in")
    file.write(weights_of(shaken(small_net(), seed=9)), tmp_path / "out")
    with safe_open(tmp_path / "out", framework="pt") as written:
        assert written.metadata() == {"format": "pt", "by": "us"}
        assert set(written.keys()) == set(prefixed("module.", extra=None))


class Evil:
    def __reduce__(self):
        return print, ("code ran",)


def save_refused(kind, path):
    if kind == "code":
        torch.save({"state_dict": prefixed(""), "hyper": Evil()}, path)
    elif kind == "module":
        torch.save(NET, path)
    else:
        torch.jit.save(torch.jit.trace(NET, torch.rand(1, 3, 8, 8)), path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("code", "holds more than weights: it would run "),
        ("module", "holds more than weights: it would run torch.nn.modules.container.Sequential"),
        ("script", "is TorchScript: a program, not weights"),
    ],
)
def test_code_is_refused_and_the_line_that_is_printed_exports_the_weights(tmp_path, capfd, kind, reason):
    path = tmp_path / "it's a net.pt"
    save_refused(kind, path)
    with pytest.raises(InputError) as caught:
        read_weight_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path} {reason}")
    assert "If you trust it, export them: python -c" in message
    assert "\n" not in message
    assert "code ran" not in capfd.readouterr().out
    line = message.partition("export them: python")[2].partition(", and pass the file it writes")[0]
    command = [sys.executable, *shlex.split(line)]
    subprocess.run(command, check=True, capture_output=True, env={"PYTHONPATH": ":".join(sys.path)})
    net, _ = loaded(tmp_path / "it's a net.safetensors")
    assert same_weights(net, NET)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; copy or download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "is a pointer of Git LFS, not the weights; type: git lfs pull",
        ),
        (
            b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
            "is a web page, not weights: the download failed",
        ),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(300),
            "is no weights file: expected safetensors or a file of torch.save",
        ),
        (b"PK\x03\x04" + bytes(300), "is truncated or no file of torch.save; copy or download it again"),
        (pickle.dumps({"a": [1, 2, 3]}, protocol=2), "is truncated or no file of torch.save"),
    ],
)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_what_people_find_where_weights_should_be(tmp_path, content, said, ending):
    path = tmp_path / f"weights.{ending}"
    path.write_bytes(content)
    with pytest.raises(DataDamaged) as caught:
        read_weight_file(path)
    if ending == "pt" or "Git LFS" in said or "web page" in said or "empty" in said:
        assert str(caught.value).startswith(f"{path} {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_files(tmp_path, kind, share):
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(prefixed(""), path)
    else:
        torch.save(prefixed(""), path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataDamaged, match=r"is truncated or no (safetensors file|file of torch.save); "):
        read_weight_file(path)


def test_files_of_old_torch_are_read(tmp_path):
    torch.save({"state_dict": prefixed("module.")}, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert same_weights(loaded(tmp_path / "old")[0], NET)


def test_what_holds_no_weights(tmp_path):
    torch.save({"epoch": 3, "accuracy": 0.9}, tmp_path / "a.pt")
    with pytest.raises(
        InputError, match=r"^expected weights in .*a.pt, got a file that holds epoch, accuracy$"
    ):
        read_weight_file(tmp_path / "a.pt")
    torch.save([torch.ones(2)], tmp_path / "b.pt")
    with pytest.raises(InputError, match=r"^expected a state dict, .* in .*b.pt, got list$"):
        read_weight_file(tmp_path / "b.pt")


def test_nothing_there(tmp_path):
    with pytest.raises(DataNotFound, match=r"^no weights at .*none.pt$"):
        read_weight_file(tmp_path / "none.pt")
    with pytest.raises(InputError, match="expected a file of weights, got the folder"):
        read_weight_file(tmp_path)


def test_a_zip_file_of_something_else(tmp_path):
    import numpy as np

    np.savez(tmp_path / "a.npz", weight=np.ones(3))
    with pytest.raises(
        DataDamaged, match=r"is a zip file, but not one of torch.save \(it holds weight.npy\)"
    ):
        read_weight_file(tmp_path / "a.npz")
