"""Losses: small classes with options, and their composition from configuration."""

from inpaint.losses.base import (
    AdversarialTerm,
    Discriminator,
    DiscriminatorOutput,
    DiscriminatorTerm,
    MatchingTerm,
    Record,
    Term,
)
from inpaint.losses.compose import KINDS, Losses, parse_losses

__all__ = [
    "KINDS",
    "AdversarialTerm",
    "Discriminator",
    "DiscriminatorOutput",
    "DiscriminatorTerm",
    "Losses",
    "MatchingTerm",
    "Record",
    "Term",
    "parse_losses",
]
