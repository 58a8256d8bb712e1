"""Figures as JSON, with what they depend on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_figures(json_path: Path | None, content: Mapping[str, object]) -> None:
    """Write figures, if asked for, with hardware, versions and commit."""
    import json

    from inpaint.benchmark.rates import commit
    from inpaint.system.environment import hardware, versions
    from inpaint.system.files import atomic_write

    if json_path is None:
        return
    about = {"hardware": hardware(), "versions": versions(), "commit": commit()}
    with atomic_write(json_path) as temporary:
        temporary.write_text(json.dumps({**content, **about}, indent=2) + "\n")
