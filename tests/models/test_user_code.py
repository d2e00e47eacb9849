import sys

import pytest
import torch
from torch import nn

from masktune.errors import DataNotFound, InputError
from masktune.models.named import build_net

from .tiny import same_weights

NETS = """
import torch
from torch import nn
from helper_beside import CLASSES

HEAD = 2

def build():
    torch.manual_seed(3)
    return nn.Linear(4, CLASSES)

def classifier():
    from masktune import Classifier, InputSpec
    return Classifier(build(), InputSpec(size=(2, 2)), ("cat", "dog", "eel"))

def wants(path, *, width=2):
    return nn.Linear(4, 2)

def fails():
    return {}["no such key"]

def leaves():
    raise SystemExit("usage: train.py --data DIR")

def gives_none():
    pass

made = nn.Linear(4, 5)
"""


@pytest.fixture
def nets(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "helper_beside.py").write_text("CLASSES = 3\n")
    yield tmp_path / "nets.py"
    sys.modules.pop("helper_beside", None)


def test_a_function_of_a_file(nets):
    before = list(sys.path)
    named = build_net(f"{nets}:build", classes=7)
    torch.manual_seed(3)
    assert same_weights(named.net, nn.Linear(4, 3))
    assert (named.scheme, str(named), named.trained) == ("function", f"{nets}:build", True)
    assert sys.path == before


def test_a_function_of_a_module_in_the_working_folder(nets, monkeypatch):
    (nets.parent / "my_package").mkdir()
    nets.rename(nets.parent / "my_package" / "nets.py")
    monkeypatch.chdir(nets.parent)
    assert build_net("my_package.nets:build").net.out_features == 3
    for name in ("my_package", "my_package.nets"):
        sys.modules.pop(name)


def test_a_classifier_is_taken_apart(nets):
    named = build_net(f"{nets}:classifier")
    assert isinstance(named.net, nn.Linear)
    assert named.classes == ("cat", "dog", "eel")
    assert named.classifier.spec.size == (2, 2)


def test_a_net_in_place_of_a_function(nets):
    assert build_net(f"{nets}:made").net.out_features == 5


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("biuld", "has no function 'biuld' (did you mean 'build'?)"),
        ("HEAD", "expected a function without arguments at {name}, got int"),
        ("wants", "expected {name} to need no arguments, but missing a required argument: 'path'; give them"),
        ("fails", "{name} failed at {file}, line 20: KeyError: 'no such key'"),
        ("leaves", "{name} failed at {file}, line 23: SystemExit: usage: train.py --data DIR"),
        ("gives_none", "expected a torch module or a Classifier from {name}, got NoneType"),
    ],
)
def test_functions_that_do_not_work(nets, function, said):
    with pytest.raises(InputError) as caught:
        build_net(f"{nets}:{function}")
    assert said.format(name=f"{nets}:{function}", file=nets) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import torch\nimport no_such_module\n",
            "line 2: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("def build(:\n", "line 1: SyntaxError: invalid syntax"),
        ("\n\nraise ValueError('one\\ntwo')\n", "line 3: ValueError: one"),
    ],
)
def test_files_that_cannot_be_imported(tmp_path, text, said):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(InputError) as caught:
        build_net(f"{tmp_path}/broken.py:build")
    assert str(caught.value).startswith(f"{tmp_path}/broken.py:build failed at {tmp_path}/broken.py, {said}")
    assert "\n" not in str(caught.value)


def test_files_and_modules_that_are_not_there(nets):
    with pytest.raises(DataNotFound, match=r"^no file at .*/net.py \(did you mean 'nets.py'\?\), to take "):
        build_net(f"{nets.parent}/net.py:build")
    with pytest.raises(
        DataNotFound, match=r"^no module 'no_such.nets' to take no_such.nets:build from; --model"
    ):
        build_net("no_such.nets:build")
