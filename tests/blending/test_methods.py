import numpy as np
import pytest
from scipy import ndimage

from inpaint.blending.auto import border_spread
from inpaint.blending.soft import feathered
from inpaint.blending.table import BLENDERS
from inpaint.classical.bands import weighted_bands

RNG = np.random.default_rng(0)
H, W = 40, 56
ROWS, COLUMNS = np.mgrid[:H, :W].astype(np.float32)
NOISE = RNG.uniform(0.2, 0.8, (2, H, W, 3)).astype(np.float32)
SMOOTH = np.stack([0.4 + 0.2 * np.sin(ROWS / 20 + phase) * np.cos(COLUMNS / 25) for phase in range(3)], axis=2)
FAST = [name for name, entry in BLENDERS.items() if not entry.on_device]


def disk(radius=13):
    return radius**2 >= (ROWS - 20) ** 2 + (COLUMNS - 28) ** 2


def shapes():
    pixel, touching, holes = (np.zeros((H, W), bool) for _ in range(3))
    pixel[7, 9] = True
    touching[25:, :20] = True
    holes[4:36, 6:50] = True
    holes[15:20, 20:30] = holes[30, 30] = False
    everything = np.ones((H, W), bool)
    but_one = everything.copy()
    but_one[0, 0] = False
    named = {"disk": disk(), "pixel": pixel, "touching": touching, "holes": holes}
    return {**named, "everything": everything, "but_one": but_one, "scattered": RNG.random((H, W)) < 0.3}


SHAPES = shapes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FAST)
def test_the_target_outside_any_mask_is_kept_and_the_rest_is_finite(name, shape):
    source, target = NOISE
    completed = BLENDERS.load(name).blend(source, target, SHAPES[shape]).completed
    assert completed[~SHAPES[shape]].tobytes() == target[~SHAPES[shape]].tobytes()
    assert np.isfinite(completed).all()


@pytest.mark.parametrize("name", FAST)
def test_blending_an_image_with_itself_changes_nothing_visible(name):
    completed = BLENDERS.load(name).blend(SMOOTH, SMOOTH, disk()).completed
    # Broad bands of multiband read the source continued around the mask, as if nothing were known of it there.
    assert np.abs(completed - SMOOTH).max() < (0.01 if name == "multiband" else 1e-5)


@pytest.mark.parametrize("name", ["poisson", "auto"])
def test_a_source_of_another_brightness_becomes_the_target_s(name):
    completed = BLENDERS.load(name).blend(SMOOTH + 0.3, SMOOTH, disk()).completed
    assert np.abs(completed - SMOOTH).max() < 1e-4


def step_at_border(image, mask):
    """Return the mean absolute difference over pairs of neighbors across the border."""
    found = []
    for axis in (0, 1):
        across = np.diff(mask, axis=axis)
        found.append(np.abs(np.diff(image, axis=axis))[across].ravel())
    return float(np.concatenate(found).mean())


@pytest.mark.parametrize("name", ["feather", "multiband", "poisson"])
def test_the_step_at_the_border_becomes_small_and_the_middle_keeps_the_source(name):
    mask, source = disk(), SMOOTH + 0.3
    pasted = BLENDERS.load("paste").blend(source, SMOOTH, mask).completed
    blend = BLENDERS.load(name).blend(source, SMOOTH, mask).completed
    assert step_at_border(blend, mask) < 0.25 * step_at_border(pasted, mask)
    if name != "poisson":
        assert np.abs(blend - source)[20, 28].max() < 0.02


def test_multiband_keeps_the_source_s_detail_up_to_the_border():
    detail = 0.1 * ((ROWS + COLUMNS) % 2)[..., None]
    source, mask = SMOOTH + 0.2 + detail, disk()
    blend = BLENDERS.load("multiband").blend(source.astype(np.float32), SMOOTH, mask).completed
    inner = ndimage.binary_erosion(mask, iterations=2)
    checks = [np.abs(np.diff(each, axis=1))[inner[:, 1:] & inner[:, :-1]].mean() for each in (blend, source)]
    assert checks[0] > 0.8 * checks[1]


def test_the_rim_of_a_feathered_mask_has_the_given_width_and_the_frame_is_no_border():
    weight = feathered(disk(), 4)
    distance = ndimage.distance_transform_edt(disk())
    assert np.allclose(weight, np.clip(distance / 5, 0, 1))
    assert (feathered(np.ones((4, 5), bool), 3) == 1).all()
    assert feathered(np.arange(8)[None].repeat(3, 0) >= 2, 3)[:, -1].tolist() == [1, 1, 1]


@pytest.mark.parametrize("bands", [1, 2, 5, 12])
def test_with_full_weight_all_bands_together_are_the_image(bands):
    assert np.abs(weighted_bands(NOISE[0], np.ones((H, W)), bands, inwards=True) - NOISE[0]).max() < 1e-6


def test_options_of_poisson_are_those_of_the_editing():
    mask, (source, target) = disk(), NOISE
    got = {}
    for options in ({}, {"mode": "mixed"}, {"mode": "average"}, {"mode": "monochrome"}, {"boundary": "inside"}):
        got[str(options)] = BLENDERS.load("poisson", **options).blend(source, target, mask).completed
    pairs = [(a, b) for a in got for b in got if a < b]
    assert all(np.abs(got[a] - got[b]).max() > 0.01 for a, b in pairs)
    rim = mask & ~ndimage.binary_erosion(mask)
    assert np.array_equal(got["{'boundary': 'inside'}"][rim], target[rim])


def test_strength_and_screen_go_from_poisson_to_pasting():
    mask, source = disk(), (SMOOTH + 0.25).astype(np.float32)

    def shift(**options):
        return np.abs(BLENDERS.load("poisson", **options).blend(source, SMOOTH, mask).completed - source)

    shifts = [shift(**options)[mask].mean() for options in ({}, {"strength": 0.5}, {"strength": 0.0})]
    assert shifts == pytest.approx([0.25, 0.125, 0.0], abs=1e-3)
    screens = [shift(screen=screen)[mask].mean() for screen in (0.0, 0.02, 0.5)]
    assert screens[0] > screens[1] > screens[2] > 0


def test_the_least_border_goes_around_what_differs_unevenly():
    """A dark bar of the target crosses the mask's margin; the object is a bright disk in the middle."""
    mask, source, target = disk(17), np.full((H, W, 3), 0.5, np.float32), np.full((H, W, 3), 0.5, np.float32)
    source[disk(5)] = [0.9, 0.2, 0.1]
    target[:, 40:44] = 0.05
    blend = BLENDERS.load("poisson", border="least").blend(source, target, mask)
    border = blend.aux["border"]
    assert (border <= mask).all()
    assert border[disk(5)].all()
    assert border_spread(source, target, border) < 0.5 * border_spread(source, target, mask)
    far = mask & ~disk(7) & (COLUMNS < 38)
    assert np.abs(blend.completed - 0.5)[far].max() < 0.03
    assert np.abs(BLENDERS.load("poisson").blend(source, target, mask).completed - 0.5)[far].max() > 0.06


def test_what_is_taken_without_a_name_is_told_with_its_reason():
    auto = BLENDERS.load("auto")
    even = auto.blend(SMOOTH + 0.3, SMOOTH, disk())
    assert even.details["method"] == "poisson"
    assert "evenly along the border (0.00" in even.details["reason"]
    target = (COLUMNS < 28)[..., None].astype(np.float32).repeat(3, 2)
    uneven = auto.blend(SMOOTH, target, disk())
    assert uneven.details["method"] == "multiband"
    whole = auto.blend(SMOOTH, target, np.ones((H, W), bool))
    assert whole.details["method"] == "paste"
    assert np.array_equal(whole.completed, SMOOTH)
