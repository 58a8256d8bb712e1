"""The page of an evaluation, or of trainings: what `evaluation.report` shows, taken from their outcome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inpaint.evaluation.buckets import TENTHS, bucket
from inpaint.evaluation.outcomes import Outcome
from inpaint.evaluation.record import MASKED, ORIGINAL, Record
from inpaint.evaluation.report import Column, Example, Fact, Report, write_report
from inpaint.evaluation.summary import PROTOCOL, RATIO, SECONDS
from inpaint.evaluation.tables import notes, shown_measures
from inpaint.types import ProgressCallback
from inpaint.weights.curves import Run

PAGE_NAME = "index.html"


def report_of(made: Outcome, *, runs: Sequence[Run] = (), edges: Sequence[float] = TENTHS, command: str = "") -> Report:
    """Return everything that the page of an evaluation shows.

    Args:
        made: The evaluation.
        runs: Trainings whose curves are shown with it.
        edges: Of the buckets, as the outcome has them.
        command: What repeats it; by default what the record says.
    """
    record, summary = made.record, made.summary
    columns = [Column.of(measure) for measure in record.measures]
    shown = shown_measures(record.measures)
    examples = _examples(record, edges)
    return Report(
        title=f"{record.manifest.name}: {', '.join(record.models)}",
        measures=(*columns, Column(name=SECONDS, title="s/photo", better="lower")),
        masks=record.manifest.labels,
        models=record.models,
        entries=summary.entries,
        buckets=summary.buckets,
        differences=summary.differences,
        examples=tuple(examples),
        runs=tuple(runs),
        facts=tuple(_facts(record)),
        command=command or str(record.settings.get("command") or ""),
        notes=tuple(_notes(made, examples)),
        main=shown[0].name if shown else None,
        words=record.words,
    )


def report_of_runs(runs: Sequence[Run], *, command: str = "") -> Report:
    """Return what the page of trainings without an evaluation shows: their curves."""
    labels = ", ".join(run.label for run in runs)
    return Report(
        title=f"Trainings: {labels}", measures=(), masks=(), models=(), entries=(), runs=tuple(runs), command=command
    )


def write_page(folder: Path, report: Report, *, progress: ProgressCallback | None = None) -> str:
    """Write index.html and return its name. Raises WriteError when it cannot be written."""
    write_report(folder / PAGE_NAME, report, progress=progress)
    return PAGE_NAME


def _facts(record: Record) -> list[Fact]:
    manifest, settings = record.manifest, record.settings
    found = [
        Fact("Protocol", manifest.name),
        Fact("Manifest", manifest.hash, code=True),
        Fact("Photos", f"{len(manifest.photos):,}"),
        Fact("Size", f"{manifest.size} × {manifest.size} px" if manifest.size else "native"),
    ]
    named = [(name.capitalize(), settings.get(name)) for name in ("data", "device")]
    found += [Fact(name, str(value)) for name, value in named if value]
    return found


def _notes(made: Outcome, examples: Sequence[Example]) -> list[str]:
    """Return sentences on how the numbers came about, and on what is missing."""
    record = made.record
    terms = {"compared": "Measured", "mean": "Means", "differences": "Differences"}
    found = [f"{term}: {PROTOCOL[key]}." for key, term in terms.items()]
    found += notes(made.summary, record.measures)
    for model in ("", *record.models):
        failed = [each for each in record.failures if each.model == model]
        if failed:
            first, who = failed[0], model or "Every model"
            found.append(f"{who} gave nothing for {len(failed)}, first {first.image}: {first.reason}")
    kept, measured = len({each.image for each in examples}), len({row.image for row in record.rows})
    if kept < measured:
        found.append(f"Pictures of {kept:,} photos are kept and shown, of {measured:,} that were measured.")
    return found


def _examples(record: Record, edges: Sequence[float]) -> list[Example]:
    """Return the fills of every photo and mask, in the order of the record; where some have pictures, only those."""
    values: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for row in record.rows:
        seconds = {} if row.seconds is None else {SECONDS: row.seconds}
        values.setdefault((row.image, row.mask), {})[row.model] = {**row.values, **seconds}
    found = []
    for (image, mask), by_model in values.items():
        ratio = next((each[RATIO] for each in by_model.values() if RATIO in each), None)
        places = {name: record.picture(image, mask, name) for name in (MASKED, ORIGINAL, *by_model)}
        found.append(
            Example(
                image=image,
                mask=mask,
                ratio=ratio,
                bucket=None if ratio is None else bucket(ratio, edges),
                values=by_model,
                pictures={name: path for name, path in places.items() if path},
            )
        )
    return [each for each in found if each.pictures] or found
