"""The layer that is found in Hugging Face's families, by the table of `saliency.md` §6.6; random weights.

Version 4 of transformers calls `vit.encoder.layer.1` what is `vit.layers.1` in version 5: ends are compared.
"""

from functools import partial

import pytest
import torch
from torch import nn

from masktune import Classifier, GradCAM, InputSpec, Masker, MeanPlusStd, XGradCAM
from masktune.errors import SaliencyError
from masktune.saliency import Layout, SafeCAM, find_layer

from .tiny import check_zoo, images, seeded

pytestmark = pytest.mark.vision
hf = pytest.importorskip("transformers")

SIZE = (64, 96)
TOKENS, NCHW = "tokens", "channels_first"
ENCODER = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "patch_size": 16,
}
STAGES = {"hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 1, 1]}
HEADS = {**STAGES, "hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 2, 3, 4]}
WINDOWS = {"patch_size": 4, "embed_dim": 24, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}


def net(family, size=SIZE, **options):
    """A classifier of four classes, by the first part of its names."""
    config = getattr(hf, f"{family}Config")(image_size=size, num_labels=4, **options)
    return getattr(hf, f"{family}ForImageClassification")(config)


def two_towers(family):
    """The classifiers of the image towers of CLIP and SigLIP; both average the patches."""
    text = {"num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 16, "bos_token_id": 0,
            "eos_token_id": 1, "pad_token_id": 1, "hidden_size": 16, "intermediate_size": 16}  # fmt: skip
    config = getattr(hf, f"{family}Config")(
        vision_config=ENCODER | {"image_size": 64}, text_config=text, num_labels=4
    )
    return getattr(hf, f"{family}ForImageClassification")(config)


class ClassToken(nn.Module):
    """CLIP's image tower with a linear head on its pooled output, as for linear probes."""

    def __init__(self):
        super().__init__()
        self.tower = hf.CLIPVisionModel(hf.CLIPVisionConfig(**ENCODER, image_size=64))
        self.head = nn.Linear(48, 4)

    def forward(self, x):
        return self.head(self.tower(x).pooler_output)


ROWS = {
    # The head reads the class token alone.
    "vit": (partial(net, "ViT", **ENCODER), SIZE, ".1.layernorm_before", Layout(TOKENS, (4, 6), 1), False),
    "deit": (partial(net, "DeiT", **ENCODER), SIZE, ".1.layernorm_before", Layout(TOKENS, (4, 6), 2), False),
    "beit, class token": (
        partial(net, "Beit", use_mean_pooling=False, **ENCODER),
        SIZE,
        ".1.layernorm_before",
        Layout(TOKENS, (4, 6), 1),
        False,
    ),
    "clip, class token": (ClassToken, (64, 64), ".1.layer_norm1", Layout(TOKENS, (4, 4), 1), False),
    # The mean of the last block's patches; with mean pooling the table's `beit.layernorm` does nothing.
    "beit": (partial(net, "Beit", **ENCODER), SIZE, ".1", Layout(TOKENS, (4, 6), 1), True),
    # Class token and mean of the patches; `dinov2` returns what `dinov2.layernorm` does. Made for squares of
    # 64 pixels, it takes other images all the same.
    "dinov2": (partial(net, "Dinov2", 64, **ENCODER), SIZE, "dinov2", Layout(TOKENS, (4, 6), 1), True),
    "dinov2, registers": (
        partial(net, "Dinov2WithRegisters", 64, **ENCODER),
        SIZE,
        "dinov2_with_registers",
        Layout(TOKENS, (4, 6), 5),
        True,
    ),
    "clip": (partial(two_towers, "CLIP"), (64, 64), "vision_model", Layout(TOKENS, (4, 4), 1), True),
    # `vision_model` returns what `vision_model.post_layernorm` does.
    "siglip": (partial(two_towers, "Siglip"), (64, 64), "vision_model", Layout(TOKENS, (4, 4), 0), True),
    "swin": (partial(net, "Swin", **WINDOWS), SIZE, "swin.layernorm", Layout(TOKENS, (8, 12), 0), True),
    "swin_v2": (
        partial(net, "Swinv2", **WINDOWS),
        SIZE,
        "swinv2.layernorm",
        Layout(TOKENS, (8, 12), 0),
        True,
    ),
    # The encoder returns what its last stage does.
    "convnext": (partial(net, "ConvNext", **STAGES), SIZE, "convnext.encoder", Layout(NCHW, (2, 3)), True),
    "convnext_v2": (
        partial(net, "ConvNextV2", **STAGES),
        SIZE,
        "convnextv2.encoder",
        Layout(NCHW, (2, 3)),
        True,
    ),
    "resnet": (
        partial(net, "ResNet", embedding_size=8, **STAGES),
        SIZE,
        "resnet.encoder",
        Layout(NCHW, (2, 3)),
        True,
    ),
    "pvt_v2": (partial(net, "PvtV2", **HEADS), SIZE, "pvt_v2", Layout(NCHW, (2, 3)), True),
    "poolformer": (partial(net, "PoolFormer", **STAGES), SIZE, "norm", Layout(NCHW, (2, 3)), True),
}


@pytest.mark.parametrize("name", ROWS)
def test_families(name):
    build, size, end, layout, constant = ROWS[name]
    made = seeded(build)
    path = find_layer(made, images(2, size)).path
    assert path.endswith(end)
    check_zoo(made, size, path, layout, constant)


@pytest.mark.parametrize("layer", ["vit.layernorm", "vit"])
def test_layers_behind_the_last_attention_are_refused(layer):
    made = seeded(partial(net, "ViT", **ENCODER))
    with pytest.raises(SaliencyError, match=r"exactly zero .*; try 'vit\..*\.layernorm_before'"):
        GradCAM(made, layer)(images(2, SIZE))


def test_only_what_a_module_passes_on_counts():
    # `beit` returns the tokens, which nobody reads, and their mean, which it computes itself.
    made = seeded(partial(net, "Beit", **ENCODER))
    with pytest.raises(SaliencyError, match="layer 'beit' does not influence the scores"):
        GradCAM(made, "beit")(images(2, SIZE))
    last = find_layer(made, images(2, SIZE)).path
    with pytest.raises(SaliencyError, match="layer 'beit' does not influence the scores"):
        GradCAM(made, [last, "beit"])(images(2, SIZE))


def test_siglip_has_a_closed_form():
    made, batch = seeded(partial(two_towers, "Siglip")), images(2, (64, 64))
    with torch.no_grad():
        tokens = made.vision_model(batch).last_hidden_state
        raw = (tokens @ made.classifier.weight[1]).reshape(2, 4, 4).relu()
    low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
    expected = (raw - low) / (high - low + 1e-7 * 16)  # The gradient is the weight over 4 x 4 places.
    torch.testing.assert_close(SafeCAM(made)(batch, 1).low, expected, rtol=0, atol=1e-4)


def test_tokens_are_where_their_patches_are():
    made, batch = seeded(partial(net, "ViT", **ENCODER)), torch.zeros(2, 3, *SIZE)
    batch[1, :, 32:48, 64:80] = 1  # Row 2, column 4.
    with torch.no_grad():
        maps = Layout(TOKENS, (4, 6), 1).to_maps(made.vit.embeddings(batch))
    assert (maps[0] != maps[1]).any(0).nonzero().tolist() == [[2, 4]]


@pytest.mark.parametrize(
    ("family", "options", "explainer"),
    [("ViT", ENCODER, SafeCAM), ("Beit", ENCODER, XGradCAM), ("ConvNext", STAGES, XGradCAM)],
)
def test_a_classifier_around_a_net_takes_pixels(family, options, explainer):
    made, pixels = seeded(partial(net, family, **options)), (images(2, SIZE) * 255).to(torch.uint8)
    spec = InputSpec(size=SIZE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (spec.mean, spec.std))
    normalised = (pixels / 255 - mean) / std
    expected = explainer(made)(normalised, 1)
    classifier = Classifier(made, spec, ("a", "b", "c", "d"))
    found = explainer(classifier)(pixels, 1)
    torch.testing.assert_close(found.maps, expected.maps, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.logits, made(normalised).logits.detach(), rtol=0, atol=1e-5)
    assert found.layer == expected.layer
    masked = Masker(classifier, threshold=MeanPlusStd(0.5)).mask(pixels)
    assert masked.hidden.any()
    assert torch.equal(masked.images, pixels.masked_fill(masked.hidden[:, None], 0))
