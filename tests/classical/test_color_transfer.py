"""Color transfer: what each method makes equal, exactly; and what it leaves alone."""

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from inpaint.classical.color_transfer import from_lab, surroundings, to_lab, transfer, transferred
from inpaint.errors import InputError, UsageError

METHODS = ("reinhard", "covariance", "histogram", "distribution")


@pytest.fixture
def colors():
    """Two sets of muted colors, (400, 3) and (300, 3), of other means, spreads and correlations."""
    rng = np.random.default_rng(0)
    first = 0.45 + 0.05 * rng.standard_normal((400, 3)) @ np.array([[1, 0.6, 0.1], [0, 0.5, 0.2], [0, 0, 0.4]])
    second = 0.55 + 0.06 * rng.standard_normal((300, 3)) @ np.array([[0.7, -0.2, 0], [0, 0.8, 0.5], [0, 0, 1]])
    return first, second


def test_cielab_is_that_of_scikit_image_and_comes_back_exactly():
    grid = np.stack(np.meshgrid(*3 * [np.linspace(0, 1, 6)]), axis=-1).reshape(-1, 3)
    assert np.abs(to_lab(grid) - rgb2lab(grid)).max() < 0.02
    assert np.abs(from_lab(to_lab(grid)) - grid).max() < 1e-12
    assert np.abs(from_lab(rgb2lab(grid)) - lab2rgb(rgb2lab(grid))).max() < 1e-3
    beyond = np.array([[1.2, 0.5, -0.1]])
    assert np.abs(from_lab(to_lab(beyond)) - beyond).max() < 1e-12


def test_reinhard_gives_every_channel_of_cielab_the_others_mean_and_deviation(colors):
    own, wanted = colors
    found, theirs = rgb2lab(transfer(own, wanted, method="reinhard")), rgb2lab(wanted)
    assert np.abs(found.mean(axis=0) - theirs.mean(axis=0)).max() < 0.01
    assert np.abs(found.std(axis=0) - theirs.std(axis=0)).max() < 0.01


def test_covariance_gives_the_others_mean_and_covariance_by_a_symmetric_map(colors):
    own, wanted = colors
    found = transfer(own, wanted, method="covariance")
    assert np.allclose(found.mean(axis=0), wanted.mean(axis=0), rtol=0, atol=1e-12)
    assert np.allclose(np.cov(found.T, bias=True), np.cov(wanted.T, bias=True), rtol=0, atol=1e-12)
    map_, *_ = np.linalg.lstsq(own - own.mean(axis=0), found - found.mean(axis=0), rcond=None)
    assert np.allclose(map_, map_.T, rtol=0, atol=1e-9)
    assert np.linalg.eigvalsh(map_).min() > 0


def test_histograms_become_the_others_value_by_value(colors):
    own, wanted = colors
    found = transfer(own[:300], wanted, method="histogram")
    assert np.allclose(np.sort(found, axis=0), np.sort(wanted, axis=0), rtol=0, atol=1e-12)
    assert (np.argsort(found, axis=0) == np.argsort(own[:300], axis=0)).all()


def test_equal_values_stay_equal_under_a_histogram():
    own = np.array([[0.1] * 3, [0.1] * 3, [0.9] * 3])
    found = transfer(own, np.random.default_rng(0).random((50, 3)), method="histogram")
    assert (found[0] == found[1]).all()
    assert (found[2] > found[0]).all()


def test_a_distribution_has_the_others_histograms_along_directions_that_were_never_matched(colors):
    own, wanted = colors
    direction = np.array([[1, 1, 1], [1, -2, 1], [3, -1, 2]]).T / 3

    def distance(found):
        shares = np.linspace(0.02, 0.98, 49)
        return np.abs(np.quantile(found @ direction, shares, axis=0) - np.quantile(wanted @ direction, shares, axis=0))

    before = distance(transfer(own, wanted, method="histogram")).mean()
    assert distance(transfer(own, wanted, method="distribution")).mean() < before / 3


@pytest.mark.parametrize("method", METHODS)
def test_colors_that_fit_already_stay(colors, method):
    assert np.abs(transfer(colors[0], colors[0], method=method) - colors[0]).max() < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_one_color_becomes_the_others_mean_or_middle(colors, method):
    found = transfer(np.full((5, 3), 0.3), colors[1], method=method)
    assert np.ptp(found, axis=0).max() < 1e-9
    assert np.abs(found[0] - colors[1].mean(axis=0)).max() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_pixels_does_not_matter(colors, method):
    own, wanted = colors
    order, other = np.random.default_rng(1).permutation(len(own)), np.random.default_rng(2).permutation(len(wanted))
    found = transfer(own[order], wanted[other], method=method)
    assert np.allclose(found, transfer(own, wanted, method=method)[order], rtol=0, atol=1e-9)


@pytest.fixture
def scene():
    """Source, mask and target (13, 17)."""
    rng = np.random.default_rng(0)
    mask = np.zeros((13, 17), bool)
    mask[4:9, 6:12] = True
    return 0.5 * rng.random((13, 17, 3)), mask, 0.4 + 0.5 * rng.random((13, 17, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_only_the_object_changes_and_the_type_stays(scene, method, dtype):
    source, mask, target = scene
    before = source.astype(dtype)
    result = transferred(before, mask, target.astype(dtype), method=method)
    assert result.dtype == dtype
    assert (result[~mask] == before[~mask]).all()
    assert not np.allclose(result[mask], before[mask])
    assert result.min() >= 0
    assert result.max() <= 1
    assert (before == source.astype(dtype)).all()


def test_what_lies_under_the_object_is_not_read(scene):
    source, mask, target = scene
    expected = transferred(source, mask, target, around="whole")
    target[mask] = np.nan
    assert (transferred(source, mask, target, around="whole") == expected).all()


def test_half_the_strength_goes_half_the_way(scene):
    source, mask, target = scene
    half, whole = (transferred(source, mask, target, method="covariance", strength=share) for share in (0.5, 1.0))
    inside = (whole[mask] > 0) & (whole[mask] < 1)
    assert np.allclose(half[mask][inside], ((source + whole) / 2)[mask][inside], rtol=0, atol=1e-12)
    assert (transferred(source, mask, target, strength=0.0) == source).all()


def test_a_ring_counts_the_pixels_near_the_mask_and_no_others(scene):
    _, mask, _ = scene
    ring = surroundings(mask, ring_px=1)
    assert ring.sum() == 2 * (5 + 6)
    assert not (ring & mask).any()
    assert (surroundings(mask, around="whole") == ~mask).all()
    assert surroundings(np.zeros_like(mask)).all()


def test_a_mask_without_object_or_surroundings_leaves_the_source(scene):
    source, mask, target = scene
    for empty in (np.zeros_like(mask), np.ones_like(mask)):
        assert (transferred(source, empty, target) == source).all()


@pytest.mark.parametrize("method", METHODS)
def test_steps_of_sixteen_bits_are_kept(method):
    levels = np.linspace(20000, 30000, 2000).round() / 65535
    source = np.stack([levels, levels[::-1], np.roll(levels, 700)], axis=-1).reshape(40, 50, 3)
    mask = np.zeros((40, 50), bool)
    mask[5:35, 5:45] = True
    target = 0.4 + 0.2 * np.random.default_rng(0).random((40, 50, 3))
    result = transferred(source, mask, target, method=method)
    assert len(np.unique(result[mask][:, 0])) > 0.9 * len(np.unique(source[mask][:, 0]))


def test_what_does_not_fit_is_refused(scene):
    source, mask, target = scene
    with pytest.raises(InputError, match="must have one shape"):
        transferred(source, mask[1:], target)
    with pytest.raises(UsageError, match="unknown color transfer 'lab'"):
        transferred(source, mask, target, method="lab")
    with pytest.raises(UsageError, match="strength=2"):
        transferred(source, mask, target, strength=2)
