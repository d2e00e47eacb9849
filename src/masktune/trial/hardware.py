"""The machine that a trial ran on, by name, for whoever wants to repeat it."""

import platform
import re
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")
"""Where Linux says what CPU it is."""


def hardware(device: torch.device, cpu_info: Path = CPU_INFO) -> str:
    """The model of the CPU, behind that of the GPU where one was computed on."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {_cpu(cpu_info)}"
    return _cpu(cpu_info)


def _cpu(info: Path) -> str:
    """As Linux names it; else as Python does, at least its architecture."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
