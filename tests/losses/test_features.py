import numpy as np
import pytest
import torch
from torch import nn

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses
from inpaint.losses.features import gram_matrix
from inpaint.nn.vgg import VGG

MEAN, DEVIATION = (np.array(v).reshape(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
POOLS = ("pool1", "pool2", "pool3")


@pytest.fixture(scope="module")
def vgg():
    return VGG("vgg16", weights="random").double()


@pytest.fixture
def record():
    generator = torch.Generator().manual_seed(2)
    raw, image = torch.rand(2, 2, 3, 24, 17, generator=generator, dtype=torch.float64)
    mask = (torch.rand(2, 1, 24, 17, generator=generator) < 0.4).double()
    completed = torch.where(mask > 0.5, raw, image)
    return {"raw": raw, "image": image, "mask": mask, "completed": completed, "hole_share": mask.mean()}


def losses(**terms):
    defaults = {"of": "raw", "weight": 1.0, "weights": "random"}
    return parse_losses({name: {**defaults, **options} for name, options in terms.items()})


def features(vgg, image, layers=POOLS, *, normalize=True):
    """What the VGG makes of an image that NumPy has normalized, as arrays."""
    array = image.detach().numpy()
    array = (array - MEAN) / DEVIATION if normalize else array
    with torch.no_grad():
        return {name: f.numpy() for name, f in vgg(torch.as_tensor(array), layers).items()}


def gram(array):
    return np.einsum("bcyx,bdyx->bcd", array, array)


def test_perceptual_adds_the_mean_differences_of_all_layers_and_images(vgg, record):
    truth = features(vgg, record["image"])
    expected = sum(
        np.abs(painted[layer] - truth[layer]).mean()
        for painted in (features(vgg, record[name]) for name in ("raw", "completed"))
        for layer in POOLS
    )
    found = losses(it={"kind": "perceptual", "of": ["raw", "completed"]}).of_record(record)["it"]
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_layers_can_be_weighted_and_differences_squared(vgg, record):
    layers = {"relu1_2": 0.5, "pool3": 2.0}
    painted, truth = (features(vgg, record[name], layers) for name in ("raw", "image"))
    expected = sum(weight * np.square(painted[layer] - truth[layer]).mean() for layer, weight in layers.items())
    found = losses(it={"kind": "perceptual", "layers": layers, "norm": "l2"}).of_record(record)["it"]
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_statistics_are_compared_by_means_and_deviations_of_channels(vgg, record):
    layers = ("relu1_1", "relu3_1")
    painted, truth = (features(vgg, record[name], layers) for name in ("raw", "image"))

    def of(array):
        return array.mean(axis=(2, 3)), np.sqrt(array.var(axis=(2, 3), ddof=1) + 1e-5)

    expected = sum(
        np.square(a - b).mean() for layer in layers for a, b in zip(of(painted[layer]), of(truth[layer]), strict=True)
    )
    found = losses(it={"kind": "statistics", "layers": layers}).of_record(record)["it"]
    assert found.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", ["style", "statistics"])
def test_styles_may_have_another_size_and_be_one_for_all_samples(record, kind):
    picture = torch.rand(1, 3, 33, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    term = losses(it={"kind": kind, "target": "style", "layers": ["relu2_1"], "norm": "l2"})
    one = term.of_record({**record, "style": picture})["it"]
    each = term.of_record({**record, "style": picture.expand(2, -1, -1, -1)})["it"]
    assert one.item() == pytest.approx(each.item(), rel=1e-10)
    alike = losses(it={"kind": kind, "of": "style", "target": "style", "layers": ["relu2_1"], "norm": "l2"})
    assert alike.of_record({**record, "style": picture})["it"].item() == 0


@pytest.mark.parametrize("kind", ["style", "statistics"])
def test_each_sample_of_a_batch_may_count_for_itself(record, kind):
    def found(counts, raw):
        term = losses(it={"kind": kind, "layers": ["relu1_2"], "sample_weights": "counts"})
        return term.of_record({**record, "raw": raw, "counts": torch.tensor(counts)})["it"].item()

    raw = record["raw"]
    first, second, both = found([1.0, 0.0], raw), found([0.0, 1.0], raw), found([3.0, 0.5], raw)
    assert both == pytest.approx(3 * first + 0.5 * second, rel=1e-10)
    plain = losses(it={"kind": kind, "layers": ["relu1_2"]}).of_record(record)["it"].item()
    assert first + second == pytest.approx(plain, rel=1e-10)
    assert "counts" in losses(it={"kind": kind, "sample_weights": "counts"}).terms["it"].entries


@pytest.mark.parametrize(("preset", "divisor"), [("chw", lambda c, n: c * n), ("hw", lambda c, n: n), ("none", None)])
def test_style_is_the_mean_difference_of_gram_matrices(vgg, record, preset, divisor):
    painted, truth = (features(vgg, record[name]) for name in ("raw", "image"))
    expected = 0.0
    for layer in POOLS:
        _, channels, height, width = painted[layer].shape
        scale = divisor(channels, height * width) if divisor else 1
        expected += np.abs(gram(painted[layer]) - gram(truth[layer])).mean() / scale
    found = losses(it={"kind": "style", "gram": preset}).of_record(record)["it"]
    assert found.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("region", ["hole", "known"])
def test_masked_style_compares_one_region_only_and_can_leave_the_input_as_it_is(vgg, record, region):
    chosen = record["mask"] if region == "hole" else 1 - record["mask"]
    pair = (features(vgg, record[name] * chosen, ["relu2_2"], normalize=False) for name in ("raw", "image"))
    painted, truth = (f["relu2_2"] for f in pair)
    expected = np.abs(gram(painted) - gram(truth)).mean() / painted[0].size
    options = {"kind": "style", "region": region, "normalize_input": False, "layers": ["relu2_2"]}
    assert losses(it=options).of_record(record)["it"].item() == pytest.approx(expected, rel=1e-10)


def test_every_set_of_images_goes_through_once_however_many_terms_there_are(record, monkeypatch):
    batches = []
    forward = VGG.forward

    def counted(self, images, layers):
        batches.append((len(images), torch.is_grad_enabled(), images.requires_grad))
        return forward(self, images, layers)

    monkeypatch.setattr(VGG, "forward", counted)
    three = losses(
        perceptual={"kind": "perceptual", "of": ["raw", "completed"]},
        style={"kind": "style", "of": ["raw", "completed"]},
        more={"kind": "style", "of": "raw", "region": "hole"},
    )
    leaf = record["raw"].requires_grad_()
    painted = {**record, "completed": torch.where(record["mask"] > 0.5, leaf, record["image"])}
    sum(three.of_record(painted).values()).backward()
    # Two images as raw, completed and masked raw with gradient; as truth and masked truth without.
    assert batches == [(6, True, True), (4, False, False)]
    assert leaf.grad.abs().sum() > 0


def test_terms_computed_together_equal_terms_computed_alone(record):
    blocks = {
        "perceptual": {"kind": "perceptual", "of": ["raw", "completed"]},
        "style": {"kind": "style", "region": "hole", "layers": ["relu2_1"], "normalize_input": False},
    }
    together = losses(**blocks).of_record(record)
    for name, block in blocks.items():
        alone = losses(it=block).of_record(record)["it"]
        assert together[name].item() == pytest.approx(alone.item(), rel=1e-12)


def test_the_truth_gets_no_gradient_and_the_completed_only_in_the_hole(record):
    leaves = {name: record[name].clone().requires_grad_() for name in ("raw", "image")}
    completed = torch.where(record["mask"] > 0.5, leaves["raw"], record["image"])
    block = {"kind": "perceptual", "of": "completed"}
    losses(it=block).of_record({**record, **leaves, "completed": completed})["it"].backward()
    assert leaves["image"].grad is None
    touched = leaves["raw"].grad.abs().sum(dim=1, keepdim=True) > 0
    assert torch.equal(touched, record["mask"] > 0.5)


@pytest.mark.parametrize("kind", ["perceptual", "style"])
def test_gradients_match_finite_differences(record, kind):
    one = losses(it={"kind": kind, "layers": ["conv1_2"], "norm": "l2"})
    raw = record["raw"][:, :, :8, :8].clone().requires_grad_()
    small = {"image": record["image"][:, :, :8, :8]}
    one.of_record({**small, "raw": raw})["it"].backward()
    direction = torch.randn(raw.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    step = 1e-7  # small enough to cross no kink of a ReLU
    with torch.no_grad():
        ahead, behind = (
            one.of_record({**small, "raw": raw + sign * step * direction})["it"].item() for sign in (1, -1)
        )
    assert (raw.grad * direction).sum().item() == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_equal_images_differ_in_nothing(record):
    both = losses(a={"kind": "perceptual", "of": "image"}, b={"kind": "style", "of": "image"}).of_record(record)
    assert [value.item() for value in both.values()] == [0.0, 0.0]


def test_losses_inside_autocast_stay_near_those_in_single_precision(record):
    single = {name: value.float() for name, value in record.items()}
    blocks = {"a": {"kind": "perceptual"}, "b": {"kind": "style"}}
    exact = losses(**blocks).of_record(single)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = losses(**blocks).of_record(single)
    for name, value in exact.items():
        assert mixed[name].dtype == torch.float32
        assert mixed[name].item() == pytest.approx(value.item(), rel=0.05)


def test_selections_share_the_network(record, monkeypatch):
    built = []
    build = VGG.__init__
    monkeypatch.setattr(VGG, "__init__", lambda self, *a, **k: (built.append(a), build(self, *a, **k))[1])
    both = losses(a={"kind": "perceptual"}, b={"kind": "style"})
    for selected in (both, both.only("a"), both.where(lambda term: term.kind == "style")):
        selected.of_record(record)
    assert len(built) == 1


def test_a_term_of_weight_zero_is_left_out_with_its_network(record):
    left_out = {"a": {"kind": "perceptual", "of": "raw", "weight": 0.0, "weights": "nowhere.pth"}}
    only_known = parse_losses({**left_out, "b": {"kind": "l1", "of": "raw", "weight": 1.0}})
    assert only_known.weighted().terms.keys() == {"b"}
    assert only_known.weighted().of_record(record).keys() == {"b"}


def test_images_without_three_colors_are_refused(record):
    gray = {**record, "raw": record["raw"][:, :1]}
    with pytest.raises(ConfigError, match=r"of=raw: features are taken of RGB images, this entry is \(2, 1, 24, 17\)"):
        losses(it={"kind": "style"}).of_record(gray)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["relu3_4"]}, r"losses.it: layers: unknown layer of vgg16 'relu3_4' .did you mean 'relu3_"),
        ({"network": "vgg11"}, "losses.it.network"),
        ({"layers": []}, "losses.it: of and layers must name at least one"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        losses(it={"kind": "perceptual", **options})


def test_a_loss_by_torch_agrees(vgg, record):
    """`nn.L1Loss` on features, the way most programs write it."""
    pair = (vgg(record[name], ["relu3_1"])["relu3_1"] for name in ("raw", "image"))
    block = {"kind": "perceptual", "layers": ["relu3_1"], "normalize_input": False}
    assert losses(it=block).of_record(record)["it"].item() == pytest.approx(nn.L1Loss()(*pair).item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gram_matrices_keep_single_precision_inside_autocast(dtype):
    features = torch.full((1, 4, 32, 32), 30.0, dtype=dtype)  # the sum over pixels is 921600, beyond float16
    with torch.autocast("cpu", dtype=dtype):
        found = gram_matrix(features, 1)
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((1, 4, 4), 921600.0))
