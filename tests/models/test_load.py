import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from masktune import Classifier, InputSpec
from masktune.errors import DataDamaged, DataNotFound, InputError
from masktune.models.load import load_classifier
from masktune.models.specs import InputOverrides
from masktune.models.weights import weights_of
from shared_data import SHARED_DATA, needs_shared_data

from .tiny import Wrapped, same_weights, save_hugging_face, shaken

LITE0 = SHARED_DATA / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
ANIMALS = ("cat", "dog", "eel")


def images(size=64, channels=3, count=2):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def normalised(batch, spec):
    return (batch - torch.tensor(spec.mean).view(1, -1, 1, 1)) / torch.tensor(spec.std).view(1, -1, 1, 1)


@needs_shared_data
@pytest.mark.vision
def test_the_imagenet_weights_at_hand_give_the_logits_of_plain_timm(tmp_path):
    timm = pytest.importorskip("timm")
    plain = timm.create_model("tf_efficientnet_lite0", checkpoint_path=str(LITE0)).eval()
    loaded = load_classifier("timm:tf_efficientnet_lite0", weights=LITE0)
    batch = images(224)
    assert loaded.spec == InputSpec(
        (224, 224), mean=(0.5,) * 3, std=(0.5,) * 3, crop_share=0.875, interpolation="bicubic"
    )
    assert torch.equal(loaded.classifier(batch), plain(normalised(batch, loaded.spec)))
    assert loaded.classifier.classes[207] == "class 207"

    fresh = load_classifier("timm:tf_efficientnet_lite0", weights=LITE0, classes=("cat", "dog"), head="fresh")
    assert fresh.notes == ("fresh head: 1000 -> 2 classes",)
    assert (fresh.fresh, loaded.fresh) == (True, False)
    body = {name: value for name, value in weights_of(plain).items() if not name.startswith("classifier")}
    assert all(torch.equal(fresh.classifier.net.state_dict()[name], value) for name, value in body.items())

    # Tuned, written, and read by those who have never heard of us.
    tuned = shaken(fresh.classifier.net)
    fresh.weight_file.write(weights_of(tuned), tmp_path / "tuned.safetensors")
    theirs = timm.create_model(
        "tf_efficientnet_lite0", num_classes=2, checkpoint_path=str(tmp_path / "tuned.safetensors")
    )
    assert torch.equal(theirs.eval()(batch), tuned(batch))
    again = load_classifier("timm:tf_efficientnet_lite0", weights=tmp_path / "tuned.safetensors")
    assert same_weights(again.classifier.net, tuned)
    assert not again.fresh


@pytest.fixture
def timm_file(tmp_path):
    """Five classes in a checkpoint of timm's script."""
    timm = pytest.importorskip("timm")
    net = shaken(timm.create_model("test_resnet", num_classes=5))
    content = {"arch": "test_resnet", "state_dict": {f"module.{k}": v for k, v in weights_of(net).items()}}
    torch.save(content, tmp_path / "best.pth.tar")
    return net, tmp_path / "best.pth.tar"


@pytest.mark.vision
def test_timms_round_trip(timm_file, tmp_path):
    import timm

    net, path = timm_file
    loaded = load_classifier("timm:test_resnet", weights=path, classes=tuple("abcde"))
    assert loaded.notes == (
        "weights taken from state_dict of best.pth.tar",
        "keys without their prefix 'module.'",
    )
    assert same_weights(loaded.classifier.net, net)
    tuned = shaken(loaded.classifier.net, seed=7)
    loaded.weight_file.write(weights_of(tuned), tmp_path / "tuned.pth.tar")
    theirs = timm.create_model("test_resnet", num_classes=5, checkpoint_path=str(tmp_path / "tuned.pth.tar"))
    assert torch.equal(theirs.eval()(images()), tuned(images()))
    assert torch.load(tmp_path / "tuned.pth.tar", weights_only=True)["arch"] == "test_resnet"


@pytest.mark.vision
@pytest.mark.parametrize(("name", "prefix"), [("resnet18", ""), ("squeezenet1_1", "module.")])
def test_torchvisions_round_trip(tmp_path, name, prefix):
    models = pytest.importorskip("torchvision.models")
    net = shaken(models.get_model(name, num_classes=3))
    torch.save({prefix + key: value for key, value in weights_of(net).items()}, tmp_path / "in.pth")
    loaded = load_classifier(f"torchvision:{name}", weights=tmp_path / "in.pth", classes=ANIMALS)
    assert torch.equal(loaded.classifier(images(224)), net(normalised(images(224), loaded.spec)))
    tuned = shaken(loaded.classifier.net, seed=7)
    loaded.weight_file.write(weights_of(tuned), tmp_path / "out.pth")
    written = torch.load(tmp_path / "out.pth", weights_only=True)
    theirs = models.get_model(name, num_classes=3).eval()
    theirs.load_state_dict({key.removeprefix(prefix): value for key, value in written.items()}, strict=True)
    assert torch.equal(theirs(images()), tuned(images()))


@pytest.mark.vision
def test_the_names_in_torchvisions_old_densenets(tmp_path):
    models = pytest.importorskip("torchvision.models")
    net = shaken(models.densenet121(num_classes=2))
    # As in densenet121-a639ec97.pth: "features.denseblock1.denselayer1.norm.1.weight".
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value
        for name, value in weights_of(net).items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    loaded = load_classifier("torchvision:densenet121", weights=tmp_path / "old.pth", classes=("a", "b"))
    assert same_weights(loaded.classifier.net, net)
    loaded.weight_file.write(weights_of(net), tmp_path / "again.pth")
    assert list(torch.load(tmp_path / "again.pth", weights_only=True)) == list(old)


@pytest.mark.vision
@pytest.mark.parametrize("container", [True, False])
def test_a_net_that_wants_the_version_of_its_weights(tmp_path, container):
    models = pytest.importorskip("torchvision.models")
    net = shaken(models.mnasnet0_5(num_classes=2))
    weights = net.state_dict()
    torch.save({"model": weights} if container else weights, tmp_path / "in.pth")
    loaded = load_classifier("torchvision:mnasnet0_5", weights=tmp_path / "in.pth", classes=("a", "b"))
    assert same_weights(loaded.classifier.net, net)
    loaded.weight_file.write(weights_of(net), tmp_path / "out.pth")
    written = torch.load(tmp_path / "out.pth", weights_only=True)
    models.mnasnet0_5(num_classes=2).load_state_dict(written["model"] if container else written)


@pytest.mark.vision
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_the_file_decides_the_channels(tmp_path, channels, library):
    timm, models = pytest.importorskip("timm"), pytest.importorskip("torchvision.models")
    if library == "timm":
        name, net = "test_resnet", timm.create_model("test_resnet", num_classes=2, in_chans=channels)
    else:
        name, net = "resnet18", models.resnet18(num_classes=2)
        net.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    torch.save(weights_of(shaken(net)), tmp_path / "a.pth")
    loaded = load_classifier(f"{library}:{name}", weights=tmp_path / "a.pth", classes=("a", "b"))
    assert loaded.spec.channels == channels
    assert same_weights(loaded.classifier.net, net)
    assert loaded.classifier(images(loaded.spec.size[0], channels)).shape == (2, 2)
    assert any("mean and std are the average" in note for note in loaded.notes)


@pytest.mark.vision
@pytest.mark.parametrize("aux", [True, False])
def test_googlenet_with_and_without_its_auxiliary_heads(tmp_path, aux):
    models = pytest.importorskip("torchvision.models")
    net = shaken(models.googlenet(num_classes=2, aux_logits=aux, init_weights=False))
    torch.save(weights_of(net), tmp_path / "a.pth")
    loaded = load_classifier("torchvision:googlenet", weights=tmp_path / "a.pth", classes=("a", "b"))
    assert same_weights(loaded.classifier.net, net)
    assert any("transform_input=True" in note for note in loaded.notes)
    loaded.classifier.train()
    assert loaded.classifier(images(224)).shape == (2, 2)


@pytest.mark.vision
def test_position_embeddings_take_another_size(tmp_path):
    timm = pytest.importorskip("timm")
    name, size = "vit_tiny_patch16_224", InputOverrides(size=(96, 128))
    net = shaken(timm.create_model(name, num_classes=2, depth=1))
    smaller = shaken(timm.create_model(name, num_classes=2, depth=1, img_size=(96, 128)))
    (tmp_path / "nets.py").write_text(
        f"import timm\ndef build():\n    return timm.create_model('{name}', num_classes=2, depth=1)\n"
    )
    for given, note in ((net, True), (smaller, False)):
        torch.save(weights_of(given), tmp_path / "a.pth")
        loaded = load_classifier(
            f"{tmp_path}/nets.py:build", weights=tmp_path / "a.pth", classes=("a", "b"), overrides=size
        )
        batch = images()[:, :, :1, :1].expand(2, 3, 96, 128)
        assert loaded.classifier(batch).shape == (2, 2)
        assert torch.equal(loaded.classifier.net.pos_embed, given.pos_embed) != note
        told = "position embeddings resized from 224x224 to 96x128 pixels"
        assert (told in loaded.notes) == note


@pytest.mark.vision
def test_a_body_without_a_head_serves_as_a_start(tmp_path):
    timm = pytest.importorskip("timm")
    net = shaken(timm.create_model("test_resnet", num_classes=0))
    torch.save(weights_of(net), tmp_path / "body.pth")
    loaded = load_classifier("timm:test_resnet", weights=tmp_path / "body.pth", classes=ANIMALS, head="fresh")
    assert loaded.notes == ("fresh head: none -> 3 classes",)
    assert torch.equal(loaded.classifier.net.conv1[0].weight, net.conv1[0].weight)
    with pytest.raises(
        InputError, match=r"^timm:test_resnet has no head, only features; pass weights with a head"
    ):
        load_classifier("timm:test_resnet", weights=tmp_path / "body.pth", classes=ANIMALS)


@pytest.mark.vision
@pytest.mark.parametrize("name", ["timm:test_resnet", "torchvision:squeezenet1_1"])
def test_without_weights(name):
    with pytest.raises(InputError) as caught:
        load_classifier(name, classes=ANIMALS)
    assert str(caught.value) == (
        f"{name} comes without weights; pass --weights FILE, or --allow-download to fetch the library's own"
    )
    state = torch.get_rng_state()
    first, again, other = (
        load_classifier(name, classes=ANIMALS, random_ok=True, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert same_weights(first.classifier.net, again.classifier.net)
    assert not same_weights(first.classifier.net, other.classifier.net)
    assert first.classifier.classes == ANIMALS
    assert first.weight_file is None


@pytest.mark.vision
def test_weights_of_another_make(timm_file):
    with pytest.raises(
        InputError, match=r"these weights are not this net's: \d+ missing \(first: [\w.]+\), "
    ):
        load_classifier("timm:resnet18", weights=timm_file[1])


NETS = """
import torch
from torch import nn
from masktune import Classifier, InputSpec

class Net(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, logits)

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))

def one(): return Net(1)
def two(): return Net(2)
def five(): return Net(5)
def named(): return Classifier(Net(3), InputSpec((16, 16)), ("dog", "Eel", "cat"))
"""


@pytest.fixture
def nets(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return f"{tmp_path}/nets.py"


SMALL = InputOverrides(size=(16, 16), mean=(0.0,), std=(1.0,))


def test_one_logit_serves_two_classes(nets):
    loaded = load_classifier(f"{nets}:one", classes=("no", "yes"), overrides=SMALL)
    logits = loaded.classifier(images(16))
    assert torch.equal(logits[:, 1:], loaded.classifier.net(images(16)))
    assert logits[:, 0].tolist() == [0, 0]
    assert loaded.spec.size == (16, 16)
    kept = load_classifier(f"{nets}:one", classes=("no", "yes"), head="fresh", overrides=SMALL)
    assert kept.classifier.net.head.out_features == 1


def test_the_nets_own_classes_stay_where_there_are_more(nets):
    loaded = load_classifier(f"{nets}:five", classes=("no", "yes"), overrides=SMALL)
    assert loaded.classifier.classes == tuple(f"class {place}" for place in range(5))
    assert loaded.notes[-1] == (
        "the net has 5 logits and the data have 2 classes: the net's own classes stay"
    )


def test_a_fresh_head_where_the_numbers_differ(nets):
    loaded = load_classifier(f"{nets}:five", classes=ANIMALS, head="fresh", overrides=SMALL)
    assert loaded.classifier(images(16)).shape == (2, 3)
    assert loaded.classifier.classes == ANIMALS
    assert loaded.notes[-1] == "fresh head: 5 -> 3 classes"
    kept = load_classifier(f"{nets}:five", classes=tuple("abcde"), head="fresh", overrides=SMALL)
    assert not any("fresh head" in note for note in kept.notes)


def test_a_file_decides_the_logits_of_a_functions_net_too(nets, tmp_path):
    donor = load_classifier(f"{nets}:five", overrides=SMALL).classifier.net
    torch.save({"state_dict": weights_of(Wrapped("net", shaken(donor)))}, tmp_path / "a.ckpt")
    loaded = load_classifier(f"{nets}:two", weights=tmp_path / "a.ckpt", overrides=SMALL)
    assert same_weights(loaded.classifier.net, donor)
    assert "keys without their prefix 'net.'" in loaded.notes


UNTOLD = "no --weights are given, so the net has those that {}:named gives it"


def test_a_target_makes_a_head_of_two_classes(nets):
    whole = load_classifier(f"{nets}:named")
    assert whole.classifier.classes == ("dog", "Eel", "cat")
    assert whole.spec == InputSpec((16, 16))
    torch.manual_seed(0)
    for target in (1, "1", "Eel", "eel"):
        loaded = load_classifier(f"{nets}:named", classes=("other", "fish"), target=target)
        assert loaded.classifier.net.head.out_features == 1
        assert loaded.notes == (UNTOLD.format(nets), "logit 1 of 3 (Eel) alone is used: above 0 is 'fish'")
        assert loaded.classifier.classes == ("other", "fish")
    assert load_classifier(f"{nets}:named", target="cat").classifier.classes == ("not cat", "cat")


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (
            "named",
            {"target": "cta"},
            "the net has no class 'cta' (did you mean 'cat'?); --target takes a number",
        ),
        ("named", {"target": 3}, "expected --target from 0 to 2, since the net has 3 logits, got 3"),
        ("named", {"target": "-1"}, "expected --target from 0 to 2, since the net has 3 logits, got -1"),
        ("five", {"target": "cat"}, "the net has no names for its logits; give --target by number, 0 to 4"),
        (
            "five",
            {"target": 1, "classes": ANIMALS},
            "--target makes a head of two classes, but the data have 3",
        ),
        (
            "five",
            {"target": 1, "head": "fresh", "classes": ("a", "b")},
            "expected --target or a fresh head, got",
        ),
        (
            "five",
            {"head": "fresh"},
            "expected the names of the classes for a fresh head; pass --classes a,b,c",
        ),
        ("five", {"head": "new"}, "expected head as one of as_is, fresh, got 'new'"),
        (
            "two",
            {"classes": ANIMALS},
            "nets.py:two has 2 logits and the data have 3 classes; pass the --classes",
        ),
        (
            "one",
            {"classes": ANIMALS},
            "nets.py:one has 1 logits and the data have 3 classes; pass the --classes",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_together(nets, function, options, said):
    with pytest.raises(InputError) as caught:
        load_classifier(f"{nets}:{function}", overrides=SMALL, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_in_another_order_are_told(nets):
    loaded = load_classifier(f"{nets}:named", classes=("Cat", "dog", "eel"))
    assert loaded.notes == (
        UNTOLD.format(nets),
        "the net names its classes in another order than the data; pass --classes dog,eel,Cat",
    )
    assert load_classifier(f"{nets}:named", classes=("dog", "eel", "cat")).notes == (UNTOLD.format(nets),)


def test_a_head_that_was_made_to_fit_the_weights_is_told(nets, tmp_path):
    """The function builds five logits, the file has three."""
    weights = load_classifier(f"{nets}:five", overrides=SMALL).classifier.net.state_dict()
    for name in ("head.weight", "head.bias"):
        weights[name] = weights[name][:3].clone()
    save_file(weights, tmp_path / "three.safetensors")
    loaded = load_classifier(
        f"{nets}:five", weights=tmp_path / "three.safetensors", classes=ANIMALS, overrides=SMALL
    )
    assert loaded.notes == (
        f"{nets}:five has 5 logits and the weights have 3: its head was made to fit them",
    )


def test_a_size_that_was_not_given_is_hinted_at(tmp_path):
    with pytest.raises(InputError) as caught:
        load_classifier("masktune.models:SmallCNN")
    assert str(caught.value).startswith("SmallCNN cannot take images of 224x224 pixels: ")
    assert str(caught.value).endswith("; see --input-size and --channels")


@pytest.mark.parametrize("kind", ["ViT", "Swin", "ResNet", "ConvNext"])
def test_a_saved_model_of_hugging_face_and_back(tmp_path, kind):
    transformers = pytest.importorskip("transformers")
    saved = save_hugging_face(kind, tmp_path, id2label=dict(enumerate(ANIMALS))).eval()
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    loaded = load_classifier(f"hf:{tmp_path}", classes=ANIMALS)
    assert loaded.notes == ()
    assert (loaded.spec.size, loaded.spec.resize) == ((32, 32), "squash")
    assert torch.equal(loaded.classifier(images(32)), saved(normalised(images(32), loaded.spec)).logits)

    tuned = shaken(loaded.classifier.net, seed=7)
    loaded.weight_file.write(weights_of(tuned), tmp_path / "model.safetensors")
    theirs = transformers.AutoModelForImageClassification.from_pretrained(tmp_path, local_files_only=True)
    assert torch.equal(theirs.eval()(images(32)).logits, tuned(images(32)).logits)

    again = load_classifier(f"hf:{tmp_path}", weights=tmp_path / "model.safetensors", classes=ANIMALS)
    assert same_weights(again.classifier.net, tuned)
    fresh = load_classifier(f"hf:{tmp_path}", classes=("a", "b"), head="fresh")
    assert fresh.notes == ("fresh head: 3 -> 2 classes",)


def test_weights_as_pytorch_model_bin(tmp_path):
    pytest.importorskip("transformers")
    saved = save_hugging_face("ResNet", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights_of(saved), tmp_path / "pytorch_model.bin")
    loaded = load_classifier(f"hf:{tmp_path}", classes=ANIMALS)
    assert same_weights(loaded.classifier.net, saved)
    assert loaded.weight_file.format == "torch"


def test_a_multi_label_head_needs_a_target(tmp_path):
    pytest.importorskip("transformers")
    names = ("effusion", "nodule", "pneumonia")
    saved = save_hugging_face(
        "ResNet", tmp_path, id2label=dict(enumerate(names)), problem_type="multi_label_classification"
    ).eval()
    small = InputOverrides(size=(32, 32))
    with pytest.raises(InputError) as caught:
        load_classifier(f"hf:{tmp_path}", classes=("healthy", "ill"), overrides=small)
    assert str(caught.value) == (
        f"hf:{tmp_path} answers 3 separate questions (multi-label), and the data have two classes; pass "
        "--target with one of 'effusion', 'nodule', 'pneumonia'"
    )
    loaded = load_classifier(
        f"hf:{tmp_path}", classes=("healthy", "ill"), overrides=small, target="pneumonia"
    )
    logits = saved(normalised(images(32), loaded.spec)).logits
    assert torch.allclose(loaded.classifier(images(32))[:, 1], logits[:, 2], atol=1e-6)


def test_a_saved_body_of_hugging_face_needs_a_fresh_head(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(hidden_sizes=[8] * 4, depths=[1] * 4, embedding_size=8)
    body = transformers.ResNetModel(config)
    body.save_pretrained(tmp_path)
    small = InputOverrides(size=(32, 32))
    with pytest.raises(
        InputError, match=r"lack 2 keys \(first: classifier.1.bias\); they are those of the head, "
    ):
        load_classifier(f"hf:{tmp_path}", classes=ANIMALS, overrides=small)
    loaded = load_classifier(f"hf:{tmp_path}", classes=ANIMALS, overrides=small, head="fresh")
    assert loaded.notes[-1] == "fresh head: none -> 3 classes"
    assert loaded.classifier(images(32)).shape == (2, 3)


def test_bad_files_come_first(tmp_path):
    with pytest.raises(DataNotFound, match=re.escape(f"no weights at {tmp_path}/none.pt")):
        load_classifier("timm:no_such_model", weights=tmp_path / "none.pt")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(DataDamaged, match="is empty"):
        load_classifier("timm:no_such_model", weights=tmp_path / "empty.pt")


def test_the_classifier_is_ready(nets):
    loaded = load_classifier(f"{nets}:two", overrides=SMALL)
    assert isinstance(loaded.classifier, Classifier)
    assert not any(module.training for module in loaded.classifier.modules())
    assert loaded.classifier.spec == loaded.spec
