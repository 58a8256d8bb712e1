import pytest
import torch

from inpaint.errors import InputError
from inpaint.nn import vgg
from inpaint.nn.strips import sums_by_strips
from inpaint.nn.vgg import VGG, receptive_px

LAYERS = ("relu1_2", "pool1", "relu2_1", "pool2", "relu3_2")


@pytest.fixture(scope="module")
def networks():
    """VGG-19 with fewer channels, by the way it rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
        return {ceil: VGG("vgg19", weights="random", ceil_mode=ceil).double() for ceil in (False, True)}


def gram(features, _):
    rows = features.flatten(2)
    return rows @ rows.mT


@pytest.mark.parametrize("height", [32, 33, 47])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_sums_and_their_gradients_are_those_of_the_whole_image(networks, ceil_mode, height):
    network = networks[ceil_mode]
    image = torch.rand(1, 3, height, 14, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image.requires_grad_()
    whole = {name: gram(features, None) for name, features in network(image, LAYERS).items()}
    parts = sums_by_strips(network, image, dict.fromkeys(LAYERS, gram), strip_bytes=1)  # 16 rows each
    gradients = []
    for sums in (whole, parts):
        weighted = sum(values.mean() for values in sums.values())
        gradients += torch.autograd.grad(weighted, image)
    for name in LAYERS:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-11, atol=0)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-9, atol=1e-9 * float(gradients[0].abs().max()))


def test_reductions_are_told_the_rows_they_get(networks):
    image = torch.zeros(1, 3, 37, 6, dtype=torch.float64)
    seen = {"relu1_1": [], "pool1": [], "relu2_1": []}
    reductions = {name: lambda x, rows, name=name: seen[name].append((rows, x.shape[2])) or x.sum() for name in seen}
    sums_by_strips(networks[False], image, reductions, strip_bytes=1)
    assert [rows for rows, _ in seen["relu1_1"]] == [slice(0, 16), slice(16, 32), slice(32, 37)]
    assert [rows for rows, _ in seen["pool1"]] == [slice(0, 8), slice(8, 16), slice(16, 18)]
    assert [rows for rows, _ in seen["relu2_1"]] == [slice(0, 16), slice(16, 18)]
    assert all(rows.stop - rows.start == count for layer in seen.values() for rows, count in layer)


def test_features_computed_again_in_the_backward_pass_have_the_same_gradients(networks):
    image = torch.rand(1, 3, 21, 14, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gradients = []
    for checkpointed in (False, True):
        shown = image.clone().requires_grad_()
        found = networks[False](shown, LAYERS, checkpointed=checkpointed)
        assert list(found) == list(LAYERS)
        gradients += torch.autograd.grad(sum(x.square().mean() for x in found.values()), shown)
    assert torch.equal(*gradients)


def test_images_too_small_for_a_layer_are_refused(networks):
    with pytest.raises(InputError, match=r"images of 4 x 9 pixels are too small for vgg19's pool3"):
        sums_by_strips(networks[False], torch.zeros(1, 3, 4, 9).double(), {"pool3": gram})


@pytest.mark.parametrize("layer", ["relu1_2", "pool2", "relu3_1"])
def test_a_value_depends_on_no_pixel_beyond_the_receptive_field(networks, layer):
    left, right = receptive_px("vgg19", [layer])
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    image.requires_grad_()
    features = networks[False](image, [layer])[layer]
    step = 64 // features.shape[3]
    place = features.shape[3] // 2
    (gradient,) = torch.autograd.grad(features[0, :, place, place].sum(), image)
    reached = gradient[0].abs().sum(dim=(0, 1)).nonzero().flatten()
    assert reached.min() >= place * step - left
    assert reached.max() <= place * step + right
    assert reached.min() <= place * step - left + step  # nor is the field much smaller
    assert reached.max() >= place * step + right - step
