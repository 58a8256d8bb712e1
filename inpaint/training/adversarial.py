"""Both sides of the games with discriminators: what is judged together, how precisely, and what is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from inpaint.losses import AdversarialTerm, JudgedTerm, Losses, Opinion, OpinionTerm, Record
from inpaint.losses.adversarial import Wasserstein
from inpaint.losses.base import at_least_float32
from inpaint.losses.penalties import gradient_penalty, r1_penalty

Judge: TypeAlias = Callable[[str, Tensor, Record], "Tensor | Opinion"]
"""The opinion of the discriminator with the given role on a picture, with what else of the record it looks at."""


def generator_values(losses: Losses, record: Record, judge: Judge) -> dict[str, Tensor]:
    """Return the generator's side of every game and every comparison of opinions, unweighted.

    Each discriminator looks once at each picture, however many terms ask; at the true one only if some term compares.
    """
    values: dict[str, Tensor] = {}
    for same in _together({**losses.adversarial, **losses.matching}):
        first = next(iter(same.values()))
        if any(isinstance(term, OpinionTerm) for term in same.values()):
            pictures = torch.cat((record[first.of], record[first.real].detach()))
            fake, real = _halves(_opinion(judge, first.discriminator, pictures, _Twice(record)))
        else:
            fake = real = _opinion(judge, first.discriminator, record[first.of], record)
        for name, term in same.items():
            if isinstance(term, AdversarialTerm):
                values[name] = term.for_generator(fake.scores)
            elif isinstance(term, OpinionTerm):
                values[name] = term(fake, real)
    return values


def discriminator_values(losses: Losses, record: Record, judge: Judge) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the sum of the discriminators' side of every game, penalties included, and the values to log.

    Games are not weighted, each discriminator plays its own: NAME_d, and unweighted NAME_r1, NAME_gp; the mean scores
    are d_real and d_fake, of several games NAME_d_real and NAME_d_fake.
    """
    games = losses.adversarial
    planes = _Detached(record)
    total: Tensor | None = None
    values: dict[str, Tensor] = {}
    for same in _together(games):
        first = next(iter(same.values()))
        # True and painted pictures in one pass, so that both meet the same spectral norm.
        pictures = torch.cat((planes[first.real], planes[first.of]))
        real, fake = _halves(_opinion(judge, first.discriminator, pictures, _Twice(planes)))
        for name, term in same.items():
            assert isinstance(term, AdversarialTerm)
            values[f"{name}_d"] = term.for_discriminator(real.scores, fake.scores)
            front = f"{name}_" if len(games) > 1 else ""
            values[f"{front}d_real"], values[f"{front}d_fake"] = real.scores.mean(), fake.scores.mean()
            total = values[f"{name}_d"] if total is None else total + values[f"{name}_d"]
            for kind, weight, value in _penalties(term, planes, judge):
                values[f"{name}_{kind}"] = value
                total = total + weight * value
    return total if total is not None else torch.zeros(()), values


def _penalties(term: AdversarialTerm, planes: Record, judge: Judge) -> Iterator[tuple[str, float, Tensor]]:
    """Yield kind, weight and unweighted value of every penalty that the term asks for."""
    precise = _Detached(planes, precise=True)

    def scores(picture: Tensor) -> Tensor:
        return _opinion(judge, term.discriminator, picture, precise).scores

    real = precise[term.real]
    if term.r1:
        with _twice_differentiable(real.device):
            yield "r1", term.r1, r1_penalty(scores, real)
    if isinstance(term, Wasserstein) and term.penalty:
        mask = precise["mask"] if term.region == "hole" else None
        with _twice_differentiable(real.device):
            yield "gp", term.penalty, gradient_penalty(scores, real, precise[term.of], mask=mask)


@contextmanager
def _twice_differentiable(device: torch.device) -> Iterator[None]:
    """Compute so that a gradient can itself be differentiated: in full precision, without what has no second gradient.

    That is the compiler and the fused kernels of attention.
    """
    with (
        torch.autocast(device.type, enabled=False),
        torch.compiler.set_stance("force_eager"),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield


def _together(terms: Mapping[str, JudgedTerm]) -> Iterable[dict[str, JudgedTerm]]:
    """Return the terms in groups that look at the same pictures with the same discriminator."""
    groups: dict[tuple[str, str, str], dict[str, JudgedTerm]] = {}
    for name, term in terms.items():
        groups.setdefault((term.discriminator, term.of, term.real), {})[name] = term
    return groups.values()


def _opinion(judge: Judge, role: str, picture: Tensor, record: Record) -> Opinion:
    """Judge in at least float32: under autocast a mean of scores would be taken in half precision."""
    said = judge(role, picture, record)
    opinion = said if isinstance(said, Opinion) else Opinion(said)
    return Opinion(at_least_float32(opinion.scores), opinion.features)


def _halves(both: Opinion) -> tuple[Opinion, Opinion]:
    scores = both.scores.chunk(2)
    features = [feature.chunk(2) for feature in both.features]
    first, second = (Opinion(scores[i], tuple(feature[i] for feature in features)) for i in (0, 1))
    return first, second


class _Detached(Mapping[str, Tensor]):
    """A record without gradients; precise: in at least float32."""

    def __init__(self, record: Record, *, precise: bool = False) -> None:
        self._record = record
        self._precise = precise

    def __getitem__(self, name: str) -> Tensor:
        plane = self._record[name].detach()
        return at_least_float32(plane) if self._precise and plane.is_floating_point() else plane

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)


class _Twice(Mapping[str, Tensor]):
    """A record for a batch that holds every picture twice; doubles only what is asked for."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def __getitem__(self, name: str) -> Tensor:
        plane = self._record[name]
        return torch.cat((plane, plane)) if plane.ndim else plane

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)
