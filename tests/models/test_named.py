import re
import sys
from importlib.util import find_spec

import pytest
import torch

from masktune.errors import DataNotFound, InputError, MissingExtra
from masktune.models.named import build_net
from masktune.models.small_cnn import SmallCNN

from .tiny import same_weights, save_hugging_face

vision = pytest.mark.vision
hub = pytest.mark.skipif(find_spec("transformers") is None, reason="no transformers")


@vision
@pytest.mark.parametrize(("classes", "rows"), [(None, 1000), (3, 3), (1, 1)])
@pytest.mark.parametrize(
    "name", ["timm:test_resnet", "timm:test_resnet.r160_in1k", "torchvision:squeezenet1_1"]
)
def test_nets_of_libraries(name, classes, rows):
    named = build_net(name, classes)
    assert (str(named), named.trained, named.classes) == (name, False, None)
    assert named.net.eval()(torch.rand(1, 3, 64, 64)).shape == (1, rows)


@vision
@pytest.mark.parametrize(
    "name",
    ["timm:test_resnet", "timm:test_vit", "torchvision:mobilenet_v3_small", "torchvision:squeezenet1_1"],
)
@pytest.mark.parametrize("channels", [1, 5])
def test_images_of_other_channels(name, channels):
    net = build_net(name, 2, channels=channels).net.eval()
    size = 160 if "vit" in name else 64
    assert net(torch.rand(1, channels, size, size)).shape == (1, 2)


@vision
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_nets_with_auxiliary_heads_are_built_without_a_word(name, monkeypatch):
    monkeypatch.setattr(torch.nn.init, "trunc_normal_", lambda value, **options: value)  # It is slow.
    net = build_net(f"torchvision:{name}", 2).net.train()
    assert net(torch.rand(2, 3, 299, 299)).logits.shape == (2, 2)


@vision
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm:resnet19", "timm has no model 'resnet19' (did you mean 'resnet18'"),
        ("timm:resnet18.a9_in1k", "timm's resnet18 has no weights 'a9_in1k' (did you mean 'resnet18.a"),
        ("timm:hf-hub:timm/resnet18", "timm has no model 'hf-hub:timm/resnet18'"),
        ("torchvision:resnet81", "torchvision has no classifier 'resnet81' (did you mean 'resnet18'"),
        ("torchvision:fcn_resnet50", "torchvision has no classifier 'fcn_resnet50' (did you mean 'resnet50'"),
        ("resnet18", "expected a model as timm:NAME, torchvision:NAME, hf:DIR, package.module:function or "),
        ("timm:", "expected a model as timm:NAME"),
    ],
)
def test_mistyped_names(name, said):
    with pytest.raises(InputError) as caught:
        build_net(name)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("tim:resnet18", "'timm'"), ("torchvison:resnet18", "'torchvision'"), ("hff:dir", "'hf'")],
)
def test_a_mistyped_scheme(name, near):
    with pytest.raises(DataNotFound, match=rf"^no module '\w+' to take {name} from \(did you mean {near}"):
        build_net(name)


def test_a_folder_without_its_scheme(tmp_path):
    with pytest.raises(InputError, match=rf"got '{tmp_path}' \(did you mean 'hf:{tmp_path}'\?\)$"):
        build_net(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("timm:a", "timm", "vision"),
        ("torchvision:a", "torchvision", "vision"),
        ("hf:.", "transformers", "hub"),
    ],
)
def test_a_missing_library(name, library, extra, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    line = re.escape(f"needs {library}; type: pip install 'masktune[{extra}]'")
    with pytest.raises(MissingExtra, match=line):
        build_net(name, own_weights=True)


def test_nothing_is_fetched_unless_allowed_and_then_it_is_their_own_weights(monkeypatch):
    timm, models = pytest.importorskip("timm"), pytest.importorskip("torchvision.models")
    asked = []

    def build(name, **options):
        asked.append((name, options.get("pretrained"), options.get("weights")))
        return SmallCNN()

    monkeypatch.setattr(timm, "create_model", build)
    monkeypatch.setattr(models, "get_model", build)
    for name in ("timm:resnet18", "torchvision:resnet18"):
        assert not build_net(name, own_weights=True).trained
        assert not build_net(name, allow_download=True).trained
        assert build_net(name, own_weights=True, allow_download=True).trained
    assert asked == [
        *[("resnet18", False, None)] * 2,
        ("resnet18", True, None),
        *[("resnet18", None, None)] * 2,
        ("resnet18", None, "DEFAULT"),
    ]


def test_a_failed_download_is_one_line(monkeypatch):
    timm = pytest.importorskip("timm")

    def fail(name, **options):
        raise OSError("no route to host\nand much more")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(InputError) as caught:
        build_net("timm:resnet18", own_weights=True, allow_download=True)
    assert str(caught.value) == (
        "cannot fetch the weights of timm:resnet18: no route to host; pass --weights FILE"
    )


@hub
@pytest.mark.parametrize("kind", ["ViT", "ResNet", "ConvNext", "Swin", "DeiT"])
def test_saved_models_of_hugging_face(tmp_path, kind, capfd):
    saved = save_hugging_face(kind, tmp_path, id2label={0: "cat", 1: "dog", 2: "cat"}).eval()
    capfd.readouterr()
    named = build_net(f"hf:{tmp_path}", own_weights=True)
    assert capfd.readouterr() == ("", "")
    assert (named.trained, named.missing, named.unexpected, named.multi_label) == (True, (), (), False)
    assert named.classes == ("cat (0)", "dog", "cat (2)")
    assert same_weights(named.net, saved)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(named.net.eval()(images).logits, saved(images).logits)


@hub
def test_a_saved_model_without_its_weights_takes_other_numbers(tmp_path):
    save_hugging_face("ResNet", tmp_path)
    named = build_net(f"hf:{tmp_path}", 5, channels=1)
    assert not named.trained
    assert named.net.eval()(torch.rand(2, 1, 32, 32)).logits.shape == (2, 5)
    assert named.net.config.num_labels == 5
    assert named.classes is None


@hub
def test_weights_that_do_not_fit_the_config(tmp_path):
    import json

    save_hugging_face("ConvNext", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["id2label"], config["label2id"] = {str(i): str(i) for i in range(7)}, {str(i): i for i in range(7)}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        build_net(f"hf:{tmp_path}", own_weights=True)
    assert "classifier" in str(caught.value)
    assert "\n" not in str(caught.value)


@hub
def test_what_is_no_classifier_of_images(tmp_path):
    import transformers

    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(InputError) as caught:
        build_net(f"hf:{tmp_path}", own_weights=True)
    assert str(caught.value).startswith(f"hf:{tmp_path} holds no image classifier that can be loaded: ")
    assert "\n" not in str(caught.value)


def test_folders_that_are_not_there_or_hold_no_model(tmp_path):
    (tmp_path / "vit-cats").mkdir()
    with pytest.raises(
        DataNotFound, match=r"^no folder at .*/vit-cat \(did you mean 'vit-cats'\?\); hf: takes"
    ):
        build_net(f"hf:{tmp_path}/vit-cat", own_weights=True)
    with pytest.raises(DataNotFound, match=r"^no config.json in .*/vit-cats; hf: takes a folder written by"):
        build_net(f"hf:{tmp_path}/vit-cats", own_weights=True)
