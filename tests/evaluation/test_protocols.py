"""Named protocols are frozen, and a mask depends on protocol, seed and the photo's name alone."""

import numpy as np
import pytest

from inpaint.errors import UsageError
from inpaint.evaluation.manifest import mask_hash, text_hash
from inpaint.evaluation.protocols import named, protocol_names, together, unnamed
from inpaint.masks import hole_ratio

# Of two masks of every label. Whoever changes a constant on purpose gives the protocol a new version, too: figures that
# were published with the earlier one must not look comparable.
MASKS = {
    "lama_thin_64": "7dc79c75307f",
    "lama_medium_64": "40801111ff14",
    "lama_thick_64": "862ab4f85f0f",
    "mat_small_64": "4a0ef8c34562",
    "mat_large_64": "60ea0ae39424",
    "deepfill_64": "b078c8736279",
    "center_64": "ffd11937cdb7",
    "text_64": "2eba72de9b60",
    "pconv_buckets_64": "8db69bd6d14c",
    "lama_thin_128": "dd0cb3a3ede4",
    "lama_medium_128": "b5291b4e4e9d",
    "lama_thick_128": "840d4f76bd9f",
    "mat_small_128": "1c69521f4236",
    "mat_large_128": "dec5054f23b7",
    "deepfill_128": "1e7c4871d326",
    "center_128": "fd72e6a4e1a0",
    "text_128": "c3d6208b588e",
    "pconv_buckets_128": "93eb1566df2f",
    "lama_thin_256": "9368bde98b56",
    "lama_medium_256": "2bcc36c392fe",
    "lama_thick_256": "545ac7cff3ee",
    "mat_small_256": "aab00ad00af6",
    "mat_large_256": "6fd10756405f",
    "deepfill_256": "5216d7f2fe2d",
    "center_256": "28eb2f437427",
    "text_256": "27e42c95cce3",
    "pconv_buckets_256": "f85fe6b83e62",
    "lama_thin_512": "fe90049e0a28",
    "lama_medium_512": "41e8629fcf75",
    "lama_thick_512": "4597777f0673",
    "mat_small_512": "982a146c8610",
    "mat_large_512": "513984479d77",
    "pconv_buckets": "3cf3254010fd",
}
VERSIONS = dict.fromkeys(MASKS, 1)


@pytest.mark.parametrize("name", protocol_names())
def test_masks_and_version_of_a_named_protocol_never_change_apart(name):
    protocol = named(name)
    keys = ("a.jpg", "b.jpg")
    hashes = [
        mask_hash(protocol.mask(label, k, protocol.size, protocol.size)) for label in protocol.drawings for k in keys
    ]
    assert (protocol.version, text_hash(" ".join(hashes), size_bytes=6)) == (VERSIONS[name], MASKS[name])


def test_the_published_protocols_and_their_small_versions_are_there():
    names = protocol_names()
    for width in ("thin", "medium", "thick"):
        assert {f"lama_{width}_{size}" for size in (64, 128, 256, 512)} <= set(names)
    assert {"mat_small_512", "mat_large_512", "pconv_buckets"} <= set(names)
    assert {f"{name}_{size}" for name in ("deepfill", "center", "text") for size in (64, 128, 256)} <= set(names)


def test_a_mask_is_a_function_of_protocol_seed_and_name_of_the_photo():
    drawn = {
        (kind, seed, key): mask_hash(unnamed([kind], seed=seed).mask(kind, key, 24, 36))
        for kind in ("box", "{kind: box}")
        for seed in (0, 1)
        for key in ("a", "b")
    }
    assert len(set(drawn.values())) == 8
    beside = unnamed(["center", "box"], seed=1)
    assert mask_hash(beside.mask("box", "a", 24, 36)) == drawn["box", 1, "a"]


@pytest.mark.parametrize("family", ["lama_thin", "lama_thick", "mat_large", "deepfill"])
def test_small_masks_are_the_large_ones_made_smaller_by_area(family):
    """Blocks of the large mask, averaged by NumPy, are hole where more than half of them is."""
    for key in ("a", "b", "c"):
        large = named(f"{family}_256").mask(f"{family}_256", key, 256, 256)
        for size in (64, 128):
            step = 256 // size
            blocks = large.reshape(size, step, size, step).mean(axis=(1, 3))
            small = named(f"{family}_{size}").mask(f"{family}_{size}", key, size, size)
            assert np.array_equal(small, blocks > 0.5)


def test_masks_of_lama_cover_at_most_half():
    protocol = named("lama_thick_256")
    ratios = [hole_ratio(protocol.mask("lama_thick_256", str(number), 256, 256)) for number in range(200)]
    assert max(ratios) <= 0.5
    assert np.mean(ratios) == pytest.approx(0.264, abs=0.03)  # the public program's, to three standard errors


@pytest.mark.parametrize(("name", "rim"), [("pconv_buckets_64", 6), ("pconv_buckets_128", 12)])
def test_buckets_hold_their_ratio_and_their_contact_with_the_border(name, rim):
    protocol = named(name)
    assert len(protocol.drawings) == 12
    for label in protocol.drawings:
        low, high = (int(part) / 100 for part in label.split("_")[1:3])
        for key in map(str, range(5)):
            mask = protocol.mask(label, key, protocol.size, protocol.size)
            inside = mask[rim:-rim, rim:-rim].sum()
            assert low <= hole_ratio(mask) <= high
            assert (inside == mask.sum()) == ("clear" in label), label


def test_several_protocols_of_one_size_are_one_table_with_their_own_masks():
    both = together(["deepfill_64", "text_64"])
    assert (both.name, both.size, list(both.drawings)) == ("deepfill_64+text_64", 64, ["deepfill_64", "text_64"])
    alone = named("text_64").mask("text_64", "a", 64, 64)
    assert np.array_equal(both.mask("text_64", "a", 64, 64), alone)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["deepfil_64"], "unknown protocol 'deepfil_64' (did you mean 'deepfill_64'?)"),
        (["text_64", "text_64"], "protocols must be named, each once"),
        (["text_64", "center_128"], "different sizes are different tables: text_64 64, center_128 128"),
    ],
)
def test_protocols_that_do_not_exist_or_belong_together_are_refused(names, text):
    with pytest.raises(UsageError) as error:
        together(names)
    assert text in str(error.value)


def test_a_folder_of_masks_is_told_by_what_it_holds_and_not_by_where_it_is(tmp_path):
    from PIL import Image

    described = []
    for place in ("here", "there"):
        (tmp_path / place / "masks").mkdir(parents=True)
        Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 7)).save(tmp_path / place / "masks/m.png")
        described.append(unnamed([f"folder:{tmp_path}/{place}/masks"], size=32).described())
    assert described[0] == described[1]
    assert list(described[0]["masks"]) == ["folder:masks"]
    Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 8)).save(tmp_path / "there/masks/m.png")
    assert unnamed([f"folder:{tmp_path}/there/masks"], size=32).described() != described[0]
