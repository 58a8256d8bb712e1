"""Licenses of weights: which of them are mentioned when weights are loaded."""

from __future__ import annotations

import logging
from functools import cache
from os import PathLike

log = logging.getLogger("inpaint.weights.licenses")

FREE_LICENSES = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT"})  # allow every use


def mention_license(path: str | PathLike[str], license: str | None) -> None:
    """Warn, once per program and file, of weights whose license does not allow every use."""
    if license is not None and license not in FREE_LICENSES:
        _warn_once(f"weights of {path}: license {license}; check that it allows what you do with the results")


@cache
def _warn_once(text: str) -> None:
    log.warning("%s", text)
