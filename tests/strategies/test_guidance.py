"""Planes that guide a fill keep their place, however the photo is put before the model."""

import numpy as np
import pytest

from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.wrapper import StrategicFill
from obedient import Obedient

SIZE = (700, 900)


@pytest.fixture(scope="module")
def asked():
    """A photo with two holes far apart, a thin line through each, and a field of color in each."""
    hole, sketch, color = np.zeros(SIZE, bool), np.zeros((*SIZE, 1)), np.zeros((*SIZE, 4))
    for top, left, shade in ((60, 70, (0.9, 0.1, 0.2)), (480, 600, (0.1, 0.3, 0.8))):
        hole[top : top + 160, left : left + 200] = True
        sketch[top + 40, left : left + 200] = 1
        color[top + 80 : top + 140, left + 20 : left + 150] = (*shade, 1)
    image = np.full((*SIZE, 3), 0.25, np.float32)
    return image, hole, {"sketch": sketch.astype(np.float32), "color": color.astype(np.float32)}


STRATEGIES = {
    "original": ({"strategy": "original"}, {}),
    "crop": ({"strategy": "crop", "crop_trigger_size": 1}, {}),
    "resize": ({"strategy": "resize", "seam": "none"}, {"trained_px": 128}),
    "tile": ({"strategy": "tile", "seam": "none"}, {"trained_px": 128}),
    "panorama": ({"wrap": True}, {}),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_lines_and_colors_are_painted_where_they_were_drawn(name, asked):
    image, hole, guidance = asked
    options, capabilities = STRATEGIES[name]
    inner = Obedient(context_px=48, **capabilities)
    fill = StrategicFill(inner, StrategyOptions(**options))
    (painting,) = fill.fill_photo(lambda region: image[region.slices], hole, guidance=guidance)
    if name in ("crop", "tile"):
        assert max(inner.seen) < SIZE
    given = guidance["color"][..., 3] > 0
    away = np.abs(painting.colors - guidance["color"][..., :3]).max(axis=2)
    inside = given & np.roll(given, 12, 0) & np.roll(given, -12, 0) & np.roll(given, 12, 1) & np.roll(given, -12, 1)
    assert away[inside].max() < 1e-3
    lines = np.flatnonzero(guidance["sketch"][:, 100, 0])
    for row in lines:
        bright = np.flatnonzero(painting.colors[row - 20 : row + 21, 100, 0] > 0.7) - 20
        assert bright.size
        assert np.abs(bright).max() <= 8
    gray = hole & ~given & (guidance["sketch"][..., 0] == 0)
    assert np.median(painting.colors[gray]) == pytest.approx(0.5, abs=1e-3)


def test_what_the_guidance_says_outside_the_hole_paints_nothing(asked):
    image, hole, guidance = asked
    more = {name: np.where(hole[..., None], plane, 1).astype(np.float32) for name, plane in guidance.items()}
    fill = StrategicFill(Obedient(context_px=48), StrategyOptions(strategy="original"))
    (painting,) = fill.fill_photo(lambda region: image[region.slices], hole, guidance=more)
    (expected,) = fill.fill_photo(lambda region: image[region.slices], hole, guidance=guidance)
    assert np.array_equal(painting.colors[hole], expected.colors[hole])
