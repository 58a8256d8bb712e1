"""Learning from a teacher's fills: what is compared with what, and where."""

import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses


@pytest.fixture
def record():
    rng = np.random.default_rng(5)
    arrays = {
        "raw": rng.random((2, 3, 8, 12)),
        "raw_small": rng.random((2, 3, 4, 6)),
        "image": rng.random((2, 3, 8, 12)),
        "teacher": rng.random((2, 3, 8, 12)),
        "teacher_raw_small": rng.random((2, 3, 4, 6)),
        "mask": (rng.random((2, 1, 8, 12)) < 0.4).astype(np.float64),
    }
    record = {name: torch.as_tensor(array) for name, array in arrays.items()}
    return {**record, "hole_share": record["mask"].mean()}


def term(**options):
    return parse_losses({"it": {"kind": "distillation", "weight": 1.0, **options}}).terms["it"]


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_it_is_the_difference_in_the_hole_over_all_elements(record, norm):
    student, teacher, mask = (record[name].numpy() for name in ("raw", "teacher", "mask"))
    apart = np.abs(student - teacher) ** (1 if norm == "l1" else 2)
    assert term(norm=norm)(record).item() == pytest.approx((apart * mask).mean(), rel=1e-12)


def test_smaller_images_are_compared_with_means_of_the_teachers(record):
    mean = record["teacher"].numpy().reshape(2, 3, 4, 2, 6, 2).mean(axis=(3, 5))
    below = (np.abs(record["raw_small"].numpy() - mean) * record["mask"].numpy()[..., ::2, ::2]).mean()
    both = term(of=["raw", "raw_small"])(record).item()
    assert both == pytest.approx(term()(record).item() + below, rel=1e-12)


def test_a_teacher_of_the_same_kind_is_compared_entry_by_entry(record):
    loss = term(of=["raw_small"], against="same")
    assert loss.entries == {"raw_small", "teacher_raw_small"}
    apart = np.abs(record["raw_small"].numpy() - record["teacher_raw_small"].numpy())
    assert loss(record).item() == pytest.approx((apart * record["mask"].numpy()[..., ::2, ::2]).mean(), rel=1e-12)


def test_what_is_known_and_the_teacher_get_no_gradient(record):
    student, teacher = (record[name].clone().requires_grad_() for name in ("raw", "teacher"))
    term()({**record, "raw": student, "teacher": teacher}).backward()
    known = record["mask"].expand_as(student) == 0
    assert teacher.grad is None
    assert (student.grad[known] == 0).all()
    assert (student.grad[~known] != 0).all()


@pytest.mark.parametrize(
    ("options", "taught"),
    [
        ({"kind": "distillation"}, True),
        ({"kind": "l1", "of": "raw", "target": "teacher"}, True),
        ({"kind": "pyramid", "of": ["raw"], "target": "teacher", "term": {"kind": "l1"}}, True),
        ({"kind": "l1", "of": "raw"}, False),
        ({"kind": "tv", "of": "raw"}, False),
    ],
)
def test_losses_of_any_kind_that_read_the_teacher_are_told_apart(options, taught):
    losses = parse_losses({"it": {"weight": 1.0, **options}, "other": {"kind": "l1", "of": "raw", "weight": 1.0}})
    left, names = losses.without_teacher()
    assert names == losses.taught == (["it"] if taught else [])
    assert list(left.terms) == (["other"] if taught else ["it", "other"])
