import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inpaint.errors import ConfigError, WeightsError
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.random import drawing_from
from inpaint.style.coders import Decoder, Encoder, convolutions, decoder_names, file_names


def built(kind, *arguments, **options):
    with drawing_from(0):
        return kind(*arguments, **options)


def test_sizes_are_those_of_the_published_networks():
    counts = [sum(p.numel() for p in kind("vgg19_normalized", 4).parameters()) for kind in (Encoder, Decoder)]
    assert counts == [3_505_740, 3_505_219]
    # The public files' convolutions stand behind padding, which has no weights.
    assert list(file_names("vgg19_normalized", 3).values())[::2] == [f"{n}.weight" for n in (0, 2, 5, 9, 12, 16)]
    assert list(decoder_names("vgg19_normalized", 4).values())[::2] == [
        f"{n}.weight" for n in (1, 5, 8, 11, 14, 18, 21, 25, 28)
    ]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_files_of_torchvision_fit_and_give_its_features(name, tmp_path):
    from torchvision.models import vgg

    with drawing_from(0):
        theirs = vgg.make_layers(vgg.cfgs["D" if name == "vgg16" else "E"][:7]).eval()
    state = {f"features.{key}": value for key, value in theirs.state_dict().items()}
    torch.save(state, tmp_path / "vgg.pth")
    encoder = built(Encoder, name, 3)
    encoder.load_public(str(tmp_path / "vgg.pth"))
    image = torch.rand(1, 3, 48, 40)
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected, found = theirs((image - mean) / deviation), encoder(image, [3])[3]
    assert expected.std() > 0.01
    inside = (..., slice(4, -4), slice(4, -4))  # at the border theirs sees zeros
    assert torch.allclose(found[inside], expected[inside], atol=1e-5)
    assert not torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_decoder_gives_the_size_of_the_image_back_whatever_the_level(level):
    encoder, decoder = (
        built(kind, "vgg16", level, **width)
        for kind, width in ((Encoder, {"width": 4}), (Decoder, {"encoder_width": 4}))
    )
    features = encoder(torch.rand(2, 3, 32, 48), [level])[level]
    assert features.shape == (2, 4 * 2 ** min(level - 1, 3), 32 // 2 ** (level - 1), 48 // 2 ** (level - 1))
    assert decoder(features).shape == (2, 3, 32, 48)
    assert [*decoder.convs] == [conv.name for conv in reversed(convolutions("vgg16", level))]


def test_odd_sides_are_halved_to_the_larger_half_and_one_pixel_is_enough():
    encoder = built(Encoder, "vgg19", 5, width=4)
    assert encoder(torch.rand(1, 3, 50, 70), [3, 5])[5].shape[-2:] == (4, 5)
    assert encoder(torch.rand(1, 3, 1, 1), [5])[5].isfinite().all()


def test_levels_asked_for_together_are_those_asked_for_alone():
    encoder, image = built(Encoder, "vgg16", 4, width=4), torch.rand(1, 3, 16, 24)
    together = encoder(image, [1, 3, 4])
    assert all(torch.equal(together[level], encoder(image, [level])[level]) for level in (1, 3, 4))


@pytest.mark.parametrize("size", [(16, 24), (8, 1), (40, 16)])
def test_prepared_for_inference_they_compute_the_same_as_plain_arithmetic(size):
    encoder, decoder = built(Encoder, "vgg19", 3), built(Decoder, "vgg19", 3)
    image = torch.rand(2, 3, *size)
    with torch.no_grad():
        features = encoder(image, [3])[3]
        expected = decoder(features)
        for network in (encoder, decoder):
            prepare_for_inference(network.eval())
        assert encoder.convs["conv3_1"].factors is not None
        found = encoder(image, [3])[3]
        assert torch.allclose(found, features, rtol=0, atol=2e-5 * features.std().item())
        assert torch.allclose(decoder(features), expected, rtol=0, atol=2e-5 * expected.std().item())


def test_borders_are_mirrored():
    decoder = built(Decoder, "vgg16", 1, encoder_width=3)
    with torch.no_grad():
        x = torch.rand(1, 3, 4, 5)
        conv = decoder.convs["conv1_1"]
        padded = torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect"))
        assert torch.allclose(decoder(x), F.conv2d(padded, conv.weight, conv.bias), atol=1e-6)


def test_weights_that_do_not_fit_are_refused_in_one_line(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth is no file of vgg16: it lacks what level 2 needs"):
        built(Encoder, "vgg16", 2).load_public(str(tmp_path / "other.pth"))
    with pytest.raises(ConfigError, match="trained weights have a width of 64, not 8"):
        built(Encoder, "vgg16", 2, width=8).load_public("public")
