"""Runs and evaluations beside each other: found, read, and told in tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, RunError, UsageError, some
from inpaint.evaluation.curves import shown_keys
from inpaint.evaluation.manifest import MANIFEST_NAME
from inpaint.evaluation.merging import merge, refusals
from inpaint.evaluation.outcomes import TABLE_NAME, Outcome, outcome, write_outcome
from inpaint.evaluation.page import report_of, report_of_runs, write_page
from inpaint.evaluation.record import RESULTS_NAME, Record
from inpaint.evaluation.trainings import configurations_tables, courses_table
from inpaint.system.files import write_text
from inpaint.weights.curves import Run, read_curves
from inpaint.weights.runs import RunFolder, run_labels, runs_in

KEYS = ("val/*",)
"""Patterns of the columns of metrics.csv that are compared when nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that places hold.

    runs: trainings with curves. configs: of the runs, by label. outcomes: of the evaluations, one for every set of
    photos and masks; nothing of different manifests is in one. refused: why these are several, a line for each two.
    """

    runs: tuple[Run, ...]
    configs: Mapping[str, Mapping[str, Any]]
    outcomes: tuple[Outcome, ...]
    refused: tuple[str, ...]

    def text(self, keys: Sequence[str] = ()) -> str:
        """Return all of it as Markdown that fits a terminal.

        Args:
            keys: Columns of metrics.csv, or patterns of them; none: KEYS, where a run has such.

        Raises:
            UsageError: A pattern matches no column of any run.
        """
        parts = [*self.trainings(keys), *(each.table for each in self.outcomes), *self.refused]
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    def trainings(self, keys: Sequence[str] = ()) -> list[str]:
        """Return what the trainings came to, and how their configurations differ, as parts of Markdown."""
        parts: list[str] = []
        if self.runs:
            courses = (courses_table(self.runs, key) for key in self._keys(keys))
            parts += ["## Trainings", *(each for each in courses if each)]
        if len(self.configs) > 1:
            tables = configurations_tables(self.configs)
            parts += ["## Configurations", *(tables or ["All configurations are the same."])]
        return parts

    def write(self, folder: Path, keys: Sequence[str] = (), *, command: str = "") -> list[str]:
        """Write table.md, index.html and summaries of evaluations; of several manifests, each to a folder of its hash.

        Args:
            folder: Made where it is not there.
            keys: As of `text`.
            command: What repeats it, shown on the page.

        Returns:
            What was written, below the folder.

        Raises:
            InpaintError: It cannot be written.
        """
        names: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for each in self.outcomes:
                inner = folder if len(self.outcomes) == 1 else folder / each.record.manifest.hash
                inner.mkdir(exist_ok=True)
                runs = self.runs if inner == folder else ()
                written = [*write_outcome(each, inner), write_page(inner, report_of(each, runs=runs, command=command))]
                names += [str((inner / name).relative_to(folder)) for name in written]
            if self.runs and len(self.outcomes) != 1:
                names.append(write_page(folder, report_of_runs(self.runs, command=command)))
        except OSError as error:
            raise InpaintError(f"cannot use '{folder}': {error.strerror or error}") from None
        write_text(folder / TABLE_NAME, self.text(keys))
        return list(dict.fromkeys([*names, TABLE_NAME]))

    def _keys(self, keys: Sequence[str]) -> list[str]:
        """Return the columns to show; without validation, what `inpaint plot` draws."""
        try:
            return shown_keys(self.runs, keys or KEYS)
        except UsageError:
            if keys:
                raise
            return shown_keys(self.runs)


def compare(
    places: Sequence[str],
    *,
    against: str | None = None,
    translate: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    seed: int = 0,
) -> Comparison:
    """Read training runs and evaluations, and compare each with its like.

    Args:
        places: Run folders, folders of evaluations, or folders that hold such: a sweep's runs, a run's evaluations.
        against: Compare every model with this one; None: with the best of each column.
        translate: Brings the configuration that a run has stored under the keys of today.
        seed: Decides the resamples of the bootstrap.

    Raises:
        RunError: A place holds neither, or a file of a run is damaged.
        InpaintError: An evaluation is not finished or damaged.
        UsageError: Nothing is given, or `against` is a model of none of the evaluations.
    """
    if not places:
        raise UsageError("nothing to compare: name runs, such as checkpoints/my-run, or folders of evaluations")
    found = list(dict.fromkeys(each for place in places for each in _found(Path(place))))
    folders = [path for path in found if _is_run(path)]
    labeled = [(label, RunFolder(path)) for label, path in zip(run_labels(folders), folders, strict=True)]
    runs = [Run(label, read_curves(run.metrics)) for label, run in labeled if run.metrics.exists()]
    configs = {label: translate(run.config()) for label, run in labeled if run.config_yaml.exists()}
    records = [Record.read(path) for path in found if _is_evaluation(path)]
    models = list(dict.fromkeys(label for record in records for label in record.models))
    if against is not None and against not in models:
        names = f"they measured {some(models)}" if models else "there is no evaluation among them"
        raise UsageError(f"no evaluation holds the model '{against}' to compare with: {names}")
    merged = merge(records) if records else []
    outcomes = [outcome(each, against=against if against in each.models else None, seed=seed) for each in merged]
    return Comparison(runs=tuple(runs), configs=configs, outcomes=tuple(outcomes), refused=tuple(refusals(records)))


def _found(place: Path) -> Iterator[Path]:
    """Yield what a place is, or what it holds, a run's evaluations behind it."""
    if not place.is_dir():
        raise RunError(f"'{place}' is no folder of a run or an evaluation: there is no such folder")
    if _is_evaluation(place):
        yield place
        return
    runs = [place] if _is_run(place) else runs_in(place)
    below = [inner for each in (runs or [place]) for inner in _evaluations_in(each)]
    if not runs and not below:
        raise RunError(
            f"'{place}' is no run and no evaluation, and holds none: a run has a config.yaml and a metrics.csv, an "
            f"evaluation a {MANIFEST_NAME} and a {RESULTS_NAME}"
        )
    yield from runs
    yield from below


def _evaluations_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and _is_evaluation(path))


def _is_evaluation(path: Path) -> bool:
    return (path / MANIFEST_NAME).is_file() or (path / RESULTS_NAME).is_file()


def _is_run(path: Path) -> bool:
    run = RunFolder(path)
    return not _is_evaluation(path) and (run.holds_run() or run.metrics.is_file())
