"""W&B as a tracker that may be missing, unreachable or broken without harm to the run."""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from inpaint.system.environment import versions
from inpaint.system.files import write_text
from inpaint.system.tracking import start_wandb, upload_line
from inpaint.training.config import Best, WandbConfig
from inpaint.weights.runs import RunFolder

log = logging.getLogger("inpaint.training")

PROJECT = "inpaint"
MEMORY_NAME = "wandb.json"


class WandbTracker(Logger):
    """Records numbers over `iteration`, the best validation figures, the panel and the configuration.

    Starts with `start` or the first number. Without a login it records offline, into the run folder; `closing_lines`
    then says how to upload. wandb.json lets a resumed run go on in the same W&B run: its id, the iteration up to which
    W&B has the numbers, which are the same again after a crash and not sent twice, and the best figures so far.

    best: figures whose best value the summary keeps, by name, and whether the least or the most is best. exact: whether
    what is trained again gives the numbers that it gave before; if not, W&B gets them, and the best figures are those
    of the iterations that stay. stale: figures of which those so far do not compare with those to come; their best is
    chosen anew.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        config: Mapping[str, Any],
        options: WandbConfig,
        start_iteration: int = 0,
        best: Mapping[str, Best] | None = None,
        exact: bool = True,
        stale: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.run = run
        self.config = dict(config)
        self.options = options
        self.start_iteration = start_iteration
        self.best: Mapping[str, Best] = dict(best or {})
        self._wandb: Any = None
        self._session: Any = None
        self._broken = False
        self._offline_folder: Path | None = None
        self._constant_images_sent = False
        self._memory = Memory() if start_iteration == 0 else Memory.read(run.path / MEMORY_NAME)
        if not exact:
            self._memory.go_back(start_iteration)
        for name in stale:
            self._memory.best.pop(name, None)

    @property
    def name(self) -> str:
        """Name of this logger."""
        return "wandb"

    @property
    def version(self) -> str | None:
        """Id of the W&B run, once it has one."""
        return None if self._session is None else str(self._session.id)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration goes along at the start."""

    @rank_zero_only
    def start(self) -> None:
        """Begin to record, so that a missing right or login is said before the training and not hours into it."""
        self._guard(lambda session: None)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record numbers of one iteration (`step`)."""
        values = {name: value if isinstance(value, int) else float(value) for name, value in metrics.items()}
        if step is not None and step < self._memory.iteration:
            return  # sent before the crash, and the same then
        self._guard(lambda session: self._send(session, values, step))

    def _send(self, session: Any, values: dict[str, float], step: int | None) -> None:
        again = step == self._memory.iteration and values.keys() <= self._memory.names
        if not again:
            session.log({**values, "iteration": step})
        if step is not None:
            for name in values.keys() & self.best.keys():
                self._memory.offer(name, step, values[name], self.best[name])
            names = self._memory.names if step == self._memory.iteration else frozenset()
            self._memory.iteration, self._memory.names = step, names | values.keys()
        self._memory.write(self.run.path / MEMORY_NAME)
        if values.keys() & self.best.keys():
            self._summarize(session)

    def _summarize(self, session: Any) -> None:
        """Write the best figures of all starts; W&B itself compares what this start sends, and nothing before it."""
        if self.start_iteration > 0:
            best = {name: found[-1][1] for name, found in self._memory.best.items() if found and name in self.best}
            session.summary.update({name: {self.best[name]: value} for name, value in best.items()})

    @rank_zero_only
    def log_panel(self, *, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Record the panel's images (H, W, 3) uint8 with the mask (H, W), 1 = hole, as an overlay to switch on."""
        if iteration < self._memory.iteration:
            return
        # The photos stay the same: once is enough, and a long run stays small.
        constant = () if self._constant_images_sent else ("masked", "contaminated", "composite", "original")
        names = ("completed", "coarse", "found", *constant)
        self._guard(
            lambda session: session.log(
                {
                    **{f"panel/{name}": self._images(name, iteration, rows) for name in names if _has(rows, name)},
                    "iteration": iteration,
                }
            )
        )
        self._constant_images_sent = True

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the W&B run; `status` is Lightning's: success, failed or interrupted."""
        if self._session is not None:
            self._guard(self._summarize)
            self._guard(lambda session: session.finish(exit_code=0 if status == "success" else 1))
            self._session = None

    def closing_lines(self) -> list[str]:
        """Return how to upload what was recorded offline."""
        if self._offline_folder is None:
            return []
        folders = sorted(self._offline_folder.parent.glob("offline-run-*")) or [self._offline_folder]
        return [upload_line(folders)]

    def _images(self, name: str, iteration: int, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        image = self._wandb.Image
        return [
            image(
                row[name],
                caption=f"photo {number}, iteration {iteration}",
                masks={"hole": {"mask_data": row["mask"], "class_labels": {1: "hole"}}},
            )
            for number, row in enumerate(rows)
        ]

    def _guard(self, action: Callable[[Any], object]) -> None:
        """Do something with the W&B run; the first failure ends the tracking, not the training."""
        if self._broken:
            return
        try:
            if self._session is None:
                self._session = self._start()
            action(self._session)
        # Anything may come out of a tracker and its connection; none of it is worth days of training.
        except Exception as error:
            self._broken = True
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning("W&B failed and is left out from here on, metrics.csv goes on: %s", reason[:300])

    def _start(self) -> Any:
        self._wandb = importlib.import_module("wandb")
        options = self.options
        session, self._offline_folder = start_wandb(
            log=log,
            denied="give a wandb.entity and wandb.project of your own",
            mode=options.mode,
            resumes=True,
            id=self._identity(),
            project=self._project(),
            entity=self._entity(),
            name=options.name or os.environ.get("WANDB_NAME") or self.run.path.name,
            group=options.group,
            tags=options.tags or None,
            notes=options.notes,
            dir=str(self.run.path),
            config={**self.config, "facts": {"versions": versions(), "command": " ".join(sys.argv)}},
        )
        if self.start_iteration > 0:  # W&B keeps what it has of a run that goes on, but for what it is told so
            session.config.update(self.config, allow_val_change=True)
        session.define_metric("iteration")
        session.define_metric("*", step_metric="iteration")
        for metric, best in self.best.items():
            session.define_metric(metric, step_metric="iteration", summary=best)
        return session

    def _project(self) -> str:
        return self.options.project or os.environ.get("WANDB_PROJECT") or PROJECT

    def _entity(self) -> str | None:
        return self.options.entity or os.environ.get("WANDB_ENTITY")

    def _identity(self) -> str:
        """Return the stored id of a run that goes on, a new one for a run that starts; W&B's own variable wins.

        An agent of a sweep gives the id under which the sweep waits for the run.
        """
        given = os.environ.get("WANDB_RUN_ID")
        if given and given != self._memory.id:
            self._memory = Memory(id=given, best=self._memory.best)  # which has nothing of this run yet
        if self._memory.id is None:
            self._memory.id = secrets.token_hex(4)
        self.run.path.mkdir(parents=True, exist_ok=True)
        self._memory.write(self.run.path / MEMORY_NAME)
        return self._memory.id


@dataclass
class Memory:
    """What a run remembers of its W&B run from one start to the next.

    Attributes:
        id: Of the W&B run.
        iteration: Up to which W&B has the numbers.
        names: Of the numbers that it has of this iteration.
        best: By name, every figure that was better than all before it, with its iteration: the last one is the best.
    """

    id: str | None = None
    iteration: int = -1
    names: frozenset[str] = frozenset()
    best: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Memory:
        """Read it; what an earlier version did not write is empty, and so is all of it where there is no file."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            best = {
                str(name): [(int(iteration), float(value)) for iteration, value in figures]
                for name, figures in found.get("best", {}).items()
            }
            names = frozenset(map(str, found.get("names", ())))
            return cls(id=str(found["id"]), iteration=int(found.get("iteration", -1)), names=names, best=best)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        write_text(path, json.dumps({**vars(self), "names": sorted(self.names)}) + "\n")

    def offer(self, name: str, iteration: int, value: float, wanted: Best) -> None:
        """Keep a figure if it is better than all before it."""
        found = self.best.setdefault(name, [])
        if math.isfinite(value) and (not found or (value < found[-1][1] if wanted == "min" else value > found[-1][1])):
            found.append((iteration, value))

    def go_back(self, iteration: int) -> None:
        """Forget what came after an iteration."""
        if iteration < self.iteration:
            self.iteration, self.names = iteration, frozenset()
        self.best = {name: [each for each in found if each[0] <= iteration] for name, found in self.best.items()}


def _has(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return bool(rows) and all(row.get(name) is not None for row in rows)
