"""Several evaluations in one table, where they measured the same; in separate ones where they did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from inpaint.evaluation.manifest import differences_of
from inpaint.evaluation.record import MASKED, ORIGINAL, Failure, Key, Record, Row, SetRow
from inpaint.metrics import Measure


@dataclass(frozen=True, kw_only=True)
class Merged(Record):
    """Evaluations of the same photos and masks as one record; each model's pictures stay where they are.

    sources: by label, the record that a model comes from and its label there.
    """

    sources: Mapping[str, tuple[Record, str]]

    def picture(self, image: str, mask: str, model: str) -> Path | None:
        """Return where a fill is kept, as of its own record; masked photos and originals from any of them."""
        if model in (MASKED, ORIGINAL):
            places = (record.picture(image, mask, model) for record, _ in self.sources.values())
            return next((path for path in places if path), None)
        record, label = self.sources[model]
        return record.picture(image, mask, label)


def merge(records: Sequence[Record]) -> list[Record]:
    """Return one record for every set of masks and photos that some of the evaluations share.

    Kinds of masks are told apart by their own hashes, so an evaluation with further kinds compares in those that it
    shares. A model that several of them measured with the same weights is one; other weights of the same label are
    told apart by the folder's name.

    Args:
        records: At least one.

    Returns:
        Records in the order of the first that each comes from. Numbers of different hashes are in different records.
    """
    holders: dict[str, list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        for each in record.manifest.hashes.values():
            holders[each].append(number)
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for each, numbers in holders.items():
        groups[tuple(dict.fromkeys(numbers))].append(each)
    return [made for numbers, shared in groups.items() for made in _of_group([records[n] for n in numbers], shared)]


def refusals(records: Sequence[Record]) -> list[str]:
    """Return a line for each two manifests that share no kind of masks: their hashes and the first difference."""
    lines = []
    first_of = {record.manifest.hash: record for record in reversed(records)}
    for one, other in combinations(reversed(first_of.values()), 2):
        if set(one.manifest.hashes.values()) & set(other.manifest.hashes.values()):
            continue
        first = next(differences_of(one.manifest, other.manifest), "")
        lines.append(
            f"not in one table: '{one.folder}' has manifest {one.manifest.hash}, '{other.folder}' {other.manifest.hash}"
            + (f": {first}" if first else "")
        )
    return lines


def _of_group(records: Sequence[Record], shared: Sequence[str]) -> Iterator[Record]:
    """Yield the whole records as one where they share all their kinds of masks, else one for each kind."""
    if all(len(record.manifest.hashes) == len(shared) for record in records):
        yield records[0] if len(records) == 1 else _merged(records)
        return
    for each in shared:
        parts = []
        for record in records:
            label = next(name for name, found in record.manifest.hashes.items() if found == each)
            parts.append(_part(record, label))
        yield parts[0] if len(parts) == 1 else _merged(parts)


def _part(record: Record, label: str) -> Record:
    """Return what a record says of one kind of mask, or style; what was taken over several styles is left out."""
    over = {each.name for each in record.of_sets if each.over_styles and len(record.manifest.labels) > 1}
    return replace(
        record,
        manifest=record.manifest.only(label),
        rows=tuple(row for row in record.rows if row.mask == label),
        measures=tuple(each for each in record.measures if each.name not in over),
        sets=tuple(row for row in record.sets if row.mask == label and row.measure not in over),
        failures=tuple(each for each in record.failures if each.mask in (label, "")),
    )


def _merged(records: Sequence[Record]) -> Merged:
    names, sources = _labels(records)
    rows: dict[Key, Row] = {}
    for record, labels in zip(records, names, strict=True):
        for row in record.rows:
            renamed = replace(row, model=labels[row.model])
            before = rows.get(renamed.key)
            rows[renamed.key] = renamed if before is None else _united(before, renamed)
    manifest = records[0].manifest
    photos = {each: number for number, each in enumerate(manifest.keys)}
    masks = {each: number for number, each in enumerate(manifest.labels)}
    models = {each: number for number, each in enumerate(sources)}
    measures: dict[str, Measure] = {}
    for record in records:
        measures |= {measure.name: measure for measure in record.measures if measure.name not in measures}
    sets: dict[tuple[str, str, str], SetRow] = {}
    failures: dict[Key, Failure] = {}
    for record, labels in zip(records, names, strict=True):
        for found in record.sets:
            made = replace(found, model=labels[found.model])
            sets.setdefault((made.measure, made.mask, made.model), made)
        for failure in record.failures:
            told = replace(failure, model=labels.get(failure.model, failure.model))
            failures.setdefault((told.image, told.mask, told.model), told)
    return Merged(
        folder=records[0].folder,
        manifest=manifest,
        models=tuple(sources),
        measures=tuple(sorted(measures.values(), key=lambda measure: measure.per != "image")),
        rows=tuple(sorted(rows.values(), key=lambda row: (photos[row.image], masks[row.mask], models[row.model]))),
        sets=tuple(sets.values()),
        failures=tuple(failures.values()),
        settings={
            "models": {name: record.settings["models"][label] for name, (record, label) in sources.items()},
            "device": ", ".join(dict.fromkeys(str(each.settings.get("device")) for each in records)),
            "folders": [str(record.folder) for record in records],
        },
        sources=sources,
    )


def _labels(records: Sequence[Record]) -> tuple[list[dict[str, str]], dict[str, tuple[Record, str]]]:
    """Return each record's labels as they are called together, and where every one of these comes from."""
    identities: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        for label in record.models:
            identities[label][str(record.settings["models"].get(label))] = None
    names, sources = list[dict[str, str]](), dict[str, tuple[Record, str]]()
    for number, record in enumerate(records):
        called = {}
        for label in record.models:
            name = label if len(identities[label]) == 1 else f"{record.folder.resolve().name}/{label}"
            if name in sources and name != label:  # two folders of one name
                name = f"{number + 1}/{name}"
            sources.setdefault(name, (record, label))
            called[label] = name
        names.append(called)
    return names, sources


def _united(row: Row, other: Row) -> Row:
    """Return the measures of both; what both have is the first's."""
    return replace(row, values={**other.values, **row.values})
