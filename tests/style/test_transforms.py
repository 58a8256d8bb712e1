from functools import reduce

import numpy as np
import pytest
import torch

from inpaint.style.transforms import (
    CUT,
    EPS,
    Affine,
    Region,
    Sums,
    adain,
    affine,
    maps,
    mixed,
    moments,
    needs_covariance,
    on_grid,
    sums,
    transformed,
)

KINDS = ("adain", "wct", "ot", "cholesky")
FULL = ("wct", "ot", "cholesky")
RNG = np.random.default_rng(0)


def features(channels, height, width, *, rank=None, seed=0):
    """Features whose channels depend on each other; of lower rank where one is given."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((rank or channels, height * width))
    mixed_rows = rng.standard_normal((channels, rank or channels)) @ rows + 3 * rng.standard_normal((channels, 1))
    return torch.from_numpy(mixed_rows.reshape(channels, height, width))


CONTENT, STYLE = features(6, 8, 9), features(6, 7, 11, seed=1)


def everywhere(style, kind, content=CONTENT):
    return Region(
        style=moments(style.flatten(1), covariance=needs_covariance(kind)), share=torch.ones(content.shape[1:])
    )


def covariance(x, weights=None):
    return np.cov(x.flatten(1).numpy(), aweights=None if weights is None else weights.flatten().numpy())


@pytest.mark.parametrize("kind", FULL)
def test_mean_and_covariance_become_those_of_the_style(kind):
    found = transformed(kind, CONTENT, [everywhere(STYLE, kind)])
    assert np.abs(covariance(found) - covariance(STYLE)).max() < 1e-10
    assert (found.mean(dim=(1, 2)) - STYLE.mean(dim=(1, 2))).abs().max() < 1e-10


def test_mean_and_deviation_become_those_of_the_style():
    found = transformed("adain", CONTENT, [everywhere(STYLE, "adain")]).flatten(1).numpy()
    own, wanted = (x.flatten(1).numpy().var(axis=1, ddof=1) for x in (CONTENT, STYLE))
    assert np.allclose(found.mean(axis=1), STYLE.mean(dim=(1, 2)), atol=1e-12)
    assert np.allclose(found.var(axis=1, ddof=1), own * (wanted + EPS) / (own + EPS), rtol=1e-12)


def test_adain_of_a_batch_gives_each_image_the_style_beside_it():
    both = adain(torch.stack([CONTENT, CONTENT.flip(1)]), torch.stack([STYLE, STYLE.flip(0)]))
    alone = transformed("adain", CONTENT, [everywhere(STYLE, "adain")])
    assert torch.allclose(both[0], alone, atol=1e-12)
    assert torch.allclose(both[1].mean(dim=(1, 2)), STYLE.flip(0).mean(dim=(1, 2)), atol=1e-12)


def test_gradients_of_adain_are_those_of_finite_differences():
    content = torch.rand(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    style = torch.rand(1, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(adain, (content, style))


@pytest.mark.parametrize("kind", KINDS)
def test_strength_0_returns_the_very_features_and_strength_moves_them_along_a_line(kind):
    region = everywhere(STYLE, kind)
    assert torch.equal(transformed(kind, CONTENT, [region], strength=0.0), CONTENT)
    whole = transformed(kind, CONTENT, [region])
    part = transformed(kind, CONTENT, [region], strength=0.3)
    assert torch.allclose(part, 0.7 * CONTENT + 0.3 * whole, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_style_that_is_the_content_changes_nothing(kind):
    found = transformed(kind, CONTENT, [everywhere(CONTENT, kind)])
    assert torch.allclose(found, CONTENT, atol=1e-9)


def test_optimal_transport_moves_features_least():
    moved = {kind: (transformed(kind, CONTENT, [everywhere(STYLE, kind)]) - CONTENT).square().sum() for kind in FULL}
    assert moved["ot"] < moved["wct"]
    assert moved["ot"] < moved["cholesky"]
    # The least there is between two normal distributions (Dowson and Landau 1982), M - 1 for M in the covariances.
    from scipy.linalg import sqrtm

    own, wanted = covariance(CONTENT), covariance(STYLE)
    root = sqrtm(own)
    least = np.trace(own + wanted - 2 * sqrtm(root @ wanted @ root).real)
    apart = (CONTENT.mean(dim=(1, 2)) - STYLE.mean(dim=(1, 2))).square().sum().item()
    assert moved["ot"].item() == pytest.approx(71 * least + 72 * apart, rel=1e-9)


def test_cholesky_maps_by_a_lower_triangular_matrix():
    own, wanted = (moments(x.flatten(1), covariance=True) for x in (CONTENT, STYLE))
    matrix = affine("cholesky", own, wanted).matrix
    expected = np.linalg.cholesky(covariance(STYLE)) @ np.linalg.inv(np.linalg.cholesky(covariance(CONTENT)))
    assert np.allclose(matrix, expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content", "style"),
    [
        (features(6, 8, 9, rank=2), STYLE),
        (CONTENT, features(6, 7, 11, rank=2)),
        (features(6, 1, 3), features(6, 2, 1)),
        (torch.ones(6, 4, 4, dtype=torch.float64), STYLE),
        (features(6, 1, 1), features(6, 1, 1, seed=2)),
    ],
    ids=["content of rank 2", "style of rank 2", "few positions", "one color", "one position each"],
)
def test_where_directions_are_missing_means_still_match_and_nothing_explodes(kind, content, style):
    found = transformed(kind, content, [everywhere(style, kind, content)])
    assert torch.allclose(found.mean(dim=(1, 2)), style.mean(dim=(1, 2)), atol=1e-6)
    assert found.abs().max() < 100 * (1 + style.abs().max())


def test_wct_of_a_content_of_low_rank_colors_what_there_is():
    content = features(6, 8, 9, rank=2)
    found = transformed("wct", content, [everywhere(STYLE, "wct")])
    assert np.linalg.matrix_rank(covariance(found), tol=1e-6) == 2
    # Whitened, and so as far from the style's covariance as the projection says.
    values, vectors = np.linalg.eigh(covariance(content))
    there = vectors[:, values > CUT]
    s_values, s_vectors = np.linalg.eigh(covariance(STYLE))
    root = s_vectors * np.sqrt(s_values) @ s_vectors.T
    assert np.allclose(covariance(found), root @ there @ there.T @ root, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_each_region_gets_its_own_style_by_its_own_statistics(kind):
    left = torch.zeros(8, 9, dtype=torch.float64)
    left[:, :5] = 1
    other = features(6, 5, 13, seed=3)
    styles = [moments(x.flatten(1), covariance=needs_covariance(kind)) for x in (STYLE, other)]
    regions = [Region(styles[0], share=left, inside=left), Region(styles[1], share=1 - left, inside=1 - left)]
    found = transformed(kind, CONTENT, regions)
    for part, style in ((slice(0, 5), STYLE), (slice(5, 9), other)):
        alone = transformed(kind, CONTENT[:, :, part], [everywhere(style, kind, CONTENT[:, :, part])])
        assert torch.allclose(found[:, :, part], alone, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_styles_mix_by_weight_and_positions_of_none_stay(kind):
    other = features(6, 5, 13, seed=3)
    styles = [moments(x.flatten(1), covariance=needs_covariance(kind)) for x in (STYLE, other)]
    shares = [torch.full((8, 9), share) for share in (0.25, 0.75)]
    for share in shares:
        share[0] = 0
    found = transformed(kind, CONTENT, [Region(*pair) for pair in zip(styles, shares, strict=True)])
    apart = [transformed(kind, CONTENT, [everywhere(style, kind)]) for style in (STYLE, other)]
    assert torch.equal(found[:, 0], CONTENT[:, 0])
    assert torch.allclose(found[:, 1:], (0.25 * apart[0] + 0.75 * apart[1])[:, 1:], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positions", [0, 1])
def test_a_region_of_one_position_or_none_is_no_obstacle(kind, positions):
    place = torch.zeros(8, 9)
    place[2, 3] = positions
    style = moments(STYLE.flatten(1), covariance=needs_covariance(kind))
    found = transformed(kind, CONTENT, [Region(style, share=place, inside=place)])
    assert torch.equal(found[:, place == 0], CONTENT[:, place == 0])
    if positions:
        assert torch.allclose(found[:, 2, 3], STYLE.mean(dim=(1, 2)), atol=1e-9)


@pytest.mark.parametrize("full", [True, False])
def test_weighted_moments_are_those_of_numpy(full):
    weights = torch.from_numpy(RNG.random((8, 9)))
    found = moments(CONTENT.flatten(1), weights.flatten(), covariance=full)
    expected = covariance(CONTENT, weights)
    assert np.allclose(found.spread, expected if full else np.diag(expected)[:, None], atol=1e-10)
    mean = np.average(CONTENT.flatten(1).numpy(), axis=1, weights=weights.flatten().numpy())
    assert np.allclose(found.mean[:, 0], mean, atol=1e-12)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_sums_of_parts_merge_to_those_of_the_whole(full, weighted):
    weights = torch.from_numpy(RNG.random((8, 9))) if weighted else torch.ones(8, 9, dtype=torch.float64)
    if weighted:
        weights[0] = weights[5] = 0  # parts that do not count at all
    rows = [slice(0, 1), slice(1, 4), slice(4, 5), slice(5, 6), slice(6, 8)]
    parts = [sums(CONTENT[:, each].flatten(1), weights[each].flatten(), covariance=full) for each in rows]
    whole = moments(CONTENT.flatten(1), weights.flatten(), covariance=full)
    for one, other in zip(reduce(Sums.merged, parts).moments(), whole, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_covariances_of_float32_features_are_taken_in_float64(monkeypatch):
    import inpaint.style.transforms as module

    monkeypatch.setattr(module, "AT_ONCE", 32)  # some positions at a time
    shifted = (CONTENT + 1000).float()
    found = moments(shifted.flatten(1), covariance=True)
    assert found.spread.dtype == torch.float64
    assert np.abs(found.spread.numpy() - np.cov(shifted.flatten(1).double().numpy())).max() < 1e-9


def test_rows_that_are_mixed_apart_are_those_of_the_whole():
    region = everywhere(STYLE, "wct")
    found = maps("wct", CONTENT, [region])
    rows = [mixed(CONTENT[:, each], found, [region.share[each]], strength=0.5) for each in (slice(0, 3), slice(3, 8))]
    assert torch.allclose(torch.cat(rows, dim=1), transformed("wct", CONTENT, [region], strength=0.5), atol=1e-12)


def test_an_affine_map_keeps_the_type_of_the_features():
    one = torch.ones(6, 1, dtype=torch.float64)
    assert Affine(one, one, one)(CONTENT.flatten(1).half()).dtype == torch.float16
    assert moments(CONTENT.flatten(1).half(), covariance=False).mean.dtype == torch.float32


def test_masks_on_the_grid_of_features_are_shares_of_their_pixels():
    mask = torch.zeros(4, 6)
    mask[:2, :2], mask[3, 5] = 1, 1
    assert torch.equal(on_grid(mask, (2, 3)), torch.tensor([[1.0, 0, 0], [0, 0, 0.25]]))
