"""From the `losses` block of a configuration to validated terms, and all that is computed from pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from inpaint.errors import ConfigError, unknown
from inpaint.losses.adversarial import Hinge, LeastSquares, NonSaturating, Wasserstein
from inpaint.losses.base import AdversarialTerm, JudgedTerm, OpinionTerm, PictureTerm, Record, Term
from inpaint.losses.feature_matching import FeatureMatching
from inpaint.losses.kl import GaussianDivergence
from inpaint.losses.perceptual import Perception, PerceptionTerm, Perceptual, Style
from inpaint.losses.pixel import L1, L2
from inpaint.losses.pyramid import Pyramid
from inpaint.losses.total_variation import TotalVariation
from inpaint.options import validated

KINDS: dict[str, type[Term]] = {
    "l1": L1,
    "l2": L2,
    "perceptual": Perceptual,
    "style": Style,
    "tv": TotalVariation,
    "kl": GaussianDivergence,
    "pyramid": Pyramid,
    "hinge": Hinge,
    "nsgan": NonSaturating,
    "lsgan": LeastSquares,
    "wgan_gp": Wasserstein,
    "feature_matching": FeatureMatching,
}


class Losses:
    """The terms of one model by name, in the order of the configuration. Selections share their VGG networks."""

    def __init__(self, terms: Mapping[str, Term], *, perception: Perception | None = None) -> None:
        self.terms = dict(terms)
        self._perception = perception or Perception()

    @property
    def pictures(self) -> dict[str, PictureTerm]:
        """Terms computed from the prediction record alone."""
        return {name: term for name, term in self.terms.items() if isinstance(term, PictureTerm)}

    @property
    def perceptions(self) -> dict[str, PerceptionTerm]:
        """Terms that need a VGG."""
        return {name: term for name, term in self.terms.items() if isinstance(term, PerceptionTerm)}

    @property
    def adversarial(self) -> dict[str, AdversarialTerm]:
        """Games with a discriminator."""
        return {name: term for name, term in self.terms.items() if isinstance(term, AdversarialTerm)}

    @property
    def matching(self) -> dict[str, OpinionTerm]:
        """Generators' losses on what a discriminator says of painted and true pictures."""
        return {name: term for name, term in self.terms.items() if isinstance(term, OpinionTerm)}

    @property
    def discriminators(self) -> frozenset[str]:
        """Roles of the discriminators that the terms need."""
        return frozenset(term.discriminator for term in self.terms.values() if isinstance(term, JudgedTerm))

    def where(self, keep: Callable[[Term], bool]) -> Losses:
        """Return the terms that `keep` accepts, e.g. `lambda term: term.entries <= what_a_stage_paints`."""
        kept = {name: term for name, term in self.terms.items() if keep(term)}
        return Losses(kept, perception=self._perception)

    def only(self, *names: str) -> Losses:
        """Return the named terms. Raises ConfigError for a name that there is not."""
        for name in names:
            if name not in self.terms:
                raise ConfigError(unknown("loss", name, self.terms))
        kept = {name: term for name, term in self.terms.items() if name in names}
        return Losses(kept, perception=self._perception)

    def weighing(self) -> Losses:
        """Return the terms whose weight is not 0."""
        return self.where(lambda term: term.weight > 0)

    def of_pictures(self, record: Record) -> dict[str, Tensor]:
        """Compute every term that needs no discriminator, unweighted; each VGG looks once at each set of pictures."""
        values = {name: term(record) for name, term in self.pictures.items()}
        values |= self._perception.measure(self.perceptions, record)
        return {name: values[name] for name in self.terms if name in values}


def parse_losses(block: Mapping[str, Any]) -> Losses:
    """Validate a mapping of name -> {kind, weight, options}; a term that is null is left out.

    Raises ConfigError naming the key, the value and what is valid.
    """
    return Losses({name: _parse(name, options) for name, options in block.items() if options is not None})


def _parse(name: str, options: Any) -> Term:
    if isinstance(options, Term):
        return options
    if not isinstance(options, Mapping) or "kind" not in options:
        raise ConfigError(f"losses.{name} must be a mapping with a `kind`, got {options!r}; kinds: {', '.join(KINDS)}")
    kind = options["kind"]
    if kind not in KINDS:
        raise ConfigError(f"losses.{name}.kind: {unknown('loss', str(kind), KINDS)}")
    return validated(KINDS[kind], options, key=f"losses.{name}")
