"""A comparison as one run of W&B: figures, tables with pictures, and the manifest as an artifact."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError
from inpaint.evaluation.buckets import ALL
from inpaint.evaluation.differences import Difference
from inpaint.evaluation.manifest import MANIFEST_NAME
from inpaint.evaluation.outcomes import Outcome, write_outcome
from inpaint.evaluation.record import MASKED, ORIGINAL, Record
from inpaint.evaluation.summary import Entry
from inpaint.system.environment import versions
from inpaint.system.tracking import start_wandb, upload_line

log = logging.getLogger("inpaint.evaluation")

PICTURES = 100
"""Photos of every kind of mask whose pictures go into the table; numbers of all go."""
KIND = "evaluation"


def upload(
    made: Outcome, *, project: str, folder: Path, command: str = "", pictures: int = PICTURES, mode: str = "auto"
) -> list[str]:
    """Record an outcome as one run of W&B.

    The summary holds every mean as MASK/MEASURE/MODEL and the manifest's hash; tables hold entries, differences, and
    every photo with its pictures; the artifact `evaluation-HASH` holds manifest, summary and table. Without a login, or
    with WANDB_MODE=offline, all of it is recorded offline.

    Args:
        made: What is recorded.
        project: Of W&B.
        folder: Where W&B keeps what it records.
        command: What repeats it, noted with it.
        pictures: Photos whose pictures go along.
        mode: auto, online, offline or disabled.

    Returns:
        How to upload it, where it was recorded offline.

    Raises:
        InpaintError: W&B failed.
    """
    record = made.record
    try:
        session, offline = start_wandb(
            log=log,
            denied="give a project of your own to --wandb",
            mode=mode,
            project=project,
            entity=os.environ.get("WANDB_ENTITY"),
            name=os.environ.get("WANDB_NAME") or f"{record.manifest.name}-{record.manifest.hash}",
            job_type=KIND,
            dir=str(folder),
            config=_config(record, command),
        )
        try:
            _record(session, made, pictures)
        except BaseException:
            session.finish(exit_code=1)
            raise
        session.finish(exit_code=0)
    except InpaintError:
        raise
    except Exception as error:  # anything may come out of a tracker and its connection
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InpaintError(f"W&B failed: {reason[:300]}") from None
    return [upload_line([offline])] if offline else []


def _config(record: Record, command: str) -> dict[str, Any]:
    return {
        "manifest": record.manifest.hash,
        "protocol": record.manifest.name,
        "size": record.manifest.size,
        "masks": list(record.manifest.labels),
        "photos": len(record.manifest.photos),
        "models": list(record.models),
        "measures": [measure.name for measure in record.measures],
        "facts": {"versions": versions(), "command": command},
    }


def _record(session: Any, made: Outcome, pictures: int) -> None:
    import wandb

    record, summary = made.record, made.summary
    session.log(
        {
            "entries": _table(wandb, Entry, summary.entries),
            "differences": _table(wandb, Difference, summary.differences),
            "images": wandb.Table(columns=_columns(record), data=list(_images(wandb, record, pictures))),
        }
    )
    session.summary.update(
        {
            "manifest": record.manifest.hash,
            **{
                f"{each.mask}/{each.measure}/{each.model}": each.mean
                for each in summary.entries
                if each.bucket == ALL and each.mean is not None
            },
        }
    )
    artifact = wandb.Artifact(f"evaluation-{record.manifest.hash}", type=KIND, metadata=_config(record, ""))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        record.manifest.write(place)
        for written in (MANIFEST_NAME, *write_outcome(made, place)):
            artifact.add_file(str(place / written))  # which copies it
    session.log_artifact(artifact)


def _table(wandb: Any, kind: type[Entry] | type[Difference], rows: Sequence[Entry | Difference]) -> Any:
    names = [field.name for field in fields(kind)]
    return wandb.Table(columns=names, data=[[asdict(row)[name] for name in names] for row in rows])


def _columns(record: Record) -> list[str | int]:
    pictures = (MASKED, "filled", ORIGINAL)
    return ["image", "mask", "model", *pictures, *(measure.name for measure in record.of_images), "seconds"]


def _images(wandb: Any, record: Record, pictures: int) -> Iterator[list[Any]]:
    """Yield a row for every fill; the pictures of a photo are read once for all models."""
    shown = set(record.manifest.keys[:pictures])
    held: dict[tuple[str, str, str], Any] = {}
    for row in record.rows:

        def picture(model: str, image: str = row.image, mask: str = row.mask) -> Any:
            key = (image, mask, model)
            if key not in held:
                path = record.picture(*key) if image in shown else None
                held[key] = None if path is None else wandb.Image(str(path), caption=f"{image}, {mask}, {model}")
            return held[key]

        values = [row.values.get(measure.name) for measure in record.of_images]
        named = [picture(model) for model in (MASKED, row.model, ORIGINAL)]
        yield [row.image, row.mask, row.model, *named, *values, row.seconds]
