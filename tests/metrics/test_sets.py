"""Measures of sets: equal to torch-fidelity called directly, one pass of features, honest about how few images."""

import sys

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from inpaint.errors import InputError
from inpaint.metrics import MEASURES, SetMeasure, Sets, measures
from inpaint.metrics.sets import FID, KID, PIDS, FDEfficientNet
from random_inception import write_random_inception

pytest.importorskip("torch_fidelity", reason="of the extra 'evaluate'")
pytest.importorskip("sklearn", reason="of the extra 'evaluate'")
INCEPTION = [
    "fid_inception_v3_compat",
    "kid_inception_v3_compat",
    "p_ids_inception_v3_compat",
    "u_ids_inception_v3_compat",
]


class Pictures(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def pictures(count=12):
    """Smooth originals, and the same with a flat square in the middle, (N, 3, 64, 64) uint8."""
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(0, 1)
    originals = (images * 255).round().to(torch.uint8)
    painted = originals.clone()
    painted[..., 20:44, 20:44] = 128
    return painted, originals


@pytest.mark.slow
def test_fid_and_kid_equal_torch_fidelity_called_directly(tmp_path):
    from torch_fidelity import calculate_metrics

    weights = str(write_random_inception(tmp_path / "inception.pth"))
    painted, originals = pictures()
    expected = calculate_metrics(
        input1=Pictures(painted),
        input2=Pictures(originals),
        fid=True,
        kid=True,
        kid_subset_size=len(painted),
        kid_subsets=3,
        feature_extractor_weights_path=weights,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
        cache=False,
    )
    fid, kid = FID(weights), KID(weights)
    sets = Sets(fid.features(painted), fid.features(originals))
    # Theirs: features in batches, float32 means and kernels, and a product of two covariances of rank 11.
    assert fid.of_sets(sets) == pytest.approx(expected["frechet_inception_distance"], rel=1e-3)
    assert kid.of_sets(sets) == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-3, abs=1e-5)
    assert fid.of_sets(sets) > 0


def test_measures_that_share_an_extractor_have_the_same_features():
    found = measures([*INCEPTION, "fd_efficientnet"]).of_sets
    assert [each.name for each in found] == [*INCEPTION, "fd_efficientnet"]
    assert [each.extractor for each in found] == ["inception_v3_compat"] * 4 + ["efficientnet_lite0"]
    painted = pictures(2)[0]
    assert FID("random").features(painted).tobytes() == KID("random").features(painted).tobytes()


def test_every_measure_of_sets_says_which_counts_are_too_few_in_one_line():
    for make in MEASURES.values():
        measure = make()
        if isinstance(measure, SetMeasure):
            assert measure.refusal(measure.least) is None
            assert measure.caution(measure.advised) is None
            for told in (measure.refusal(measure.least - 1), measure.caution(measure.advised - 1)):
                assert measure.name in told
                assert len(told.splitlines()) == 1


def test_discriminative_scores_are_refused_below_four_images_per_feature():
    measure = PIDS("random")
    assert measure.least == 4 * 2048
    refusal = measure.refusal(2000)
    assert refusal.startswith(
        "p_ids_inception_v3_compat needs at least 8192 images, got 2000: with fewer than 4 for each"
    )


def test_distances_of_fewer_images_than_features_are_given_with_a_warning():
    assert FDEfficientNet("random").refusal(2) is None
    assert (
        FDEfficientNet("random")
        .caution(1279)
        .startswith("fd_efficientnet of 1279 images, fewer than 1280: from so few")
    )
    assert FDEfficientNet("random").caution(1280) is None
    assert FID("random").advised == 2048


def test_a_set_that_is_painted_worse_is_farther_by_lite0():
    painted, originals = pictures(8)
    measure = FDEfficientNet("random")
    rows = measure.features(originals)
    half = (painted.float() / 2 + originals.float() / 2).to(torch.uint8)
    same, near, far = (measure.of_sets(Sets(measure.features(each), rows)) for each in (originals, half, painted))
    assert same == pytest.approx(0, abs=1e-9)
    assert 0 < near < far


def test_sets_are_row_by_row_of_the_same_photos():
    with pytest.raises(InputError, match=r"one shape \(N, D\), got \(3, 4\) and \(2, 4\)"):
        Sets(np.zeros((3, 4)), np.zeros((2, 4)))


def test_without_scikit_learn_the_scores_are_unavailable_before_anything_is_computed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    assert PIDS("random").missing().endswith("needs the package sklearn: pip install 'pytorch-inpaint[evaluate]'")
