"""Losses: one small file per family, and their composition from configuration."""

from inpaint.losses.base import AdversarialTerm, PictureTerm, Record, Term
from inpaint.losses.compose import KINDS, Losses, parse_losses

__all__ = ["KINDS", "AdversarialTerm", "Losses", "PictureTerm", "Record", "Term", "parse_losses"]
