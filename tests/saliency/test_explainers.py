import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from masktune.errors import InputError, MasktuneWarning, SaliencyError
from masktune.saliency import (
    Explainer,
    GradCAM,
    GradCAMPlusPlus,
    LayerCAM,
    RandomMap,
    SafeCAM,
    SaliencyMaps,
    XGradCAM,
    enlarge,
)
from masktune.saliency.explainers import chance

from .tiny import FlatNet, PooledNet, images, seeded

METHODS = (XGradCAM, SafeCAM, GradCAM, GradCAMPlusPlus, LayerCAM, RandomMap)
each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_maps_are_at_the_images_size_and_logits_are_the_nets(method):
    net = seeded(FlatNet)
    found = method(net)(images())
    with torch.no_grad():
        torch.testing.assert_close(found.logits, net(images()))
    assert torch.equal(found.classes, found.logits.argmax(1))
    assert found.maps.shape == (4, 12, 20)
    assert found.low.shape == (4, 8, 16)
    assert torch.equal(found.maps, enlarge(found.low, (12, 20)))
    assert found.maps.min() == 0
    assert found.maps.amax((1, 2))[~found.empty].tolist() == pytest.approx(
        [1] * int((~found.empty).sum()), abs=1e-5
    )
    assert len(found) == 4


@each_method
@given(order=st.permutations(range(4)), cut=st.integers(1, 3))
def test_neither_the_order_nor_the_split_of_a_batch_matters(method, order, cut):
    explain, batch = method(seeded(FlatNet)), images()
    whole = explain(batch).low[list(order)]
    parts = [explain(part).low for part in (batch[list(order)][:cut], batch[list(order)][cut:])]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", [XGradCAM, GradCAM, LayerCAM])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_the_scale_of_the_logits_does_not_matter(method, factor):
    net, batch = seeded(PooledNet), images()
    before = method(net, "first")(batch).maps
    with torch.no_grad():
        net.head.weight *= factor
        net.head.bias *= factor
    torch.testing.assert_close(method(net, "first")(batch).maps, before, rtol=0, atol=1e-4)


def test_one_class_for_all_or_one_each():
    explain, batch = XGradCAM(seeded(FlatNet)), images()
    by_class = [explain(batch, one) for one in range(3)]
    each = explain(batch, torch.tensor([2, 0, 1, 0]))
    assert each.classes.tolist() == [2, 0, 1, 0]
    assert torch.equal(explain(batch, [2, 0, 1, 0]).low, each.low)
    for image, one in enumerate([2, 0, 1, 0]):
        assert by_class[one].classes.tolist() == [one] * 4
        torch.testing.assert_close(each.low[image], by_class[one].low[image], rtol=0, atol=1e-6)
    assert not torch.equal(by_class[0].low, by_class[1].low)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (3, "expected classes from 0 to 2, got 3 to 3"),
        (-1, "expected classes from 0 to 2, got -1 to -1"),
        (torch.tensor([0, 1, 5, 0]), "got 0 to 5"),
        ([0, 1, 5, 0], "got 0 to 5"),
        ([0, 1], r"one class for each of 4 images as int64, got \(2,\)"),
        (torch.tensor([0]), r"one class for each of 4 images as int64, got \(1,\)"),
        (torch.tensor([[0, 1, 2, 0]]), r"got \(1, 4\)"),
        (torch.tensor([0.0, 1, 2, 0]), r"got \(4,\) torch.float32"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes, message):
    with pytest.raises(InputError, match=message):
        XGradCAM(seeded(FlatNet))(images(), classes)


class OneLogit(PooledNet):
    def __init__(self):
        super().__init__(classes=1)


class Squeezed(OneLogit):
    def forward(self, x):
        return super().forward(x)[:, 0]


@pytest.mark.parametrize("build", [OneLogit, Squeezed])
def test_a_one_logit_net_is_the_two_class_head(build):
    class TwoLogits(OneLogit):
        def forward(self, x):
            z = super().forward(x)
            return torch.cat((torch.zeros_like(z), z), 1)

    one, two, batch = seeded(build), seeded(TwoLogits), images()
    found = GradCAM(one, "first")(batch)
    expected = GradCAM(two, "first")(batch)
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.classes, expected.classes)
    for_one = GradCAM(one, "first")(batch, 1).maps
    torch.testing.assert_close(for_one, GradCAM(two, "first")(batch, 1).maps, rtol=0, atol=1e-6)
    assert torch.equal(found.classes, (one(batch).reshape(4) > 0).long())


def test_class_zero_of_one_logit_is_scored_by_minus_it():
    net = seeded(OneLogit)
    for_zero = GradCAM(net, "second")(images(), 0).low
    with torch.no_grad():
        net.head.weight.neg_()
    assert torch.equal(GradCAM(net, "second")(images(), 1).low, for_zero)
    assert for_zero.any()
    with pytest.raises(InputError, match="expected classes from 0 to 1, got 2 to 2"):
        GradCAM(net, "second")(images(), 2)


def test_empty_says_where_nothing_speaks_for_the_class():
    net = seeded(
        lambda: nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    )
    with torch.no_grad():
        net[0].weight.fill_(1)
        net[3].weight.copy_(torch.tensor([[-1.0] * 4, [1.0] * 4]))
    batch = torch.tensor([[0.0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]).reshape(3, 1, 2, 2)
    for_one = GradCAM(net, "1")(batch, 1)
    assert for_one.empty.tolist() == [True, True, False]  # Nothing there; no contrast; one pixel.
    assert for_one.maps.amax((1, 2)).tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    assert GradCAM(net, "1")(batch, 0).empty.tolist() == [
        True,
        True,
        True,
    ]  # All evidence is against class 0.


def test_empty_of_several_layers_wants_all_empty():
    low = (torch.tensor([[[0.0, 1.0]], [[0, 0]]]), torch.zeros(2, 1, 1))
    found = SaliencyMaps(low, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 2), ("a", "b"), (2, 2))
    assert found.empty.tolist() == [False, True]


def test_several_layers_give_the_mean_of_their_maps():
    net, batch = seeded(PooledNet), images()
    found = XGradCAM(net, ["first", "second"])(batch)
    assert [tuple(low.shape) for low in found.low] == [(4, 12, 20), (4, 6, 10)]
    assert torch.equal(found.maps, enlarge(found.low, (12, 20)))


@pytest.mark.parametrize(
    ("ids", "names"), [(None, "samples 1, 3"), (("cat/1", "cat/2", "dog/1", "dog/2"), "samples cat/2, dog/2")]
)
@each_method
def test_maps_that_are_no_numbers_are_refused_by_name(method, ids, names):
    batch = images()
    explain = method(seeded(FlatNet))
    explain(batch)
    batch[1, 0, 3, 3], batch[3] = torch.nan, torch.inf
    with pytest.raises(SaliencyError, match=rf"the map of 2 of 4 images is not finite \({names}\)"):
        explain(batch, 0, ids)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (images()[0], r"shape \(batch, channels, height, width\), got \(3, 12, 20\)"),
        (images()[:0], r"shape \(batch, channels, height, width\), got \(0, 3, 12, 20\)"),
        (images().to(torch.int64), "float images for a plain net, got int64"),
        (
            images(channels=1),
            "expected images with 3 channels, which the net's first convolution takes, got 1",
        ),
    ],
)
@pytest.mark.parametrize("layer", [None, "features.5"])
def test_images_that_do_not_fit_are_refused(batch, message, layer):
    with pytest.raises(InputError, match=message):
        XGradCAM(seeded(FlatNet), layer)(batch)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            images(size=(20, 20)),
            r"the net cannot take images of shape \(3, 20, 20\) and torch.float32: mat1 and mat2 shapes",
        ),
        (
            images().double(),
            r"expected images of the net's torch.float32, got torch.float64; call .float\(\) on them",
        ),
        (images().half(), r"net's torch.float32, got torch.float16; call .float\(\)"),
    ],
)
@pytest.mark.parametrize("layer", [None, "features.5"])
def test_what_torch_says_of_a_batch_comes_as_one_line(batch, message, layer):
    with pytest.raises(InputError, match=message) as caught:
        XGradCAM(seeded(FlatNet), layer)(batch)
    assert "\n" not in str(caught.value)
    assert type(caught.value.__cause__) is RuntimeError


def test_a_net_that_casts_its_images_takes_any_float():
    class Casts(FlatNet):
        def forward(self, x):
            return super().forward(x.float())

    found = XGradCAM(seeded(Casts))(images().double())
    assert torch.equal(found.low, XGradCAM(seeded(FlatNet))(images()).low)


# The second is no gap in our code: it is what a net of somebody else's may raise, and being a RuntimeError it
# must not be taken for a layer that has no gradient.
@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("bug"),
        NotImplementedError("a kind of RuntimeError"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("layer", [None, "features.5"])
def test_the_nets_own_errors_pass(error, layer):
    def fail(*_):
        raise error

    net = seeded(FlatNet)
    net.head.register_forward_pre_hook(fail)
    with pytest.raises(type(error)) as caught:
        XGradCAM(net, layer)(images())
    assert caught.value is error


def test_an_array_of_numpy_is_no_tensor(unchecked):
    with pytest.raises(InputError, match=r"as a torch tensor, got ndarray; torch.from_numpy"):
        XGradCAM(seeded(FlatNet))(images().numpy())


def test_classes_that_are_no_numbers(unchecked):
    with pytest.raises(InputError, match=r"expected classes as whole numbers, got \['cat'\]"):
        XGradCAM(seeded(FlatNet))(images(), ["cat"])


class Laid(FlatNet):
    """Keeps the layout of what it is given; with `views` it takes contiguous images only."""

    views = False

    def forward(self, x):
        self.channels_last = x.is_contiguous(memory_format=torch.channels_last)
        features = self.features(x)
        return self.head(features.view(len(x), -1) if self.views else features.flatten(1))


class Views(Laid):
    views = True


@pytest.mark.parametrize("layer", [None, "features.5"])
def test_images_go_in_channels_last_where_the_net_can_take_it(layer):
    expected = XGradCAM(seeded(FlatNet), layer)(images()).low
    for build in (Laid, Views):
        net = seeded(build)
        explain = XGradCAM(net, layer)
        for _ in range(2):
            torch.testing.assert_close(explain(images()).low, expected, rtol=0, atol=1e-5)
            assert net.channels_last == (build is Laid)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_nets_of_other_precision(dtype):
    net = seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(720, 2)))
    batch = images(channels=1)
    expected = XGradCAM(net)(batch).low
    found = XGradCAM(net.to(dtype))(batch.to(dtype)).low
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)


def test_images_may_lie_in_memory_as_they_like():
    net = seeded(FlatNet)
    expected = XGradCAM(net)(images()).low
    for batch in (images().transpose(2, 3).contiguous().transpose(2, 3), images().repeat(1, 2, 1, 1)[:, ::2]):
        assert not batch.is_contiguous()
        wanted = expected if torch.equal(batch, images()) else XGradCAM(net)(batch.contiguous()).low
        torch.testing.assert_close(XGradCAM(net)(batch).low, wanted, rtol=0, atol=1e-5)


def test_normalised_images_are_accepted():
    assert XGradCAM(seeded(FlatNet))((images() - 0.5) / 0.1).maps.shape == (4, 12, 20)


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()])
def test_probabilities_instead_of_logits_are_worth_a_warning(last):
    explain = GradCAM(nn.Sequential(seeded(PooledNet), last))
    with pytest.warns(MasktuneWarning, match=f"the net ends in {type(last).__name__}"):
        explain(images())
    explain(images())  # Once is enough, at another size too.
    explain(images(size=(16, 16)))


def test_float64_nets_stay_exact_and_give_float32_maps():
    found = XGradCAM(seeded(FlatNet).double())(images().double())
    assert found.low.dtype == found.maps.dtype == found.logits.dtype == torch.float32
    torch.testing.assert_close(found.maps, XGradCAM(seeded(FlatNet))(images()).maps, rtol=0, atol=1e-4)


def test_explainers_print_compare_and_fit_the_protocol():
    net = seeded(FlatNet)
    explain: Explainer = XGradCAM(net, ["features.5"])
    assert repr(explain) == "XGradCAM(layer=('features.5',))"
    assert repr(RandomMap(net, seed=3)) == "RandomMap(layer=None, seed=3)"
    before = hash(explain)
    explain(images())
    assert explain == XGradCAM(net, ("features.5",))
    assert hash(explain) == before
    assert explain != GradCAM(net, ["features.5"])


def test_random_maps_depend_on_seed_and_id_alone():
    explain, batch, ids = RandomMap(seeded(FlatNet)), images(), ("a", "b", "c", "d")
    state = torch.get_rng_state()
    whole = explain(batch, ids=ids).low
    assert torch.equal(torch.get_rng_state(), state)
    # Convolutions of another batch size may differ in the last bit.
    torch.testing.assert_close(explain(batch[2:3], ids=("c",)).low, whole[2:3], rtol=0, atol=1e-6)
    torch.testing.assert_close(explain(batch.flip(0), 1, ids[::-1]).low, whole.flip(0), rtol=0, atol=1e-6)
    assert not torch.equal(explain(batch, ids=("a", "b", "c", "e")).low[3], whole[3])
    other = RandomMap(seeded(FlatNet), seed=1)(batch, ids=ids).low
    assert not torch.equal(other, whole)


def test_random_maps_without_ids_depend_on_the_image():
    explain, batch = RandomMap(seeded(FlatNet)), images()
    whole = explain(batch).low
    torch.testing.assert_close(explain(batch.flip(0)).low, whole.flip(0), rtol=0, atol=1e-6)
    # The same image twice has the same map.
    twice = explain(batch[[0, 0]]).low
    assert torch.equal(twice[0], twice[1])


PINNED = [-0.259126, -0.763548, -0.644189]


def test_random_weights_are_uniform_from_minus_one_to_one():
    weights = chance(0, b"a", 4000)
    assert weights.mean().abs() < 0.05
    assert weights.min() < -0.99
    assert weights.max() > 0.99
    # Pinned, so that masks made today are those made tomorrow.
    assert weights[:3].tolist() == pytest.approx(PINNED, abs=1e-6)


def test_ids_must_be_as_many_as_images():
    with pytest.raises(InputError, match="expected 4 ids, one an image, got 2"):
        RandomMap(seeded(FlatNet))(images(), ids=("a", "b"))


@pytest.mark.parametrize("method", [XGradCAM, GradCAM, GradCAMPlusPlus, LayerCAM, RandomMap])
def test_maps_say_which_formula_made_them(method):
    assert method(seeded(FlatNet))(images()).method == method.__name__
