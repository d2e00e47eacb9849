import platform

import pytest
import torch

from masktune.trial.hardware import hardware

CPU = torch.device("cpu")


def test_the_cpu_is_called_as_linux_calls_it(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nmodel\t\t: 1\nmodel name\t: A CPU @ 2 GHz \nprocessor\t: 1\nmodel name\t: B\n"
    )
    assert hardware(CPU, info) == "A CPU @ 2 GHz"


@pytest.mark.parametrize("content", ["processor\t: 0\nBogoMIPS\t: 50.00\n", None])
def test_elsewhere_python_says_what_it_can(tmp_path, monkeypatch, content):
    """ARM's cpuinfo names no model, and other systems have no such file."""
    info = tmp_path / "cpuinfo"
    if content is not None:
        info.write_text(content)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert hardware(CPU, info) == "arm"
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert hardware(CPU, info) == "aarch64"


def test_a_gpu_stands_before_its_cpu(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("model name\t: A CPU\n")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"A GPU, no. {device.index}")
    assert hardware(torch.device("cuda:1"), tmp_path / "cpuinfo") == "A GPU, no. 1, A CPU"


def test_this_machine_has_a_name():
    assert hardware(CPU)
