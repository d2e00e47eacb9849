"""What is in a file of weights, read without running any code that it may carry; else one line why not."""

import argparse
import errno
import pickle
import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open

from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.files import storage_errors
from masktune.models.weights import read_weights

Format = Literal["safetensors", "torch"]

_EXPORT = (
    "import sys, torch; from safetensors.torch import save_file; "
    "w = {load}; "
    "w = w if hasattr(w, 'state_dict') else w.get('state_dict', w.get('model', w)); "
    "w = w.state_dict() if hasattr(w, 'state_dict') else w; "
    "save_file({{k: v.contiguous().clone() for k, v in w.items() if hasattr(v, 'clone')}}, sys.argv[2])"
)
_PICKLE = "torch.load(sys.argv[1], map_location='cpu', weights_only=False)"
# What torch says of half a file depends on the half; a place beyond its end is an "invalid argument".
_BROKEN = (EOFError, RuntimeError, ValueError, LookupError, AttributeError, TypeError, OSError)
_SCRIPT = "torch.jit.load(sys.argv[1], map_location='cpu')"


def unpack(path: Path) -> tuple[Format, Mapping[Any, Any], Mapping[str, str]]:
    """Read a file by its content, whatever its name ends in.

    Returns:
        Its format, everything that is in it, and the text that safetensors files carry beside the weights.

    Raises:
        DataNotFound: no such file.
        DataDamaged: it is empty, truncated, or something else: a web page, a pointer of Git LFS.
        InputError: it holds code, a whole module or TorchScript; the message has the line that exports it.
    """
    with storage_errors(path, "read"):
        if path.is_dir():
            raise InputError(f"expected a file of weights, got the folder {path}; for hf:DIR leave it out")
        if not path.is_file():
            raise DataNotFound(f"no weights at {path}")
        with path.open("rb") as file:
            start = file.read(256)
        return _by_content(path, start)


def _by_content(path: Path, start: bytes) -> tuple[Format, Mapping[Any, Any], Mapping[str, str]]:
    if _is_safetensors(start) or (path.suffix == ".safetensors" and start and not _other(start)):
        weights = read_weights(path)
        with safe_open(path, framework="pt") as opened:
            return "safetensors", weights, opened.metadata() or {}
    if start[:2] not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise DataDamaged(f"{path} {_other(start) or _unknown(start)}")
    return "torch", _torch_content(path), {}


def _is_safetensors(start: bytes) -> bool:
    # Eight bytes say how long the table of contents is, which is JSON.
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 100_000_000


def _other(start: bytes) -> str:
    """What people find where weights should be."""
    text = start.lstrip().lower()
    if not start:
        return "is empty; copy or download it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights; type: git lfs pull"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "is a web page, not weights: the download failed; download it again"
    return ""


def _unknown(start: bytes) -> str:
    return f"is no weights file: expected safetensors or a file of torch.save, it begins with {start[:8]!r}"


def _torch_content(path: Path) -> Mapping[Any, Any]:
    """What torch.save wrote, read with `weights_only`."""
    if zipfile.is_zipfile(path):
        _check_archive(path)
    try:
        # A Namespace holds plain values only, and timm's training script puts one into each checkpoint.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported" not in str(error):
            raise DataDamaged(_damaged(path)) from error
        raise InputError(f"{path} holds more than weights: {_named(error)}. {_advice(path)}") from error
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise DataDamaged(_damaged(path)) from error
    if not isinstance(content, Mapping):
        raise InputError(
            f"expected a state dict, or a checkpoint that holds one, in {path}, got {type(content).__name__}"
        )
    return content


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    if "constants.pkl" in names:
        raise InputError(
            f"{path} is TorchScript: a program, not weights. {_advice(path, _SCRIPT)}, and pass the file it "
            "writes together with the --model that it was made from"
        )
    if "data.pkl" not in names:
        first = next(iter(names), "nothing")
        raise DataDamaged(f"{path} is a zip file, but not one of torch.save (it holds {first}); unpack it")


def _named(error: Exception) -> str:
    """The first class or function that the file would have called: "GLOBAL my.Net" in torch's words."""
    words = str(error).replace("\n", " ").partition("GLOBAL ")[2].split()
    return f"it would run {words[0]}" if words else "it would run code"


def _advice(path: Path, load: str = _PICKLE) -> str:
    """How to get the weights out: quoted so that a shell takes it, whatever the path."""
    paths = f"{shlex.quote(str(path))} {shlex.quote(str(path.with_suffix('.safetensors')))}"
    return f'If you trust it, export them: python -c "{_EXPORT.format(load=load)}" {paths}'


def _damaged(path: Path) -> str:
    return f"{path} is truncated or no file of torch.save; copy or download it again"
