"""Both sides of adversarial losses: what goes through a discriminator together, how precisely, and what is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from inpaint.losses import AdversarialTerm, DiscriminatorOutput, DiscriminatorTerm, Losses, MatchingTerm, Record
from inpaint.losses.adversarial import Wasserstein
from inpaint.losses.base import at_least_float32
from inpaint.losses.gradient_penalty import gradient_penalty, r1_penalty

TermT = TypeVar("TermT", bound=DiscriminatorTerm)
Discriminate: TypeAlias = Callable[[str, Tensor, Record], DiscriminatorOutput]
"""What the discriminator with the given role says of images (B, C, H, W), given the record of the same batch."""


def generator_losses(
    losses: Losses, record: Record, discriminate: Discriminate, *, together: bool = True
) -> dict[str, Tensor]:
    """Return the generator's side of every adversarial loss and every matching loss.

    Each discriminator gets each generated image once, however many terms there are; the real one only where a term
    compares the two.

    Args:
        losses: Terms of any kind; others are left out.
        record: With the graph of the generators.
        discriminate: From role, images and record to the output.
        together: Generated and real images go through in one batch, else in two passes, generated first.

    Returns:
        Unweighted scalars by name.
    """
    values: dict[str, Tensor] = {}
    for terms in _same_inputs({**losses.adversarial, **losses.matching}):
        first = next(iter(terms.values()))
        images = [record[first.of]]
        if any(isinstance(term, MatchingTerm) for term in terms.values()):
            images.append(record[first.real].detach())
        fake, *real = _outputs(discriminate, first.discriminator, images, record, together=together)
        for name, term in terms.items():
            if isinstance(term, AdversarialTerm):
                values[name] = term.generator_loss_around(fake.logits, record)
            elif isinstance(term, MatchingTerm):
                values[name] = term(fake, *real)
    return values


def discriminator_losses(
    losses: Losses, record: Record, discriminate: Discriminate, *, together: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the discriminators' side of every adversarial loss, with the penalties that are computed every time.

    Args:
        losses: Terms of any kind; others are left out.
        record: Nothing in it gets a gradient.
        discriminate: From role, images and record to the output.
        together: Real and generated images go through in one batch, so that both meet the same spectral norm; else in
            two passes, real first.

    Returns:
        Their sum, unweighted, since each discriminator has its own; and by name what to log: NAME_d, unweighted
        NAME_r1, NAME_gp and NAME_drift, and the mean logits d_real and d_fake, of several losses NAME_d_real and
        NAME_d_fake.
    """
    detached = _Each(record, Tensor.detach)
    total: Tensor | None = None
    values: dict[str, Tensor] = {}
    for terms in _same_inputs(losses.adversarial):
        first = next(iter(terms.values()))
        images = [detached[first.real], detached[first.of]]
        real, fake = _outputs(discriminate, first.discriminator, images, detached, together=together)
        for name, term in terms.items():
            values[f"{name}_d"] = term.discriminator_loss_around(real.logits, fake.logits, detached["mask"])
            front = f"{name}_" if len(losses.adversarial) > 1 else ""
            values[f"{front}d_real"], values[f"{front}d_fake"] = real.logits.mean(), fake.logits.mean()
            total = values[f"{name}_d"] if total is None else total + values[f"{name}_d"]
            if term.drift:
                values[f"{name}_drift"] = real.logits.square().mean()
                total = total + term.drift * values[f"{name}_drift"]
            for kind, weight, value in _penalties(term, detached, discriminate):
                values[f"{name}_{kind}"] = value
                total = total + weight * value
    return total if total is not None else torch.zeros(()), values


def lazy_penalties(
    losses: Losses, record: Record, discriminate: Discriminate, *, every: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the R1 penalties that are computed in one of `every` iterations.

    Args:
        losses: Terms of any kind; others are left out.
        record: Nothing in it gets a gradient.
        discriminate: From role, images and record to the output.
        every: Terms that name another number are left out.

    Returns:
        Their weighted sum times `every`, since it stands for so many iterations; and NAME_r1, unweighted, by name.
    """
    detached = _Each(record, Tensor.detach)
    terms = {name: term for name, term in losses.adversarial.items() if term.r1 and term.r1_every == every}
    values = {f"{name}_r1": _r1(term, detached, discriminate) for name, term in terms.items()}
    weighted = (every * term.r1 * values[f"{name}_r1"] for name, term in terms.items())
    return sum(weighted, torch.zeros((), device=record["mask"].device)), values


def _penalties(
    term: AdversarialTerm, record: Record, discriminate: Discriminate
) -> Iterator[tuple[str, float, Tensor]]:
    """Yield kind, weight and unweighted value of every penalty that the term asks for each time."""
    precise = _Each(record, _precise)

    def logits(image: Tensor) -> Tensor:
        return at_least_float32(discriminate(term.discriminator, image, precise).logits)

    real = precise[term.real]
    if term.r1 and term.r1_every == 1:
        yield "r1", term.r1, _r1(term, record, discriminate)
    if isinstance(term, Wasserstein) and term.penalty:
        mask = precise["mask"] if term.region == "hole" else None
        with _twice_differentiable(real.device):
            penalty = gradient_penalty(logits, real, precise[term.of], mask=mask, slope=term.slope)
            yield "gp", term.penalty, penalty


def _r1(term: AdversarialTerm, record: Record, discriminate: Discriminate) -> Tensor:
    """Return the R1 penalty of a term, unweighted."""
    precise = _Each(record, _precise)

    def logits(image: Tensor, mask: Tensor | None = None) -> Tensor:
        planes: Record = precise if mask is None else {**precise, "mask": mask}
        return at_least_float32(discriminate(term.discriminator, image, planes).logits)

    real, mask = precise[term.real], precise["mask"] if term.r1_mask else None
    with _twice_differentiable(real.device):
        return r1_penalty(logits, real, mask, mask_weight=term.r1_mask)


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


def _same_inputs(terms: Mapping[str, TermT]) -> Iterable[dict[str, TermT]]:
    """Return the terms in groups that give the same images to the same discriminator."""
    groups: dict[tuple[str, str, str], dict[str, TermT]] = {}
    for name, term in terms.items():
        groups.setdefault((term.discriminator, term.of, term.real), {})[name] = term
    return groups.values()


def _outputs(
    discriminate: Discriminate, role: str, images: list[Tensor], record: Record, *, together: bool
) -> list[DiscriminatorOutput]:
    """Return the output for each of one or two batches of images, logits in at least float32.

    Under autocast a mean of logits would otherwise be taken in half precision.
    """
    if together and len(images) == 2:
        both = discriminate(role, torch.cat(images), _Each(record, _twice))
        halves = zip(both.logits.chunk(2), *(feature.chunk(2) for feature in both.features), strict=True)
        outputs = [DiscriminatorOutput(logits, tuple(features)) for logits, *features in halves]
    else:
        outputs = [discriminate(role, image, record) for image in images]
    return [DiscriminatorOutput(at_least_float32(output.logits), output.features) for output in outputs]


class _Each(Mapping[str, Tensor]):
    """A record whose tensors are changed when they are asked for."""

    def __init__(self, record: Record, change: Callable[[Tensor], Tensor]) -> None:
        self._record = record
        self._change = change

    def __getitem__(self, name: str) -> Tensor:
        return self._change(self._record[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)


def _twice(tensor: Tensor) -> Tensor:
    """Return a batch followed by itself; what is one number for the whole batch stays."""
    return torch.cat((tensor, tensor)) if tensor.ndim else tensor


def _precise(tensor: Tensor) -> Tensor:
    return at_least_float32(tensor) if tensor.is_floating_point() else tensor
