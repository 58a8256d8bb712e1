import pytest
import torch
from torch.distributions import Normal, kl_divergence

from inpaint.losses import parse_losses


def term(**options):
    return parse_losses({"it": {"weight": 1.0, **options}}).terms["it"]


@pytest.fixture
def gaussians():
    generator = torch.Generator().manual_seed(6)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return {
        "p_mu": draw(2, 4, 3, 3),
        "p_sigma": draw(2, 4, 3, 3).exp(),
        "q_mu": torch.zeros(2, 1, 1, 1, dtype=torch.float64),
        "q_sigma": draw(2, 1, 1, 1).exp(),
    }


def normal(record, name):
    return Normal(record[f"{name}_mu"], record[f"{name}_sigma"])


def test_the_divergence_is_that_of_torch_distributions_in_both_directions(gaussians):
    p, q = normal(gaussians, "p"), normal(gaussians, "q")
    last = term(kind="kl", of="p", against="q")(gaussians).item()
    first = term(kind="kl", of="p", against="q", first="of")(gaussians).item()
    assert last == pytest.approx(kl_divergence(q, p).mean().item(), rel=1e-12)
    assert first == pytest.approx(kl_divergence(p, q).mean().item(), rel=1e-12)
    assert first != pytest.approx(last, rel=0.01)


def test_without_another_the_divergence_is_from_the_standard_normal(gaussians):
    expected = kl_divergence(normal(gaussians, "p"), Normal(0.0, 1.0)).mean().item()
    assert term(kind="kl", of="p", first="of")(gaussians).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("detach", "moved"), [("none", "pq"), ("of", "q"), ("against", "p")])
def test_the_detached_side_gets_no_gradient(gaussians, detach, moved):
    leaves = {name: value.requires_grad_() for name, value in gaussians.items()}
    term(kind="kl", of="p", against="q", detach=detach)(leaves).backward()
    assert {name[0] for name, value in leaves.items() if value.grad is not None} == set(moved)


def test_the_divergence_is_computed_in_single_precision(gaussians):
    narrow = {name: value.to(torch.float16) for name, value in gaussians.items()}
    narrow["p_sigma"] = torch.full_like(narrow["p_sigma"], 1e-4)  # its square is 0 in half precision
    with torch.autocast("cpu", dtype=torch.float16):
        found = term(kind="kl", of="p", against="q")(narrow)
    assert found.dtype == torch.float32
    assert found.isfinite()
