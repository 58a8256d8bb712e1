import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from inpaint.metrics.edges import edge_counts, precision_and_recall


def maps(seed=0, batch=3, height=13, width=17):
    rng = np.random.default_rng(seed)
    soft = torch.from_numpy(rng.random((batch, 1, height, width)) ** 3)
    true = torch.from_numpy((rng.random((batch, 1, height, width)) < 0.1).astype(float))
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[:, :, 3:11, 2:13] = 1
    return soft, true, mask


def by_hand(soft, true, mask, tolerance_px):
    """Precision and recall over the whole batch, from distances between pixels."""
    right = edges = found = truth = 0
    for one, other, hole in zip(soft.numpy()[:, 0], true.numpy()[:, 0], mask.numpy()[:, 0], strict=True):
        a, b = np.argwhere(one * hole > 0.5), np.argwhere(other * hole > 0.5)
        apart = cdist(a, b, "chebyshev")
        right, edges = right + (apart.min(axis=1) <= tolerance_px).sum(), edges + len(a)
        found, truth = found + (apart.min(axis=0) <= tolerance_px).sum(), truth + len(b)
    return right / edges, found / truth


@pytest.mark.parametrize("tolerance_px", [0, 1, 2])
def test_precision_and_recall_are_those_of_distances_between_pixels(tolerance_px):
    soft, true, mask = maps()
    counts = edge_counts(soft, true, mask, tolerance_px=tolerance_px).sum(dim=0)
    precision, recall = precision_and_recall(counts)
    expected = by_hand(soft, true, mask, tolerance_px)
    assert 0 < expected[0] < 1
    assert (precision.item(), recall.item()) == pytest.approx(expected, abs=1e-7)


def test_only_the_hole_counts():
    soft, true, mask = maps()
    expected = edge_counts(soft, true, mask, tolerance_px=2)
    outside = torch.where(mask > 0, soft, 1 - soft), torch.where(mask > 0, true, 1 - true)
    assert torch.equal(edge_counts(*outside, mask, tolerance_px=2), expected)


def test_counts_of_parts_add_up():
    soft, true, mask = maps()
    whole = edge_counts(soft, true, mask).sum(dim=0)
    assert torch.equal(sum(edge_counts(soft[i : i + 1], true[i : i + 1], mask[i : i + 1])[0] for i in range(3)), whole)


def test_an_edge_one_pixel_beside_the_true_one_counts_only_with_tolerance():
    true, mask = torch.zeros(1, 1, 9, 9), torch.ones(1, 1, 9, 9)
    true[..., 4] = 1
    beside = true.roll(1, dims=-1)
    values = [precision_and_recall(edge_counts(beside, true, mask, tolerance_px=t)[0]) for t in (0, 1)]
    assert values[0] == (0.0, 0.0)
    assert torch.tensor(values[1]).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_where_there_are_no_lines_at_all_none_is_wrong_and_none_is_missed():
    nothing, line, mask = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    line[..., 1, 1] = 1
    scores = [precision_and_recall(edge_counts(a, b, mask)[0]) for a, b in ((nothing, nothing), (line, nothing))]
    assert [value.item() for value in scores[0]] == [1.0, 1.0]
    assert scores[0][0].is_floating_point()
    assert [value.item() for value in scores[1]] == [0.0, 0.0]
