"""From the `losses` block of a configuration to validated terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inpaint.errors import ConfigError, unknown
from inpaint.losses.adversarial import Hinge
from inpaint.losses.base import AdversarialTerm, PictureTerm, Term
from inpaint.losses.pixel import L1, L2
from inpaint.options import validated

KINDS: dict[str, type[Term]] = {"l1": L1, "l2": L2, "hinge": Hinge}


class Losses:
    """The terms of one model by name, in the order of the configuration."""

    def __init__(self, terms: Mapping[str, Term]) -> None:
        self.terms = dict(terms)

    @property
    def pictures(self) -> dict[str, PictureTerm]:
        """Terms computed from the prediction record alone."""
        return {name: term for name, term in self.terms.items() if isinstance(term, PictureTerm)}

    @property
    def adversarial(self) -> dict[str, AdversarialTerm]:
        """Terms that need a discriminator."""
        return {name: term for name, term in self.terms.items() if isinstance(term, AdversarialTerm)}


def parse_losses(block: Mapping[str, Any]) -> Losses:
    """Validate a mapping of name -> {kind, of, weight, options}.

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
