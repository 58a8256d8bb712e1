"""What the page is told of photos and results: plain values and addresses."""

from __future__ import annotations

import secrets
from typing import Any

from inpaint.app.workspaces import Result, Shown, Workspace


def news(**facts: Any) -> dict[str, Any]:
    """Return facts that are new even if they are the same as before."""
    return {"said": secrets.token_hex(4), **facts}


def photo_facts(space: Workspace, photo: Shown) -> dict[str, Any]:
    """Return what the page is told of a photo that is open."""
    return {
        "id": photo.id,
        "name": photo.name,
        "width": photo.width,
        "height": photo.height,
        "depth": photo.depth,
        "view": space.address(photo.view),
    }


def result_facts(space: Workspace) -> list[dict[str, Any]]:
    """Return what the page is told of the results, the newest first."""
    return [_facts_of(space, result) for result in reversed(space.results)]


def _facts_of(space: Workspace, result: Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "run": result.mask.parent.name,
        "name": result.name,
        "model": result.model,
        "width": result.width,
        "height": result.height,
        "depth": result.depth,
        "seconds": result.seconds,
        "notes": list(result.notes),
        "score": result.score,
        "strategy": result.strategy,
        "file": space.address(result.file) + "?download=true",
        "mask": space.address(result.mask) + "?download=true",
        "maskName": result.mask.name,
        "guidance": [
            {"plane": name, "name": file.name, "file": space.address(file) + "?download=true"}
            for name, file in result.guidance.items()
        ],
        "before": space.address(result.before),
        "view": space.address(result.view),
    }
