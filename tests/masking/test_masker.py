import copy
import pickle
import threading
import warnings

import pytest
import torch
from torch import nn

from masktune.errors import InputError, MasktuneWarning
from masktune.masking.archive import SavedMaps
from masktune.masking.fills import Noise
from masktune.masking.masker import Masker
from masktune.masking.thresholds import MeanPlusStd, TopFraction
from masktune.saliency import GradCAM, LayerCAM, SafeCAM, XGradCAM
from masktune.types import Batch

from .fakes import BrightPatches, Pixels, small_net

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def some_images(count=5):
    return torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(1))


def bright_patch():
    """A dark image of bytes whose cell (1, 2) of a 4 x 4 grid is white; all else is 10."""
    images = torch.full((1, 3, 16, 16), 10, dtype=torch.uint8)
    images[:, :, 4:8, 8:12] = 255
    return images


def patches(threshold=MeanPlusStd(), fill="black", grid=(4, 4)):  # noqa: B008 - it is frozen.
    net = nn.Identity()
    return Masker(net, explainer=BrightPatches(net, grid=grid), threshold=threshold, fill=fill)


def test_the_bright_patch_turns_black():
    # At layer size there is one positive cell, so half its value is a threshold that finds just this cell.
    def half(maps):
        return maps > 0.5

    images = bright_patch()
    masked = patches(half)(images)
    assert masked.dtype == torch.uint8
    assert (masked[:, :, 4:8, 8:12] == 0).all()
    assert (masked == 10).sum() + (masked == 0).sum() == masked.numel()
    assert torch.equal(patches(half).hidden(images), masked[:, 0] == 0)


def test_one_call_gives_images_masks_and_counts():
    images = torch.cat([bright_patch(), torch.zeros_like(bright_patch())])
    masker = patches(TopFraction(0.125))
    result = masker.mask(images)
    assert torch.equal(result.images, masker(images))
    assert torch.equal(result.hidden, masker.hidden(images))
    # 32 of 256 pixels of the first image, none of the second, whose map is empty.
    assert (result.statistics.n, result.statistics.no_evidence, result.statistics.hidden_share) == (
        2,
        1,
        0.0625,
    )


def test_several_layers_are_thresholded_together():
    net = nn.Identity()
    images = some_images()
    several = BrightPatches(net, layers=2)
    hidden = Masker(net, explainer=several).hidden(images)
    assert torch.equal(hidden, MeanPlusStd()(several(images).maps))
    assert hidden.any()


@pytest.mark.parametrize("explainer", [None, XGradCAM, GradCAM], ids=str)
def test_any_net_of_pixels(explainer):
    images = some_images()
    masker = Masker(small_net(), explainer=explainer, threshold=MeanPlusStd(1.0))
    masked, hidden = masker(images), masker.hidden(images)
    assert hidden.any()
    assert masked.dtype == torch.float32
    assert torch.equal(masked, images.masked_fill(hidden[:, None], 0))


def test_a_given_explainer_is_used():
    net, images = small_net(), some_images()
    by_default, by_layer = Masker(net), Masker(net, explainer=XGradCAM(net, layer="relu"))
    assert by_layer.explainer(images).layer == "relu"
    assert not torch.equal(by_default.hidden(images), by_layer.hidden(images))


@pytest.mark.vision
@pytest.mark.parametrize(
    ("name", "options", "explainer"),
    [
        ("vit_tiny_patch16_224", {"img_size": (64, 96), "depth": 2}, LayerCAM),
        ("resnet18", {}, XGradCAM),
    ],
)
def test_the_safe_formula_is_the_default(name, options, explainer):
    # Warnings are errors here, and XGradCAM would warn of a class-token transformer.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = pytest.importorskip("timm").create_model(name, num_classes=4, **options)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    masker = Masker(net, threshold=MeanPlusStd(1.0))
    found = masker.explainer(images)
    assert found.method == explainer.__name__
    assert torch.equal(found.maps, explainer(net)(images).maps)
    hidden = masker.hidden(images)
    assert hidden.any()
    assert torch.equal(hidden, Masker(net, explainer=explainer, threshold=MeanPlusStd(1.0)).hidden(images))
    assert torch.equal(masker(images), images.masked_fill(hidden[:, None], 0))


@pytest.mark.parametrize(("layer", "method"), [("last_relu", "XGradCAM"), ("norm", "LayerCAM")])
def test_saved_maps_name_the_formula_that_was_used(layer, method):
    batch = Batch(some_images(), torch.zeros(5, dtype=torch.int64), tuple("abcde"))
    saved = SavedMaps.compute(SafeCAM(small_net(), layer), [batch], weights_sha256="abc")
    assert (saved.manifest.method, saved.manifest.layer) == (method, layer)


@pytest.mark.filterwarnings("ignore:5 of 10 masks hide nothing")  # Nothing speaks for class 0.
def test_the_class_can_be_given():
    masker, images = Masker(small_net(), threshold=MeanPlusStd(0.5)), some_images()
    masks = [masker.hidden(images, classes=torch.full((5,), one)) for one in range(3)]
    assert torch.equal(masker.hidden(images, classes=1), masks[1])
    assert not torch.equal(masks[0], masks[1])


def test_masks_do_not_depend_on_batch_or_order():
    masker, images = Masker(small_net(), threshold=MeanPlusStd(1.0), fill=Noise()), some_images()
    ids = [str(number) for number in range(5)]
    whole, order = masker(images, ids=ids), [3, 0, 4, 1, 2]
    torch.testing.assert_close(masker(images[order], ids=[ids[at] for at in order]), whole[order])
    torch.testing.assert_close(masker(images[2:3], ids=ids[2:3]), whole[2:3])


def test_black_is_minus_mean_over_std_in_normalised_images():
    net = small_net()
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))
    images = (some_images() - mean) / std
    masker = Masker(net, mean=MEAN, std=STD, threshold=MeanPlusStd(1.0))
    masked, hidden = masker(images), masker.hidden(images)
    black = (-mean / std).expand_as(images)
    assert torch.equal(masked, torch.where(hidden[:, None], black, images))
    # The net gets the images as they are.
    assert torch.equal(
        hidden, Masker(net, threshold=MeanPlusStd(1.0), mean=(0.0,), std=(1.0,)).hidden(images)
    )


def test_the_mean_of_the_data_set_is_zero_in_normalised_images():
    masker = Masker(small_net(), mean=MEAN, std=STD, fill="dataset_mean", threshold=MeanPlusStd(1.0))
    images = 4 * some_images() - 2
    masked = masker.mask(images)
    assert masked.hidden.any()
    assert torch.equal(masked.images, images.masked_fill(masked.hidden[:, None], 0))


def test_a_wrapper_takes_bytes():
    net = Pixels(small_net())
    images = (some_images() * 255).byte()
    masker = Masker(net, threshold=MeanPlusStd(1.0))
    assert masker(images).dtype == torch.uint8
    assert masker.hidden(images).any()
    # The same evidence as from floats, which are scaled in the same way.
    assert torch.equal(masker.hidden(images), masker.hidden(images / 255))


def test_the_net_is_left_as_it_was():
    net = small_net().train()
    net.norm.eval()
    modes = [module.training for module in net.modules()]
    before = copy.deepcopy(net.state_dict())
    masker = Masker(net)
    state = torch.get_rng_state()
    masker(some_images())
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert all(not module._forward_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_net_is_not_the_maskers():
    net = small_net()
    masker = Masker(net)
    assert not list(masker.parameters())
    assert not masker.state_dict()
    assert not list(masker.children())
    masker.eval()
    masker.half()
    assert net.training
    assert net.head.weight.dtype == torch.float32
    # Within a model it adds nothing to what is trained or saved.
    model = nn.ModuleDict({"net": net, "masker": masker})
    assert not any(name.startswith("masker") for name in model.state_dict())


def test_it_masks_the_same_in_train_mode_and_in_any_grad_mode():
    net, images = small_net(), some_images()
    masker = Masker(net, threshold=MeanPlusStd(1.0))
    hidden = masker.hidden(images)
    net.eval()
    assert torch.equal(masker.hidden(images), hidden)
    with torch.no_grad():
        assert torch.equal(masker.hidden(images), hidden)
    with torch.inference_mode():
        assert torch.equal(masker.hidden(images), hidden)


def test_it_works_inside_a_training_step_under_amp():
    net, images = small_net(), some_images()
    masker = Masker(net, threshold=MeanPlusStd(1.0), fill="blur")
    with torch.autocast("cpu", torch.bfloat16):
        masked = masker(images)
        loss = net(masked).float().square().mean()
    loss.backward()
    assert masked.dtype == torch.float32
    assert not masked.requires_grad
    assert all(parameter.grad is not None for parameter in net.parameters())
    # The blur itself does not run in half precision.
    hidden = masker.mask(images).hidden
    both = hidden & (masked != images).any(1)
    torch.testing.assert_close(masked.movedim(1, -1)[both], masker(images).movedim(1, -1)[both])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda masker: pickle.loads(pickle.dumps(masker))])
def test_a_copy_masks_alike_with_a_net_of_its_own(duplicate):
    masker, images = Masker(small_net(), threshold=MeanPlusStd(1.0), fill="image_mean"), some_images()
    twin = duplicate(masker)
    assert torch.equal(twin(images), masker(images))
    assert twin.explainer.net is not masker.explainer.net
    model = nn.ModuleDict({"net": masker.explainer.net})
    model.masker = masker
    together = copy.deepcopy(model)  # Copied with its net, it masks with that copy.
    assert together.masker.explainer.net is together["net"]


def warnings_of(masker, *batches):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for batch in batches:
            masker(batch)
    return [str(one.message) for one in caught if one.category is MasktuneWarning]


def test_empty_masks_are_said_once_over_several_calls():
    black = torch.zeros(3, 3, 16, 16, dtype=torch.uint8)
    masker = patches(TopFraction(0.1))
    assert warnings_of(masker, black, black) == []  # Six are too few to say.
    assert warnings_of(masker, *[black] * 4) == [
        "9 of 9 masks hide nothing: 9 maps have no positive value; check the net, or try another layer"
    ]
    assert (masker.statistics.n, masker.statistics.no_evidence) == (18, 18)


def test_a_threshold_above_the_maps_is_said():
    assert warnings_of(patches(MeanPlusStd(9.0)), some_images(8)) == [
        "8 of 8 masks hide nothing: 8 thresholds are above their map's maximum; lower k, or use TopFraction"
    ]


def test_healthy_masks_are_counted_in_silence():
    masker, few = patches(TopFraction(0.25)), some_images(10)
    few[0] = 0
    assert warnings_of(masker, few, few) == []
    masker.hidden(few)
    masker.mask(few)
    assert (masker.statistics.n, masker.statistics.empty) == (40, 4)
    assert masker.statistics.hidden_share == pytest.approx(0.9 * 0.25)


def test_threads_count_together_and_a_copy_counts_on_its_own():
    masker, images = patches(TopFraction(0.25)), some_images()
    threads = [threading.Thread(target=lambda: [masker(images) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    twin = pickle.loads(pickle.dumps(masker))
    masker(images)
    assert (masker.statistics.n, twin.statistics.n) == (105, 100)


@pytest.mark.usefixtures("unchecked")
def test_classes_may_be_a_list_also_for_an_explainer_that_knows_none():
    net, images = nn.Identity(), some_images(2)
    result = Masker(net, explainer=BrightPatches(net)).explainer
    seen = []

    def explain(images, classes=None, ids=None):
        seen.append(classes)
        return result(images, classes, ids)

    Masker(net, explainer=explain)(images, classes=[1, 0])
    assert torch.equal(seen[0], torch.tensor([1, 0]))


@pytest.mark.usefixtures("unchecked")
def test_an_array_of_numpy_is_no_tensor():
    with pytest.raises(InputError, match=r"as a torch tensor, got ndarray; torch.from_numpy"):
        Masker(small_net())(some_images().numpy())


def test_pixels_may_miss_their_range_by_rounding():
    images = torch.rand(1, 3, 16, 16)
    images[0, 0, 0, 0] = 1.0000001
    Masker(small_net())(images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            torch.rand(3, 8, 8),
            r"expected images \(batch, channels, height, width\) as uint8 or floats, got \(3, 8, 8\)",
        ),
        (torch.ones(1, 3, 8, 8, dtype=torch.int64), r"got \(1, 3, 8, 8\) as torch.int64"),
        (
            torch.full((1, 3, 8, 8), -0.5),
            r"expected images with values in \[0, 1\], got -0.5 to -0.5; .*mean=..., std=...",
        ),
        (
            torch.full((1, 3, 8, 8), 255.0),
            r"got 255 to 255; divide values up to 255 by 255, or, if they are normalised, pass Masker",
        ),
        (torch.full((1, 3, 8, 8), torch.nan), r"got nan to nan"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_images_that_cannot_be_used(images, message):
    with pytest.raises(InputError, match=message) as caught:
        Masker(small_net())(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: Masker(net, mean=MEAN), "expected mean and std together, or neither"),
        (
            lambda net: Masker(net, mean=MEAN, std=(1.0, 0.0, 1.0)),
            r"expected a positive std, got \(1.0, 0.0, 1.0\)",
        ),
        (
            lambda net: Masker(Pixels(net), mean=MEAN, std=STD),
            "Pixels normalises its images itself; leave out mean and std",
        ),
        (lambda net: Masker(net, fill="blakc"), "did you mean 'black'"),
        (lambda net: Masker(net, fill="dataset_mean"), "the fill 'dataset_mean' needs the mean"),
        (lambda net: Masker(net, explainer=XGradCAM(small_net())), "the explainer explains another net"),
        (
            lambda net: Masker(net, mean=MEAN, std=STD)(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)),
            "mean and std are for normalised images, got uint8; leave them out",
        ),
        (
            lambda net: Masker(net)(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)),
            "expected float images for a plain net, got uint8",
        ),
        (lambda net: Masker(net, mean=MEAN[:2], std=STD[:2])(some_images()), "expected 1 or 3 numbers"),
        (
            lambda net: Masker(net, explainer=BrightPatches(net, layers=2), threshold=MeanPlusStd(at="map"))(
                some_images()
            ),
            "several layers have no map at layer size",
        ),
        (lambda net: Masker(net, fill="noise")(some_images()), "the noise fill draws by sample id"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InputError, match=message):
        make(small_net())
