import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from skimage import feature

from inpaint.metrics import Compared, edges, measured, measures
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


# The measure of fills -------------------------------------------------------------------------------------------------


def hand_scores(painted, image, hole, tolerance_px):
    """Precision and recall of scikit-image's edges, sigma 2, thresholds 0.1 and 0.2, counted by distance."""
    edges = [feature.canny(x @ [0.2125, 0.7154, 0.0721], 2.0, 0.1, 0.2) & hole for x in (painted, image)]
    apart = cdist(*(np.argwhere(each) for each in edges), "chebyshev")
    return (apart.min(axis=1) <= tolerance_px).mean(), (apart.min(axis=0) <= tolerance_px).mean()


def test_fills_are_measured_by_canny_s_edges_in_the_hole(make_photo):
    images = [make_photo(48, 60, seed) / 255 for seed in (1, 2)]
    painted = [np.roll(image, 1, axis=1) for image in images]
    hole = np.zeros((2, 48, 60), bool)
    hole[0, 10:40, 12:50], hole[1, 5:43, 20:] = True, True
    batch = [torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2) for x in (painted, images)]
    compared = Compared(completed=batch[0], image=batch[1], mask=torch.from_numpy(hole)[:, None].double())
    names = [f"edge_{score}{near}_hole" for near in ("", "_1px") for score in ("precision", "recall", "f1")]
    values = measured(compared, measures(names).of_images)
    for i in range(2):
        for suffix, tolerance_px in (("", 0), ("_1px", 1)):
            precision, recall = hand_scores(painted[i], images[i], hole[i], tolerance_px)
            expected = [precision, recall, 2 * precision * recall / (precision + recall)]
            found = [values[f"edge_{score}{suffix}_hole"][i].item() for score in ("precision", "recall", "f1")]
            assert found == pytest.approx(expected, abs=1e-6)
        assert values["edge_f1_hole"][i] < 0.7 < 0.9 < values["edge_f1_1px_hole"][i]


def test_edges_of_an_image_are_sought_once(make_photo, monkeypatch):
    calls = []
    monkeypatch.setattr(edges, "canny", lambda gray, sigma_px: calls.append(sigma_px) or gray > 0.5)
    image, mask = torch.from_numpy(make_photo(20, 24, 1)).permute(2, 0, 1)[None] / 255, torch.ones(1, 1, 20, 24)
    values = measured(
        Compared(completed=image, image=image, mask=mask), measures(["edge_f1_hole", "edge_recall_1px_hole"]).of_images
    )
    assert calls == [2.0, 2.0]
    assert [value.item() for value in values.values()] == pytest.approx([1, 1])
