import numpy as np
import pytest
from scipy.sparse import lil_array
from scipy.sparse.linalg import spsolve

from inpaint.classical.poisson.effects import decolored_around, flattened, recolored, relit, tileable
from inpaint.errors import InputError, MaskError

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0.1, 0.9, (9, 11, 3))
MASK = np.zeros((9, 11), bool)
MASK[2:7, 3:9] = True


def solved(target, mask, wanted):
    """Solve the equations pair by pair: wanted(p, q) is the difference of p and q."""
    places = np.argwhere(mask)
    number = {tuple(place): index for index, place in enumerate(places)}
    matrix, right = lil_array((len(places), len(places))), np.zeros(len(places))
    for (y, x), row in number.items():
        for q in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if not (0 <= q[0] < mask.shape[0] and 0 <= q[1] < mask.shape[1]):
                continue
            matrix[row, row] += 1
            right[row] += wanted((y, x), q)
            if q in number:
                matrix[row, number[q]] -= 1
            else:
                right[row] += target[q]
    result = target.copy()
    result[mask] = spsolve(matrix.tocsr(), right)
    return result


def test_flattening_keeps_the_differences_at_the_given_edges_alone():
    edges = RNG.random(MASK.shape) < 0.2
    got = flattened(IMAGE, MASK, edges=edges)
    for channel in range(3):
        plane = IMAGE[..., channel]
        expected = solved(plane, MASK, lambda p, q: (plane[p] - plane[q]) * (edges[p] or edges[q]))  # noqa: B023
        assert np.abs(got[..., channel] - expected).max() < 1e-9


def test_flattening_finds_edges_itself_and_smooths_between_them():
    rows, columns = np.mgrid[:40, :50]
    image = np.repeat((0.3 + 0.4 * (columns > 25))[..., None], 3, 2) + RNG.normal(0, 0.02, (40, 50, 3))
    mask = (rows > 3) & (rows < 36) & (columns > 3) & (columns < 46)
    got = flattened(image, mask, sigma_px=2)
    assert got[10:30, 10:20].std() < 0.5 * image[10:30, 10:20].std()
    assert got[10:30, 32:40].mean() - got[10:30, 10:18].mean() > 0.35


def test_relighting_is_the_formula_in_the_logarithm():
    got = relit(IMAGE, MASK, alpha=0.3, beta=0.25)
    for channel in range(3):
        plane = np.log(IMAGE[..., channel])
        size = np.hypot(*np.gradient(plane))
        middle = 0.3 * size[MASK].mean()

        def wanted(p, q, plane=plane, size=size, middle=middle):
            return (middle / ((size[p] + size[q]) / 2)) ** 0.25 * (plane[p] - plane[q])

        assert np.abs(got[..., channel] - np.exp(solved(plane, MASK, wanted)))[MASK].max() < 1e-9
    assert np.array_equal(got[~MASK], IMAGE[~MASK])


def test_relighting_flat_and_black_images_and_without_strength_changes_nothing():
    assert np.array_equal(relit(IMAGE, MASK, beta=0), IMAGE)
    flat = np.full((6, 7, 3), 0.4)
    assert np.allclose(relit(flat, np.ones((6, 7), bool)), flat)
    assert np.isfinite(relit(np.zeros((6, 7, 3)), np.ones((6, 7), bool))).all()
    assert np.array_equal(relit(IMAGE, np.zeros_like(MASK)), IMAGE)


def test_recoloring_multiplies_the_differences_of_each_channel():
    got = recolored(IMAGE, MASK, (1.5, 0.5, 0.25))
    for channel, gain in enumerate((1.5, 0.5, 0.25)):
        plane = IMAGE[..., channel]
        expected = solved(plane, MASK, lambda p, q: gain * (plane[p] - plane[q]))  # noqa: B023
        assert np.abs(got[..., channel] - expected).max() < 1e-9


def test_around_an_object_colors_become_gray_and_its_differences_stay():
    got = decolored_around(IMAGE, MASK)
    assert np.ptp(got[~MASK], axis=1).max() < 1e-12
    assert np.allclose(got[~MASK][:, 0], IMAGE[~MASK] @ [0.299, 0.587, 0.114])
    inner = np.s_[3:6, 4:8]
    assert np.allclose(np.diff(got[inner], axis=1, n=1).mean(), np.diff(IMAGE[inner], axis=1).mean(), atol=0.1)


def test_a_tile_fits_to_itself_and_keeps_its_differences():
    tile = tileable(IMAGE)
    assert np.array_equal(tile[0], tile[-1])
    assert np.array_equal(tile[:, 0], tile[:, -1])
    again = tileable(tile)
    assert np.abs(again - tile).max() < 1e-9
    smooth = np.tile(np.linspace(0.2, 0.8, 20)[None, :, None], (15, 1, 3)) + 0.02 * RNG.random((15, 20, 3))
    seam = np.abs(tileable(smooth)[:, 0] - tileable(smooth)[:, -2]).mean()
    assert seam < 0.1 * np.abs(smooth[:, 0] - smooth[:, -2]).mean() + 0.05


def test_other_inputs_are_refused():
    with pytest.raises(InputError, match="floats"):
        flattened((IMAGE * 255).astype(np.uint8), MASK)
    with pytest.raises(MaskError, match="bool array"):
        relit(IMAGE, MASK[:3])
    with pytest.raises(InputError, match="one for each channel"):
        recolored(IMAGE, MASK, (1, 2))
    with pytest.raises(InputError, match="with colors"):
        decolored_around(IMAGE[..., :1], MASK)
    with pytest.raises(InputError, match="at least 3 pixels a side"):
        tileable(IMAGE[:2])
