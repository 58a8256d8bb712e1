"""Label pictures: any palette, soft edges, labels that one of two images lacks, and specks."""

import numpy as np
import pytest
from PIL import Image

from inpaint.errors import InputError
from inpaint.images.labels import labels_of, matched_regions, paired_regions, read_label_picture

SKY, LAKE, SHORE, ROOF = 3, 7, 1, 5


def striped(*labels, height=20, width=6):
    """Bands of equal height from top to bottom."""
    return np.repeat(np.asarray(labels, np.int32), height)[:, None].repeat(width, axis=1)


def features(labels, values):
    return np.vectorize(values.__getitem__)(labels).astype(np.float64)[..., None]


def matched(content, style, of_content, of_style):
    return matched_regions(
        content, style, content_features=features(content, of_content), style_features=features(style, of_style)
    )


def test_equal_labels_belong_together():
    content, style = striped(SKY, SHORE), striped(SHORE, SKY, ROOF)
    values = {SKY: 1.0, SHORE: 0.5, ROOF: 0.0}
    regions = matched(content, style, values, values)
    assert len(regions) == 2
    for label, region in zip((SHORE, SKY), regions, strict=True):
        assert np.array_equal(region.content, content == label)
        assert np.array_equal(region.style, style == label)


def test_a_label_of_the_content_alone_joins_the_region_most_like_it():
    content, style = striped(SKY, LAKE, SHORE), striped(SKY, SHORE)
    values = {SKY: 1.0, LAKE: 0.8, SHORE: 0.0}
    regions = matched(content, style, values, values)
    assert np.array_equal(sum(region.content for region in regions), np.ones(content.shape))
    (sky,) = (region for region in regions if region.style[0, 0])
    assert np.array_equal(sky.content, np.isin(content, (SKY, LAKE)))


def test_without_a_common_label_regions_are_matched_across_the_images():
    content, style = striped(LAKE, ROOF), striped(SKY, SHORE)
    regions = matched(content, style, {LAKE: 0.9, ROOF: 0.1}, {SKY: 1.0, SHORE: 0.0})
    assert {(region.content[0, 0], region.style[0, 0]) for region in regions} == {(True, True), (False, False)}


def test_specks_join_what_is_near():
    content = striped(SKY, SHORE, height=40)
    content[60, 3] = LAKE  # 1 of 480 pixels
    style = striped(SKY, SHORE, LAKE)
    values = {SKY: 1.0, SHORE: 0.0, LAKE: 1.0}
    regions = matched(content, style, values, values)
    assert len(regions) == 2
    (shore,) = (region for region in regions if region.content[79, 0])
    assert shore.content[60, 3]


def test_colors_are_labels_also_with_compressed_and_soft_edges():
    picture = np.zeros((30, 400, 3), np.uint8)
    picture[:, 200:] = (0, 128, 255)
    other = np.full((30, 40, 3), (0, 128, 255), np.uint8)
    noise = np.random.default_rng(0).integers(-8, 9, picture.shape)
    worn = np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)
    worn[:, 199] = (0, 64, 127)  # a mixture of both
    first, second = labels_of(worn, other)
    left, right = first[0, 0], first[0, 300]
    assert left != right
    assert (first[:, :199] == left).all()
    assert (first[:, 200:] == right).all()
    assert np.isin(first[:, 199], (left, right)).all()
    assert (second == right).all()


def test_integers_are_labels_as_they_stand():
    numbers = striped(0, 200).astype(np.uint16)
    assert np.array_equal(labels_of(numbers)[0], numbers)


def test_a_photo_is_no_label_picture():
    noise = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    with pytest.raises(InputError, match="one color for each label"):
        labels_of(noise)
    with pytest.raises(InputError, match="all be integers"):
        labels_of(noise, noise[..., 0])


def test_label_pictures_pair_regions_and_must_fit_their_images():
    content, style = np.zeros((40, 6, 3), np.float32), np.ones((60, 6, 3), np.float32)
    pictures = striped(SKY, SHORE), striped(SHORE, SKY, ROOF)
    masks = [(own, other) for own, other in paired_regions(*pictures, content=content, style=style)]
    assert [own[0, 0] for own, _ in masks] == [other[20, 0] for _, other in masks]
    with pytest.raises(InputError, match="6 x 60 pixels and it has 6 x 40"):
        paired_regions(pictures[1], pictures[1], content=content, style=style)


def test_palettes_and_colors_are_read_from_files(tmp_path):
    entries = striped(0, 2, 1).astype(np.uint8)
    palette = Image.fromarray(entries, mode="P")
    palette.putpalette([10, 20, 30, 0, 0, 0, 250, 0, 0])
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_label_picture(tmp_path / "palette.png"), entries)
    palette.convert("RGB").save(tmp_path / "colors.png")
    assert len(np.unique(labels_of(read_label_picture(tmp_path / "colors.png"))[0])) == 3
