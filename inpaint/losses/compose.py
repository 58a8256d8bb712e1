"""From the `losses` block of a configuration to validated terms, and all that is computed from the record alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from inpaint.errors import ConfigError, unknown
from inpaint.losses.adversarial import (
    FeatureMatching,
    Hinge,
    LeastSquares,
    MaskedNonSaturating,
    NonSaturating,
    SoftMaskPatch,
    Wasserstein,
)
from inpaint.losses.base import AdversarialTerm, DiscriminatorTerm, MatchingTerm, Record, RecordTerm, Term
from inpaint.losses.dice import Dice
from inpaint.losses.distillation import Distillation, needs_teacher
from inpaint.losses.features import FeatureExtractor, FeatureTerm, Perceptual, Statistics, Style
from inpaint.losses.foreground import ForegroundL2
from inpaint.losses.histogram import Histogram
from inpaint.losses.id_mrf import IDMRF
from inpaint.losses.kl import KLDivergence
from inpaint.losses.mask_bce import MaskCrossEntropy
from inpaint.losses.pixel import L1, L2, TotalVariation
from inpaint.losses.pyramid import Pyramid
from inpaint.losses.smoothness import Smoothness
from inpaint.losses.stability import FlowStability, NoiseStability
from inpaint.losses.statistics import FeatureStatistics
from inpaint.nn.features import public_weights
from inpaint.options import validated

KINDS: dict[str, type[Term]] = {
    "l1": L1,
    "l2": L2,
    "foreground_l2": ForegroundL2,
    "perceptual": Perceptual,
    "style": Style,
    "statistics": Statistics,
    "feature_statistics": FeatureStatistics,
    "histogram": Histogram,
    "id_mrf": IDMRF,
    "tv": TotalVariation,
    "smoothness": Smoothness,
    "noise_stability": NoiseStability,
    "flow_stability": FlowStability,
    "kl": KLDivergence,
    "dice": Dice,
    "mask_bce": MaskCrossEntropy,
    "distillation": Distillation,
    "pyramid": Pyramid,
    "hinge": Hinge,
    "nsgan": NonSaturating,
    "masked_nsgan": MaskedNonSaturating,
    "lsgan": LeastSquares,
    "sm_gan": SoftMaskPatch,
    "wgan_gp": Wasserstein,
    "feature_matching": FeatureMatching,
}


class Losses:
    """The terms of one model by name, in the order of the configuration. Selections share their feature networks."""

    def __init__(self, terms: Mapping[str, Term], *, extractor: FeatureExtractor | None = None) -> None:
        self.terms = dict(terms)
        self._extractor = extractor or FeatureExtractor()

    @property
    def adversarial(self) -> dict[str, AdversarialTerm]:
        """Adversarial losses."""
        return {name: term for name, term in self.terms.items() if isinstance(term, AdversarialTerm)}

    @property
    def matching(self) -> dict[str, MatchingTerm]:
        """Generators' losses that compare a discriminator's outputs for generated and real images."""
        return {name: term for name, term in self.terms.items() if isinstance(term, MatchingTerm)}

    @property
    def discriminators(self) -> frozenset[str]:
        """Roles of the discriminators that the terms need."""
        return frozenset(term.discriminator for term in self.terms.values() if isinstance(term, DiscriminatorTerm))

    def where(self, keep: Callable[[Term], bool]) -> Losses:
        """Return the terms that `keep` accepts, e.g. `lambda term: term.entries <= what_a_stage_paints`."""
        kept = {name: term for name, term in self.terms.items() if keep(term)}
        return Losses(kept, extractor=self._extractor)

    def only(self, *names: str) -> Losses:
        """Return the named terms. Raises ConfigError for a name that there is not."""
        for name in names:
            if name not in self.terms:
                raise ConfigError(unknown("loss", name, self.terms))
        kept = {name: term for name, term in self.terms.items() if name in names}
        return Losses(kept, extractor=self._extractor)

    def without_fetching(self) -> tuple[Losses, list[str]]:
        """Return the same terms, none of which fetches weights, for dry runs; and the addresses of what is missing.

        Features that would be fetched are random ones: they cost the same.
        """
        terms, missing = dict(self.terms), dict[str, None]()
        for name, term in self.terms.items():
            if isinstance(term, FeatureTerm) and term.weights == "public":
                wanted = public_weights(term.network)
                if not wanted.file.exists():
                    terms[name] = term.model_copy(update={"weights": "random"})
                    missing[wanted.url] = None
        return Losses(terms, extractor=self._extractor), list(missing)

    def without_teacher(self) -> tuple[Losses, list[str]]:
        """Return the terms that need no teacher, and the names of the others."""
        return self.where(lambda term: not needs_teacher(term)), self.taught

    @property
    def taught(self) -> list[str]:
        """Names of the terms that compare with a teacher."""
        return [name for name, term in self.terms.items() if needs_teacher(term)]

    def weighted(self) -> Losses:
        """Return the terms whose weight is not 0."""
        return self.where(lambda term: term.weight > 0)

    def of_record(self, record: Record) -> dict[str, Tensor]:
        """Return every term that needs no discriminator, unweighted; each network gets each set of images once."""
        values = {name: term(record) for name, term in self.terms.items() if isinstance(term, RecordTerm)}
        features = {name: term for name, term in self.terms.items() if isinstance(term, FeatureTerm)}
        values |= self._extractor.losses(features, record)
        return {name: values[name] for name in self.terms if name in values}


def parse_losses(block: Mapping[str, Any]) -> Losses:
    """Validate the `losses` block of a configuration.

    Args:
        block: Name -> {kind, weight, options}; a term that is None is left out.

    Raises:
        ConfigError: Names the key, the value and what is valid.

    Example:
        >>> list(parse_losses({"pixel": {"kind": "l1", "of": "raw", "weight": 1.0}, "style": None}).terms)
        ['pixel']
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
