"""Losses: one small file per family, and their composition from configuration."""

from inpaint.losses.base import AdversarialTerm, JudgedTerm, Opinion, OpinionTerm, PictureTerm, Record, Term
from inpaint.losses.compose import KINDS, Losses, parse_losses
from inpaint.losses.perceptual import PerceptionTerm

__all__ = [
    "KINDS",
    "AdversarialTerm",
    "JudgedTerm",
    "Losses",
    "Opinion",
    "OpinionTerm",
    "PerceptionTerm",
    "PictureTerm",
    "Record",
    "Term",
    "parse_losses",
]
