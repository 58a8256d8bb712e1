"""Losses: small classes with options, and their composition from configuration."""

from inpaint.losses.base import (
    AdversarialTerm,
    Discriminator,
    DiscriminatorOutput,
    DiscriminatorTerm,
    MatchingTerm,
    Record,
    RecordTerm,
    Term,
)
from inpaint.losses.compose import KINDS, Losses, parse_losses
from inpaint.losses.features import FeatureTerm

__all__ = [
    "KINDS",
    "AdversarialTerm",
    "Discriminator",
    "DiscriminatorOutput",
    "DiscriminatorTerm",
    "FeatureTerm",
    "Losses",
    "MatchingTerm",
    "Record",
    "RecordTerm",
    "Term",
    "parse_losses",
]
