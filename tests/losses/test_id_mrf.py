"""The ID-MRF loss, against loops, and what it promises."""

import numpy as np
import pytest
import torch

import inpaint.losses.id_mrf as id_mrf
from inpaint.losses.id_mrf import IDMRF

rng = np.random.default_rng(0)
PAINTED, REAL = (torch.as_tensor(rng.standard_normal((2, 6, 3, 4))) for _ in range(2))


def term(**options):
    return IDMRF(of="raw", weight=1.0, weights="random", **options)


def by_loops(painted, real, *, bandwidth=0.5):
    """GMCNN's definition, one number at a time."""
    middle = real.transpose(1, 0, 2, 3).reshape(real.shape[1], -1).mean(axis=1)
    losses = []
    for image, other in zip(painted, real, strict=True):
        v, s = (x.reshape(len(x), -1).T - middle for x in (image, other))
        best = np.zeros(len(s))
        for one in v:
            distances = np.array([(1 - one @ each / np.linalg.norm(one) / np.linalg.norm(each)) / 2 for each in s])
            weights = np.exp((1 - distances / (distances.min() + 1e-5)) / bandwidth)
            best = np.maximum(best, weights / weights.sum())
        losses.append(-np.log(best.mean()))
    return np.mean(losses)


@pytest.mark.parametrize("block", [1 << 22, 24])
def test_it_is_what_its_paper_says_however_large_the_blocks_are(monkeypatch, block):
    monkeypatch.setattr(id_mrf, "BLOCK", block)
    painted = PAINTED.clone().requires_grad_()
    found = term().layer_loss(painted, REAL)
    assert found.item() == pytest.approx(by_loops(PAINTED.numpy(), REAL.numpy()), rel=1e-12)
    found.backward()
    monkeypatch.setattr(id_mrf, "BLOCK", 1 << 22)
    whole = PAINTED.clone().requires_grad_()
    term().layer_loss(whole, REAL).backward()
    assert torch.allclose(painted.grad, whole.grad, rtol=1e-10)


def test_it_does_not_ask_where_features_are_and_is_least_for_the_real_ones():
    shuffled = REAL.flatten(2)[..., torch.randperm(12, generator=torch.Generator().manual_seed(0))].view_as(REAL)
    same = term().layer_loss(REAL, REAL)
    assert term().layer_loss(shuffled, REAL).item() == pytest.approx(same.item(), rel=1e-12)
    assert same < term().layer_loss(PAINTED, REAL)


def test_many_places_are_drawn_from_torchs_generator():
    def drawn(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return term(most=5).layer_loss(PAINTED, REAL).item()

    assert drawn(1) == drawn(1) != drawn(2)


def test_the_images_of_a_batch_are_averaged_or_added():
    mean, total = (term(summed=summed).layer_loss(PAINTED, REAL).item() for summed in (False, True))
    assert total == pytest.approx(2 * mean, rel=1e-12)
