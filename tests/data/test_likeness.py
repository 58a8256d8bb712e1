"""Photos that show the same are told by what they look like."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from inpaint.data import likeness
from inpaint.data.likeness import BITS, OFF, THRESHOLD, VIEWS, alike, view_hashes


def hashes(photos):
    plain, mirrored = zip(*map(view_hashes, photos), strict=True)
    return np.stack(plain), np.stack(mirrored)


def recompressed(photo, quality):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def resized(photo, scale):
    height, width = photo.shape[:2]
    return np.asarray(Image.fromarray(photo).resize((round(width * scale), round(height * scale))))


def cropped(photo, top, bottom, left, right):
    """Take these shares off each side."""
    height, width = photo.shape[:2]
    return photo[round(top * height) : round((1 - bottom) * height), round(left * width) : round((1 - right) * width)]


CHANGES = {
    "copied": lambda photo: photo,
    "re-compressed": lambda photo: recompressed(photo, 30),
    "resized": lambda photo: resized(photo, 0.5),
    "stretched": lambda photo: np.asarray(Image.fromarray(photo).resize((96, 96))),
    "brighter": lambda photo: np.clip(photo * 1.2, 0, 255).astype(np.uint8),
    "cropped": lambda photo: cropped(photo, 0.02, 0.07, 0.05, 0.03),
    "cropped at a corner": lambda photo: cropped(photo, 0.08, 0, 0, 0.08),
    "cropped, resized, re-compressed": lambda photo: recompressed(resized(cropped(photo, 0, 0.06, 0.03, 0), 0.7), 50),
}


@pytest.fixture(scope="module")
def scenes():
    from inpaint.data.sources import sample_files

    names = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")
    files = [file for file in sample_files() if file.stem in names]
    return [np.asarray(ImageOps.contain(Image.open(file).convert("RGB"), (320, 320))) for file in files]


@pytest.mark.parametrize("mirror", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_whichever_side_has_them_and_nothing_else(scenes, change, mirror):
    changed = [CHANGES[change](photo[:, ::-1] if mirror else photo) for photo in scenes]
    for train, test in ((scenes, changed), (changed, scenes)):
        found = list(alike(hashes(train)[0], *hashes(test)))
        assert [(each.train, each.test) for each in found] == [(n, n) for n in range(len(scenes))]
        assert {each.mirrored for each in found} == {mirror}


def test_the_hash_of_the_whole_photo_is_that_of_the_package_imagehash_up_to_resampling(scenes):
    imagehash = pytest.importorskip("imagehash", reason="the reference, of the extra `evaluate`, is not installed")
    for photo in scenes:
        plain, mirrored = view_hashes(photo)
        for found, image in ((plain, photo), (mirrored, photo[:, ::-1])):
            expected = imagehash.phash(Image.fromarray(image), hash_size=16).hash.ravel()
            assert (np.unpackbits(found[0].view(np.uint8)) != expected).sum() <= 10


def test_a_view_is_the_photo_cropped(scenes):
    photo = scenes[0][:300, :300]
    whole, _ = view_hashes(photo)
    top, bottom, left, right = (OFF.index(off) for off in (0.04, 0.0, 0.08, 0.04))
    number = (top * 3 + bottom) * 9 + left * 3 + right
    of_crop, _ = view_hashes(cropped(photo, 0.04, 0, 0.08, 0.04))
    assert np.bitwise_count(whole[number] ^ of_crop[0]).sum() <= 4
    assert np.bitwise_count(whole[0] ^ of_crop[0]).sum() > THRESHOLD


def test_comparing_in_blocks_finds_the_same_as_comparing_bit_by_bit(monkeypatch):
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 2, (count, VIEWS, BITS), dtype=np.uint8) for count in (7, 5))
    test[3, 11] = train[4, 0]
    test[3, 11, :9] ^= 1  # as a view of the test photo
    test[0, 0] = train[6, 80]  # as a view of the training photo
    mirrored = rng.integers(0, 2, test.shape, dtype=np.uint8)
    mirrored[2, 5] = train[1, 0]
    packed = [np.packbits(bits, axis=2).view(np.uint64) for bits in (train, test, mirrored)]
    most = 95  # random hashes differ in 128 bits, give or take 8: some are nearer by chance
    expected = {}
    for flipped, views in ((False, test), (True, mirrored)):
        forth = (train[:, None, :1] != views[None]).sum(axis=3).min(axis=2)
        back = (train[:, None] != views[None, :, :1]).sum(axis=3).min(axis=2)
        for (a, b), distance in np.ndenumerate(np.minimum(forth, back)):
            if distance <= most:
                expected[a, b] = min(expected.get((a, b), (BITS, True)), (int(distance), flipped))
    assert len(expected) >= 4
    for block in (1, 100, 1 << 15):
        monkeypatch.setattr(likeness, "_BLOCK", block)
        found = list(alike(*packed, most=most))
        assert {(each.train, each.test): (each.distance, each.mirrored) for each in found} == expected
        assert [(each.test, each.train) for each in found] == sorted((b, a) for a, b in expected)
