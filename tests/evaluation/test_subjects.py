"""What every model is measured on, and the hash that tells it."""

import numpy as np
import pytest
from PIL import Image

from inpaint.evaluation.manifest import Listed, Manifest, differences, differences_of, mask_hash, picture_hash
from inpaint.evaluation.protocols import fill_seed, named, together, unnamed
from inpaint.evaluation.subjects import Photos, manifest_of


def test_photos_are_cut_to_their_middle_square_or_left_as_they_are(photo_folder):
    native = Photos(str(photo_folder), unnamed(["center"]))
    square = Photos(str(photo_folder), unnamed(["center"], size=16), count=2)
    assert [native.name(index) for index in range(len(native))] == ["a.png", "b.png", "c.png", "more/d.png"]
    subject = native.read(3)
    assert subject.image.shape == (36, 64, 3)
    assert subject.truth is subject.image
    assert (len(square), square.read(0).image.shape) == (2, (16, 16, 3))


def test_what_stochastic_models_draw_is_a_function_of_seed_and_name():
    seeds = {fill_seed(seed, key) for seed in (0, 1) for key in ("a.png", "b.png")}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_manifest_depends_on_pixels_and_not_on_files_or_their_order_in_time(photo_folder, tmp_path):
    before = manifest_of(Photos(str(photo_folder), named("center_64")))
    for path in photo_folder.rglob("*.png"):
        image = Image.open(path)
        image.load()
        image.save(path, compress_level=1)  # the same pixels in other bytes
    assert manifest_of(Photos(str(photo_folder), named("center_64"))).hash == before.hash


def test_a_changed_pixel_changes_the_hash_and_is_named(photo_folder):
    before = manifest_of(Photos(str(photo_folder), unnamed(["center"])))
    pixels = np.asarray(Image.open(photo_folder / "b.png")).copy()
    pixels[3, 5, 1] ^= 1
    Image.fromarray(pixels).save(photo_folder / "b.png")
    after = manifest_of(Photos(str(photo_folder), unnamed(["center"])))
    assert after.hash != before.hash
    assert list(differences_of(before, after)) == ["photo b.png has changed"]


def test_a_changed_mask_changes_the_hash_and_is_named():
    protocol = {"name": "p", "version": 1, "size": 8, "seed": 0, "masks": {"m": {}}}
    hole = np.zeros((8, 8), np.uint8)
    other = hole.copy()
    hole[2, 3], other[2, 4] = 1, 1
    first, second = (
        Manifest(protocol, (Listed(key="a", picture="", masks={"m": mask_hash(h)}),)) for h in (hole, other)
    )
    assert first.hash != second.hash
    assert list(differences_of(first, second)) == ["mask m of photo a has changed"]


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"size": 9}, {"seed": 1}, {"name": "q"}, {"masks": {"m": {"x": 1}}}]
)
def test_a_changed_protocol_changes_the_hash(change):
    protocol = {"name": "p", "version": 1, "size": 8, "seed": 0, "masks": {"m": {}}}
    photos = (Listed(key="a", picture="0", masks={"m": "1"}),)
    assert Manifest(protocol, photos).hash != Manifest(protocol | change, photos).hash


def test_every_label_keeps_the_hash_that_its_protocol_has_alone(photo_folder):
    both = manifest_of(Photos(str(photo_folder), together(["deepfill_64", "text_64"])))
    alone = manifest_of(Photos(str(photo_folder), named("text_64")))
    assert alone.hash == alone.hashes["text_64"] == both.hashes["text_64"]
    assert len({both.hash, *both.hashes.values()}) == 3


def test_a_manifest_comes_back_from_its_file(photo_folder, tmp_path):
    manifest = manifest_of(Photos(str(photo_folder), named("pconv_buckets_64")))
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert Manifest.read(tmp_path).hash == manifest.hash


def test_a_picture_that_cannot_be_read_has_its_place_in_the_manifest(photo_folder):
    content = (photo_folder / "a.png").read_bytes()
    (photo_folder / "a.png").write_bytes(content[: len(content) // 2])
    photos = Photos(str(photo_folder), unnamed(["center"]))
    assert manifest_of(photos).photos[0] == Listed(key="a.png", picture="", masks={"center": ""})


def test_hashes_tell_shapes_apart():
    assert mask_hash(np.zeros((4, 6), np.uint8)) != mask_hash(np.zeros((6, 4), np.uint8))
    assert picture_hash(np.zeros((4, 6, 3), np.uint8)) != picture_hash(np.zeros((6, 4, 3), np.uint8))


def test_differences_name_the_key_and_both_values():
    found = {"a": 1, "b": {"c": "x", "d": 2}, "e": None}
    assert list(differences(found, found)) == []
    assert list(differences(found, {"a": 1, "b": {"c": "y"}, "e": 0, "f": 1})) == [
        'b.c was "x", is "y" now',
        "b.d was 2, is missing now",
        "e was null, is 0 now",
        "f is 1 now, was missing",
    ]
