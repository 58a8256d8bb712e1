"""LPIPS beside the package of its authors, with seeded random networks below its trained linear layers."""

import urllib.error

import lpips
import pytest
import torch
from torchvision import models

from backbones import features_of, fill_hub
from inpaint.errors import WeightsError
from inpaint.metrics import Compared, measured, measures
from inpaint.metrics import lpips as ours
from inpaint.metrics.base import Pair

TORCHVISION = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
RELATIVE = 1e-5  # both sides compute in float32


@pytest.fixture(autouse=True)
def nothing_stays_loaded(monkeypatch):
    """Every test has networks of its own, and none is downloaded."""
    ours._load.cache_clear()
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloads"))
    yield
    ours._load.cache_clear()


@pytest.fixture
def compared(make_photo):
    image = torch.stack([torch.from_numpy(make_photo(64, 49, seed)).permute(2, 0, 1) for seed in (1, 2)]) / 255
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 64, 49)
    mask[0, :, 10:31, 20:] = 1
    mask[1, :, 40:, 3:17] = 1
    raw = (image + 0.2 * noise).clamp(0, 1)
    return Compared(completed=torch.where(mask > 0, raw, image), image=image, mask=mask, raw=raw)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("network", ["alex", pytest.param("vgg", marks=pytest.mark.slow), "squeeze"])
def test_values_are_those_of_the_package_called_directly(network, compared, hub, monkeypatch):
    fill_hub(hub, TORCHVISION[network])
    names = [f"lpips_{network}{form}" for form in ("", "_hole", "_raw", "_hole_raw")]
    values = measured(compared, measures(names).of_images)
    backbone = features_of(TORCHVISION[network])
    monkeypatch.setattr(models, TORCHVISION[network], lambda **_: backbone)
    with torch.no_grad():
        for suffix, painted in (("", compared.completed), ("_raw", compared.raw)):
            whole = lpips.LPIPS(net=network, verbose=False)(painted, compared.image, normalize=True)
            spatial = lpips.LPIPS(net=network, spatial=True, verbose=False)(painted, compared.image, normalize=True)
            hole = torch.stack([plane[where].mean() for plane, where in zip(spatial[:, 0], compared.hole, strict=True)])
            for name, expected in ((f"lpips_{network}", whole.flatten()), (f"lpips_{network}_hole", hole)):
                assert (expected > 1e-3).all()
                torch.testing.assert_close(values[name + suffix], expected.double(), rtol=RELATIVE, atol=0)


@pytest.mark.parametrize("network", ["alex", "squeeze"])
def test_a_batch_has_the_values_of_its_images_whatever_the_type(network, compared):
    forms = [ours.LPIPS(network, hole=hole, weights="random") for hole in (False, True)]
    together = measured(compared, forms)
    for i in range(2):
        one = Compared(
            completed=compared.completed[i, None], image=compared.image[i, None], mask=compared.mask[i, None]
        )
        for name, value in measured(one, forms).items():
            assert value.dtype == torch.float64
            assert value.item() == pytest.approx(together[name][i].item(), rel=RELATIVE)
    double = Compared(completed=compared.completed.double(), image=compared.image.double(), mask=compared.mask.double())
    for name, value in measured(double, forms).items():
        assert torch.equal(value, together[name])
    half = forms[0].of_pair(Pair(compared.completed[:1].bfloat16(), compared.image[:1].bfloat16()), None)
    assert half.item() == pytest.approx(together[forms[0].name][0].item(), rel=0.1)


def test_forms_of_one_network_share_one_pass_and_one_network(compared, hub):
    fill_hub(hub, "alexnet")
    wanted = measures(["lpips_alex", "lpips_alex_hole"]).of_images
    passes = []
    network = ours._loaded("alex", "torchvision", compared.image.device)
    network.net.register_forward_hook(lambda *_: passes.append(1))
    measured(compared, wanted)
    assert len(passes) == 2  # painted and original
    assert ours._loaded("alex", "torchvision", compared.image.device) is network


def test_an_original_goes_through_the_network_once_for_all_models_that_fill_it(compared):
    measure = ours.LPIPS("alex", weights="random")
    fills = [compared.completed[:1], compared.raw[:1], compared.image[:1], 1 - compared.image[:1]]
    expected = [measure.of_pair(Pair(torch.cat((x, x)), compared.image[[0, 0]]), None)[0].item() for x in fills]
    passes = []
    ours._loaded("alex", "random", compared.image.device).net.register_forward_hook(lambda *_: passes.append(1))
    found = [measure.of_pair(Pair(x, compared.image[:1].clone()), None).item() for x in fills]
    assert len(passes) == len(fills) + 1
    assert found == pytest.approx(expected, rel=RELATIVE, abs=1e-12)
    other = measure.of_pair(Pair(fills[0], compared.image[1:]), None).item()  # another original is another one
    assert len(passes) == len(fills) + 3
    assert other > found[0]


def test_identical_images_have_no_distance_and_more_noise_has_more():
    image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    measure = ours.LPIPS("alex", weights="random")
    values = [measure.of_pair(Pair(image + amount * noise, image), None).item() for amount in (0, 0.05, 0.1, 0.2)]
    assert values[0] == 0
    assert values == sorted(values)


def test_random_weights_are_seeded_leave_the_random_state_alone_and_show_in_the_name(compared):
    before = torch.random.get_rng_state()
    measure = ours.LPIPS("squeeze", hole=True, weights="random")
    first = measure.values(compared)
    ours._load.cache_clear()
    assert torch.equal(measure.values(compared), first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert measure.name == "lpips_squeeze_random_hole"
    assert measure.missing() is None


@pytest.mark.parametrize(("network", "smallest_px"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_images_too_small_for_the_strides_have_no_number(network, smallest_px):
    measure = ours.LPIPS(network, weights="random")
    for side in (smallest_px, smallest_px - 1):
        image = torch.rand(1, 3, side, side + 3, generator=torch.Generator().manual_seed(0))
        case = Compared(completed=image.flip(-1), image=image, mask=torch.ones(1, 1, side, side + 3))
        fits = side == smallest_px
        assert measured(case, [measure])[measure.name].isfinite().item() == measure.counts(case).item() == fits
        if not fits:
            with pytest.raises(RuntimeError):
                measure.values(case)


def test_weights_out_of_reach_are_told_with_file_address_and_place_and_waited_for_once(hub, monkeypatch):
    calls = []

    def offline(*arguments, **_):
        calls.append(arguments)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    url = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    place = hub / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    for name in ("lpips_alex", "lpips_alex_hole", "diversity_lpips_alex"):
        (measure,) = measures([name]).of_images
        assert measure.missing() == (
            "alexnet-owt-7be5be79.pth, needed for LPIPS with alexnet, cannot be fetched "
            f"(<urlopen error no route to host>): put the file from {url} at {place}"
        )
    assert len(calls) == 1
    fill_hub(hub, "alexnet")
    assert measure.missing() is None


def test_a_checkpoint_of_another_network_is_refused(compared, tmp_path):
    for content in ({"features.0.weight": torch.zeros(2)}, [1], features_of("squeezenet1_1").state_dict()):
        torch.save(content, tmp_path / "other.pth")
        measure = ours.LPIPS("alex", weights=str(tmp_path / "other.pth"))
        assert "other.pth is no checkpoint of torchvision's alexnet" in measure.missing()
        with pytest.raises(WeightsError, match="no checkpoint"):
            measure.values(compared)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_measures_what_the_cpu_measures(compared):
    on_gpu = Compared(completed=compared.completed.cuda(), image=compared.image.cuda(), mask=compared.mask.cuda())
    forms = [ours.LPIPS("alex", hole=hole, weights="random") for hole in (False, True)]
    for name, value in measured(on_gpu, forms).items():
        assert value.device.type == "cuda"
        torch.testing.assert_close(value.cpu(), measured(compared, forms)[name], rtol=1e-3, atol=0)  # TF32
