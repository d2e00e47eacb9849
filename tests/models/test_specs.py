import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from masktune.errors import InputError
from masktune.masking.fit import Fit
from masktune.models.classifier import Classifier
from masktune.models.hugging_face_specs import hugging_face_spec
from masktune.models.named import NamedNet, build_net
from masktune.models.small_cnn import SmallCNN
from masktune.models.specs import InputOverrides, describe, spec_of
from masktune.types import InputSpec

from .tiny import save_hugging_face


def picture(size=(375, 500)):
    """A photograph's size and smoothness: waves of some pixels, (h, w, 3) uint8."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [127 + 90 * np.sin(rows / (9 + c)) * np.cos(columns / (7 + 2 * c)) for c in range(3)]
    return np.stack(waves, 2).astype(np.uint8)


def ours(spec, pixels):
    """What a net of that spec gets for a picture."""
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    fitted = Fit.of(pixels.shape[:2], spec).apply(images, spec.interpolation)
    return Classifier(nn.Identity(), spec, ("a", "b")).to_net_input(fitted)[0]


def differences(spec, theirs, pixels):
    """In grey levels of the source, so that all normalisations compare."""
    difference = (ours(spec, pixels) - theirs).abs()
    return difference * 255 * torch.tensor(spec.std).view(-1, 1, 1)


@pytest.mark.vision
@pytest.mark.parametrize("size", [(375, 500), (500, 333)])
@pytest.mark.parametrize(
    ("name", "entry", "file"),
    [
        ("squeezenet1_1", 0, None),
        ("mobilenet_v3_small", 0, "mobilenet_v3_small-047dcff4.pth"),
        ("mobilenet_v3_large", 1, "mobilenet_v3_large-5c1a4163.pth"),
        ("mobilenet_v3_large", 0, "my_weights.pth"),
        ("shufflenet_v2_x1_5", 0, None),
        ("regnet_y_400mf", 1, "regnet_y_400mf-e6988f5f.pth"),
    ],
)
def test_torchvisions_specs_do_what_its_transforms_do(name, entry, file, size, tmp_path):
    models = pytest.importorskip("torchvision.models")
    weights = list(models.get_model_weights(name))[entry]
    if file is not None and file != "my_weights.pth":
        assert weights.url.endswith(file)
    spec, notes = spec_of(build_net(f"torchvision:{name}", 2), file and tmp_path / file)
    theirs = weights.transforms()(Image.fromarray(picture(size)))
    assert theirs.shape[1:] == spec.size
    assert differences(spec, theirs, picture(size)).max() <= 1.01  # One grey level: another resizer.
    chosen_by_us = file in (None, "my_weights.pth") and len(list(models.get_model_weights(name))) > 1
    if chosen_by_us:
        assert len(notes) == 1
        assert notes[0].startswith("input as for torchvision's IMAGENET1K_V1; --input-size, --mean, --std, ")
    else:
        assert notes == ()


@pytest.mark.vision
@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "tf_efficientnet_lite0", "convnext_atto"])
def test_timms_specs_do_what_its_transforms_do(name):
    timm = pytest.importorskip("timm")
    net = timm.create_model(name, num_classes=2)
    config = timm.data.resolve_data_config(model=net)
    theirs = timm.data.create_transform(**config)(Image.fromarray(picture()))
    spec, notes = spec_of(NamedNet(net, "timm", name))
    assert differences(spec, theirs, picture()).max() <= 1.01
    assert notes == ()


def timm_like(**config):
    net = nn.Sequential(nn.Conv2d(3, 2, 1))
    known = {"input_size": (3, 32, 48), "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5), "crop_pct": 1.0}
    net.pretrained_cfg = known | {"interpolation": "bicubic", "crop_mode": "center"} | config
    return NamedNet(net, "function", "nets.py:build")


@pytest.mark.parametrize(
    ("config", "resize", "notes"),
    [
        ({}, "crop", ()),
        ({"test_input_size": (3, 64, 64), "test_crop_pct": 0.5}, "crop", ()),
        ({"crop_mode": "squash"}, "squash", ()),
        (
            {"crop_mode": "squash", "crop_pct": 0.9},
            "squash",
            (),
        ),
        (
            {"crop_mode": "border", "crop_pct": 0.9},
            "pad",
            ("timm cuts 0.9 out of the bordered image; here all of it is seen",),
        ),
        ({"crop_mode": "border"}, "pad", ("timm's border has the mean colour; here it is black",)),
        (
            {"interpolation": "lanczos"},
            "crop",
            ("the model's images were resized by lanczos; here it is bicubic",),
        ),
    ],
)
def test_a_config_like_timms_is_read_from_any_net(config, resize, notes):
    spec, told = spec_of(timm_like(**config))
    assert spec == InputSpec(
        (32, 48), 3, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5), resize, spec.crop_share, interpolation="bicubic"
    )
    assert spec.crop_share == config.get("crop_pct", 1.0)
    assert told == notes


def test_a_grey_net_gets_the_average_of_mean_and_std():
    named = timm_like(std=(0.2, 0.3, 0.4))
    named.net[0] = nn.Conv2d(1, 2, 1)
    spec, notes = spec_of(named)
    assert (spec.channels, spec.mean, spec.std) == (1, (0.2,), (0.3,))
    assert notes == (
        "grey images: mean and std are the average over those of colour; --mean and --std change them",
    )


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [(3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), (1, (0.5,), (0.5,)), (4, (0.5,), (0.5,))],
)
def test_a_net_that_says_nothing_gets_what_most_want_and_a_note(channels, mean, std):
    spec, (note,) = spec_of(NamedNet(SmallCNN(channels=channels), "function", "nets.py:build"))
    assert spec == InputSpec((224, 224), channels, mean, std, crop_share=0.875)
    assert note.startswith("the model does not say what input it wants: where not given, 224x224, mean (0.")
    assert "--input-size, --mean, --std" in note


def test_a_net_may_bring_its_spec_and_a_classifier_does():
    spec = InputSpec((28, 28), range="percentile")
    net = SmallCNN()
    made = Classifier(net, spec, ("a", "b"))
    assert spec_of(NamedNet(net, "function", "nets.py:build", classifier=made)) == (spec, ())
    net.spec = InputSpec((30, 30))
    assert spec_of(NamedNet(net, "function", "nets.py:build")) == (InputSpec((30, 30)), ())


PROCESSORS = {
    "ViTImageProcessor": [
        {"size": {"height": 64, "width": 48}},
        {"size": {"height": 64, "width": 64}, "resample": 3, "image_mean": [0.4, 0.5, 0.6]},
        {"size": {"height": 32, "width": 32}, "do_normalize": False},
        {
            "size": {"height": 32, "width": 32},
            "do_rescale": False,
            "image_mean": [127.5] * 3,
            "image_std": [60.0] * 3,
        },
        {"size": {"height": 32, "width": 32}, "rescale_factor": 1 / 127.5},
    ],
    "ConvNextImageProcessor": [
        {"size": {"shortest_edge": 224}},
        {"size": {"shortest_edge": 224}, "crop_pct": 0.9},
        {"size": {"shortest_edge": 384}},
    ],
    "CLIPImageProcessor": [
        {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
        {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}},
    ],
    "EfficientNetImageProcessor": [
        {"size": {"height": 64, "width": 64}, "resample": 2},
        {
            "size": {"height": 64, "width": 64},
            "resample": 2,
            "rescale_offset": True,
            "rescale_factor": 1 / 127.5,
        },
    ],
    "BeitImageProcessor": [
        {
            "size": {"height": 256, "width": 256},
            "crop_size": {"height": 224, "width": 224},
            "do_center_crop": True,
        }
    ],
    "LevitImageProcessor": [{"size": {"shortest_edge": 224}}],
    "MobileNetV2ImageProcessor": [{}],
}


@pytest.mark.parametrize(
    ("kind", "options"), [(kind, options) for kind, all_of in PROCESSORS.items() for options in all_of]
)
@pytest.mark.parametrize("size", [(375, 500), (400, 300)])
def test_hugging_faces_specs_do_what_its_processors_do(tmp_path, kind, options, size):
    transformers = pytest.importorskip("transformers")
    made = getattr(transformers, kind)(**options)
    made.save_pretrained(tmp_path)
    spec, notes = hugging_face_spec(str(tmp_path))
    assert notes == ()
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    theirs = processor(picture(size), return_tensors="pt")["pixel_values"][0]
    assert theirs.shape[1:] == spec.size
    found = differences(spec, theirs, picture(size))
    assert found.max() <= 2.01
    assert found.mean() <= 0.3


@pytest.mark.parametrize(
    ("kind", "options", "size", "note"),
    [
        (
            "CLIPImageProcessor",
            {"size": {"shortest_edge": 64}, "do_center_crop": False},
            (64, 64),
            "the model's processor keeps the whole image, in any shape; here its middle square is seen",
        ),
        (
            "BeitImageProcessor",
            {
                "size": {"height": 256, "width": 240},
                "crop_size": {"height": 224, "width": 224},
                "do_center_crop": True,
            },
            (224, 224),
            "the model's processor squashes to height 256 and width 240, then cuts; here it only cuts",
        ),
        (
            "ViTImageProcessor",
            {"size": {"height": 8, "width": 8}, "resample": 1},
            (8, 8),
            "the model's images were resized by lanczos; here it is bicubic",
        ),
        (
            "CLIPImageProcessor",
            {"size": {"shortest_edge": 64}, "crop_size": {"height": 80, "width": 80}},
            (80, 80),
            "the model's processor adds a border around 64 pixels; here the image is larger instead",
        ),
    ],
)
def test_what_a_spec_cannot_say_is_a_note(tmp_path, kind, options, size, note):
    transformers = pytest.importorskip("transformers")
    getattr(transformers, kind)(**options).save_pretrained(tmp_path)
    spec, notes = hugging_face_spec(str(tmp_path))
    assert (spec.size, notes) == (size, (note,))


def test_a_saved_model_without_its_processor(tmp_path):
    pytest.importorskip("transformers")
    save_hugging_face("ResNet", tmp_path)
    spec, notes = spec_of(build_net(f"hf:{tmp_path}", own_weights=True))
    assert (spec.size, spec.mean) == ((224, 224), (0.5, 0.5, 0.5))
    assert notes[0].startswith(f"no preprocessor_config.json in {tmp_path}: input taken as 224x224, mean 0.5")


def test_overrides_replace_what_is_given_and_nothing_else():
    spec = InputSpec((224, 224), 3, (0.1, 0.2, 0.3), (0.2, 0.3, 0.4), crop_share=0.9)
    assert InputOverrides().applied_to(spec) == spec
    changed = InputOverrides(size=(96, 128), resize="pad", range=(0, 4095)).applied_to(spec)
    assert changed == InputSpec(
        (96, 128), 3, (0.1, 0.2, 0.3), (0.2, 0.3, 0.4), "pad", crop_share=1.0, range=(0, 4095)
    )
    assert InputOverrides(resize="squash", crop_share=0.8).applied_to(spec).crop_share == 0.8
    assert InputOverrides(resize="crop").applied_to(spec).crop_share == 0.9
    grey = InputOverrides(channels=1).applied_to(spec)
    assert (grey.channels, grey.mean, grey.std) == (1, (0.2,), (0.3,))
    grey = InputOverrides(channels=1, mean=(0.7,)).applied_to(spec)
    assert (grey.mean, grey.std) == ((0.7,), (0.3,))
    assert InputOverrides(channels=4, mean=(0.1, 0.2, 0.3, 0.4)).applied_to(spec).mean == (
        0.1,
        0.2,
        0.3,
        0.4,
    )


def test_overrides_that_cannot_be():
    with pytest.raises(InputError, match="expected a positive std"):
        InputOverrides(std=(0.0,)).applied_to(InputSpec((8, 8)))
    with pytest.raises(InputError, match=r"^expected 1 or 3 numbers as mean, got 2$"):
        InputOverrides(mean=(0.1, 0.2)).applied_to(InputSpec((8, 8)))


def test_a_spec_in_words():
    spec = InputSpec((224, 192), 3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop_share=0.875)
    assert describe(spec) == (
        "224x192 pixels, colour, crop (the middle 87.5 % of the shorter side), bilinear, "
        "mean 0.485 0.456 0.406, std 0.229 0.224 0.225, range dtype"
    )
    assert describe(InputSpec((28, 28), resize="squash", crop_share=0.875)).startswith(
        "28x28 pixels, colour, squash (the middle 87.5 % of both sides), bilinear"
    )
    assert describe(InputSpec((28, 28), 1, resize="squash", range=(0, 4095))) == (
        "28x28 pixels, grey, squash, bilinear, mean 0, std 1, range 0 to 4095"
    )
