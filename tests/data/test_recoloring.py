"""Composites for training: other colors in the hole, the photo everywhere else."""

import numpy as np
import pytest

from inpaint.classical.color_transfer import to_lab
from inpaint.data.config import DataConfig
from inpaint.data.opening import open_source
from inpaint.data.recoloring import Recoloring
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.errors import ConfigError
from inpaint.images.guidance import COMPOSITE
from inpaint.images.planes import SampleParts, maker_class
from inpaint.options import validated


@pytest.fixture
def parts(make_photo):
    """A photo, a mask and another photo, (32, 40)."""
    mask = np.zeros((32, 40), np.uint8)
    mask[8:24, 10:30] = 1
    other = make_photo(32, 40, 2)
    return SampleParts(make_photo(32, 40, 1), mask, another=lambda: other)


def painted(parts, seed=0, **options):
    return Recoloring(**options).painted(parts, np.random.default_rng(seed))


def test_the_plane_of_composites_is_made_here():
    assert maker_class(COMPOSITE) is Recoloring


@pytest.mark.parametrize("change", ["light", "transfer"])
def test_colors_change_in_the_hole_and_nowhere_else(parts, change):
    inside, changed = parts.mask > 0, 0
    for seed in range(10):
        found = painted(parts, seed, changes={change: 1.0}, unchanged=0.0)
        assert (found[~inside] == parts.image[~inside]).all()
        changed += int((found[inside] != parts.image[inside]).mean() > 0.5)
    assert changed >= 9


def test_a_share_of_the_samples_keeps_its_colors(parts):
    kept = [(painted(parts, seed, unchanged=0.5) == parts.image).all() for seed in range(100)]
    assert 30 < sum(kept) < 70


def test_light_without_a_range_changes_nothing(parts):
    none = {"exposure": 0.0, "tint": 0.0, "contrast": 0.0, "saturation": 0.0, "gamma": 0.0}
    found = painted(parts, changes={"light": 1.0}, unchanged=0.0, **none)
    assert (found == parts.image).all()


def test_exposure_alone_multiplies_light(parts):
    none = {"tint": 0.0, "contrast": 0.0, "saturation": 0.0, "gamma": 0.0}
    own = np.linspace(0.05, 0.5, 30).reshape(-1, 3)
    found = Recoloring(exposure=0.5, **none).relit(own, np.random.default_rng(0))

    def light(values):
        return ((values + 0.055) / 1.055) ** 2.4  # of sRGB, above 0.04

    gains = light(found) / light(own)
    assert np.ptp(gains) < 1e-9
    assert 2**-0.5 <= gains.mean() <= 2**0.5


def test_a_whole_transfer_gives_the_other_photo_s_lightness(parts):
    for seed in range(5):
        found = painted(parts, seed, changes={"transfer": 1.0}, strength=(1.0, 1.0), unchanged=0.0)
        own, other = (to_lab(each.reshape(-1, 3) / 255)[:, 0] for each in (found[parts.mask > 0], parts.another()))
        assert abs(own.mean() - other.mean()) < 4


def test_without_a_second_photo_a_transfer_takes_what_lies_beside_the_hole(parts):
    alone = SampleParts(parts.image, parts.mask)
    found = painted(alone, changes={"transfer": 1.0}, strength=(1.0, 1.0), unchanged=0.0)
    inside = parts.mask > 0
    assert abs(found[inside].mean() - parts.image[~inside].mean()) < 12


def test_samples_depend_on_seed_and_number_alone(photo_folder):
    source = open_source(str(photo_folder), min_px=16)
    config, numbers = DataConfig(root=str(photo_folder), size=32, masks="blobs"), np.arange(len(source))

    def streams(seed):
        made = SampleStream(source, numbers, config, seed=seed, planes=(COMPOSITE,))
        return made, FixedSamples(source, numbers, config, planes=(COMPOSITE,))

    (stream, fixed), (again, fixed_again) = streams(0), streams(0)
    first = [stream[number]["composite"] for number in range(4)]
    assert all((again[number]["composite"] == first[number]).all() for number in reversed(range(4)))
    assert (fixed[1]["composite"] == fixed_again[1]["composite"]).all()
    assert not (streams(1)[0][0]["composite"] == first[0]).all()
    sample = stream[0]
    known = (sample["mask"] == 0).expand_as(sample["image"])
    assert (sample["composite"][known] == sample["image"][known]).all()
    assert len((255 * first[0]).round().unique()) <= 256


def test_weights_that_choose_nothing_are_refused():
    with pytest.raises(ConfigError, match="at least one of them above 0"):
        validated(Recoloring, {"changes": {"light": 0.0}}, key="data.planes.composite")
