"""Photos painted over in the hole: what stays, what lies in the hole, and what it depends on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint.data.config import DataConfig
from inpaint.data.contamination import Contamination
from inpaint.data.opening import open_source
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.errors import ConfigError
from inpaint.images.guidance import CONTAMINATED
from inpaint.images.planes import SampleParts, maker_class
from inpaint.masks import parse_mask
from inpaint.masks.growing import grown

CONTENTS = ("photo", "noise", "solid", "gradient")


@pytest.fixture
def parts(make_photo):
    """A photo, a mask of strokes, and another photo."""
    mask = parse_mask("brush").draw(np.random.default_rng(1), 48, 56)
    return SampleParts(make_photo(48, 56, 3), mask, another=lambda: make_photo(48, 56, 4))


def lettered(make_photo, spec="captions", seed=0):
    mask, lettering = parse_mask(spec).draw_lettered(np.random.default_rng(seed), 48, 56)
    return SampleParts(make_photo(48, 56, 3), mask, None, lettering, lambda: make_photo(48, 56, 4))


def streams(folder, *, masks="captions", planes=None, seed=0):
    source = open_source(str(folder), min_px=16)
    config = DataConfig(root=str(folder), size=32, masks=masks, planes={"contaminated": planes or {}})
    numbers = np.arange(len(source))
    stream = SampleStream(source, numbers, config, seed=seed, planes=(CONTAMINATED,))
    return stream, FixedSamples(source, numbers, config, planes=(CONTAMINATED,))


def test_a_sample_holds_the_clean_photo_the_contaminated_one_and_where_they_differ(write_photos):
    for samples in streams(write_photos(4)):
        for number in range(4):
            sample = samples[number]
            image, contaminated, mask = (sample[name] for name in ("image", "contaminated", "mask"))
            assert contaminated.shape == image.shape == (3, 32, 32)
            assert contaminated.dtype == torch.float32
            assert torch.equal(torch.where(mask > 0, image, contaminated), image)  # known pixels are the photo's
            assert not torch.equal(contaminated, image)
            assert torch.equal((255 * contaminated).round() / 255, contaminated)  # as 8 bits hold it


def test_a_contaminated_photo_depends_on_seed_and_number_alone(write_photos):
    folder = write_photos(5)
    (stream, fixed), (again, fixed_again) = streams(folder), streams(folder)
    first = [stream[n]["contaminated"] for n in range(6)]
    assert all(torch.equal(again[n]["contaminated"], first[n]) for n in reversed(range(6)))
    assert not torch.equal(streams(folder, seed=1)[0][0]["contaminated"], first[0])
    assert torch.equal(fixed[2]["contaminated"], fixed_again[2]["contaminated"])


def test_the_plane_changes_nothing_else_of_a_sample(write_photos):
    folder = write_photos(4)
    source = open_source(str(folder), min_px=16)
    config = DataConfig(root=str(folder), size=32, masks="text")
    bare = SampleStream(source, np.arange(4), config, seed=0)
    full = SampleStream(source, np.arange(4), config, seed=0, planes=(CONTAMINATED,))
    for number in range(4):
        assert torch.equal(bare[number]["image"], full[number]["image"])
        assert torch.equal(bare[number]["mask"], full[number]["mask"])


def test_the_second_photo_is_another_one_of_the_set(write_photos):
    folder = write_photos(3)
    planes = {"contents": {"photo": 1}, "soft": 0, "flip": 0}
    _, fixed = streams(folder, masks="center", planes=planes)
    photos = [fixed[n]["image"] for n in range(3)]
    for number in range(3):
        hole = fixed[number]["mask"].expand(3, -1, -1) > 0
        found = fixed[number]["contaminated"][hole]
        same = [torch.equal(found, photo[hole]) for photo in photos]
        assert sum(same) == 1
        assert not same[number]


def test_a_single_photo_is_laid_over_itself(write_photos):
    stream, fixed = streams(write_photos(1), planes={"contents": {"photo": 1}, "inks": {"photo": 1}})
    assert stream[0]["contaminated"].isfinite().all()
    assert fixed[0]["contaminated"].isfinite().all()


def test_a_photo_that_is_not_asked_for_is_not_decoded(parts):
    def never():
        raise AssertionError("decoded")

    blank = SampleParts(parts.image, parts.mask, another=never)
    Contamination(contents={"solid": 1, "gradient": 1, "noise": 1}).make_of(blank, np.random.default_rng(0))


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("soft", [0, 1])
def test_known_pixels_stay_whatever_lies_in_the_hole(parts, kind, soft):
    maker = Contamination(contents={kind: 1}, soft=soft)
    for seed in range(5):
        found = maker.painted(parts, np.random.default_rng(seed))
        assert np.array_equal(found[parts.mask == 0], parts.image[parts.mask == 0])
        assert (found != parts.image).any(axis=2)[parts.mask == 1].mean() > 0.8


def test_contents_are_what_they_are_called(parts, make_photo):
    def inside(kind, **options):
        maker = Contamination(contents={kind: 1}, soft=0, flip=0, **options)
        return maker.painted(parts, np.random.default_rng(2)).astype(int)[parts.mask == 1]

    assert len(np.unique(inside("solid"), axis=0)) == 1
    assert np.array_equal(inside("photo"), make_photo(48, 56, 4)[parts.mask == 1])
    middle = inside("photo", opacity=(0.5, 0.5))
    mean = (make_photo(48, 56, 4).astype(int) + parts.image)[parts.mask == 1] / 2
    assert np.abs(middle - mean).max() <= 0.5
    assert 60 < inside("noise").std() < 90  # of uniform numbers to 255: 73.6


def test_a_grown_rim_is_the_public_programs(parts, make_photo):
    maker = Contamination(contents={"photo": 1}, soft=1, rim="grown", flip=0)
    found = maker.painted(parts, np.random.default_rng(0))
    share = grown(parts.mask)[..., None]
    expected = parts.image * (1 - share) + make_photo(48, 56, 4) * share
    assert np.abs(found - expected).max() <= 0.5
    assert (found != parts.image).any(axis=2)[parts.mask == 0].any()


def test_text_has_soft_edges_that_lie_within_the_mask(make_photo):
    parts = lettered(make_photo)
    maker = Contamination(inks={"solid": 1}, ink_opacity=(1, 1))
    found = maker.painted(parts, np.random.default_rng(0))
    assert np.array_equal(found[parts.mask == 0], parts.image[parts.mask == 0])
    covered = parts.lettering.whole
    assert ((covered > 20) & (covered < 235)).sum() > 20  # smooth edges
    assert (covered[parts.mask == 0] < 13).all()  # what is hardly covered counts as known, and is left as it is


def test_text_and_strokes_stand_in_one_photo(make_photo):
    parts = lettered(make_photo, {"kind": "union", "of": ["brush", "captions"]})
    both = parts.lettering.whole > 0
    assert (parts.mask[both] == 1).sum() > 0
    assert (parts.mask[~both] == 1).sum() > 0
    found = Contamination(contents={"noise": 1}).painted(parts, np.random.default_rng(1))
    strokes = (parts.mask == 1) & ~both
    assert (found != parts.image).any(axis=2)[strokes].mean() > 0.8


def test_the_plane_names_its_maker():
    assert maker_class(CONTAMINATED) is Contamination


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contents": {"fog": 1}}, "data.planes.contaminated.contents.fog"),
        ({"contents": {"photo": 0}}, "at least one of them above 0"),
        ({"rim": "outside"}, "rim.*inside"),
    ],
)
def test_wrong_options_are_named(write_photos, options, message):
    with pytest.raises(ConfigError, match=message):
        streams(write_photos(1), planes=options)
