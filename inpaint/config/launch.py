"""From a configuration to a trained run: what `inpaint train` does, for a notebook as well."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from inpaint import __version__
from inpaint.config.compose import small_sizes
from inpaint.config.overrides import written
from inpaint.config.schema import TrainConfig, translated
from inpaint.data.identity import Inventory
from inpaint.data.module import InpaintData
from inpaint.data.scan import scan
from inpaint.errors import ConfigError, RunError, WeightsError
from inpaint.losses import Losses, parse_losses
from inpaint.models.base import InpaintNetwork
from inpaint.options import flat, keyed, show
from inpaint.registry.initial import load_initial, to_fetch
from inpaint.registry.loading import load
from inpaint.registry.table import training_class
from inpaint.system.environment import variable_set
from inpaint.system.progress import duration
from inpaint.system.signals import outlived_by_none
from inpaint.training import loggers, plan
from inpaint.training.checkpoints import read_checkpoint
from inpaint.training.fit import FitResult, fit
from inpaint.training.module import TrainingModule
from inpaint.training.progress import RunConsole, TrainingProgress
from inpaint.training.runs import FOLDER_VARIABLE, ClaimedRun, claim, differences, first_process, train_command
from inpaint.training.selection import Selection
from inpaint.training.teacher import Teacher
from inpaint.weights.runs import RunFolder

log = logging.getLogger("inpaint.training")

WORDS = {"min": "smaller", "max": "larger"}


@dataclass(frozen=True)
class Launch:
    """A training that is ready to begin: networks initialized, data at the iteration that it starts from."""

    config: TrainConfig
    claimed: ClaimedRun
    module: TrainingModule
    data: InpaintData
    selection: Selection
    before: Mapping[str, Any] = field(default_factory=dict)  # what the checkpoint says of the best: best_by, waited
    fetches: tuple[str, ...] = ()  # what a training would fetch, and a dry run leaves where it is

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train: the run has its iterations."""
        over = self.data.start_iteration >= self.config.max_iterations or self.out_of_patience
        return self.claimed.checkpoint is not None and over

    @property
    def out_of_patience(self) -> bool:
        """Whether the run has already had its `validation.patience` without a better best."""
        patience = self.config.validation.patience
        return patience is not None and self.before.get("waited", 0) >= patience and self.comparable

    @property
    def comparable(self) -> bool:
        """Whether the best of the run so far compares with what validation will find; True for one that starts."""
        among, _, name = self._best_before.rpartition("/")
        before, selection = self.data.before, self.selection
        if name != selection.best_name:
            return False
        if before is None:
            return among == selection.best_set
        return self.data.photos.inventory.same_set(selection.best_set, before, among)

    @property
    def _best_before(self) -> str:
        """The figure by which the run has chosen its best so far; earlier versions always took the model's."""
        if self.claimed.checkpoint is None:
            return self.selection.best
        return str(self.before.get("best_by", self.module.best_metric))

    @property
    def missing_to_fill(self) -> str | None:
        """What the trained network still lacks to fill photos, None where it lacks nothing."""
        return cast(InpaintNetwork, self.module.network).missing_to_fill()  # as of every model of the table

    def open(self) -> None:
        """Take the run's folder, find the photos and, for a run that starts, write its configuration.

        In the first process only. From here on the folder belongs to this process, until `fit` ends.

        Raises:
            InpaintError: no photo can be used, the folder belongs to another process, or it cannot be written.
        """
        if not first_process():
            return
        self.claimed.hold(takeover=self.config.run.takeover)
        try:
            # Photos that cannot be used are said before anything is written; the other processes find headers cached.
            self.data.prepare_data()
            self.data.setup()
            self.selection.check_counts(self._counts())
            self._say_best_anew()
            if self.claimed.checkpoint is None and self._recorded() is None:
                self._record()
            elif self.claimed.changed:
                self._say_changed()
        except BaseException:
            self.claimed.release()
            raise

    def fit(self, console: RunConsole | None = None) -> tuple[FitResult, list[str]]:
        """Train to the end, or to the signal that ends it, after `open`.

        Args:
            console: where iterations, losses and the remaining time are shown; None for standard output.

        Returns:
            How the training ended, and what its trackers have to say, such as how to upload what they recorded.

        Raises:
            RunError: the checkpoint cannot be gone on from, or a loss is not finite.
        """
        module, config = self.module, self.config
        made = loggers.build(
            config.loggers,
            run=self.claimed.run,
            config=config.resolved(),
            wandb=config.wandb,
            start_iteration=self.data.start_iteration,
            best=self.selection.directions(),
            exact=not self.claimed.changed and self.data.photos.unchanged,
            stale=self.selection.figures_of(self.data.photos.incomparable),
        )
        recorded = False

        def before_saving() -> None:
            nonlocal recorded
            self.claimed.check_held()
            # Not before: a start that trains nothing leaves the record as it is. Again where somebody removed it.
            if not recorded or not self.claimed.run.config_yaml.exists():
                self._record()
                recorded = True

        try:
            with variable_set(FOLDER_VARIABLE, str(self.claimed.run.path)), outlived_by_none():
                result = fit(
                    module,
                    self.data,
                    run=self.claimed.run,
                    loggers=made,
                    resume=self.claimed.checkpoint,
                    comparable=self.comparable,
                    before_saving=before_saving,
                    unrecorded=lambda: [] if recorded else self._unrecorded(),
                    data_state=self.data.photos.inventory.state(),
                    selection=self.selection,
                    callbacks=[TrainingProgress(module, console=console, metric=self.selection.best)],
                )
        finally:
            self.claimed.release()
        return result, loggers.closing_lines(made)

    def summary(self) -> list[str]:
        """Return what the training would do, one subject a line; reads the photos and writes nothing."""
        config, module = self.config, self.module
        report = scan(config.data, before=self.data.before)
        self.data.setup()  # what planes and masks need of the photos is found out here, too
        share = config.per_device(plan.device_count(config.loop)[1] * config.trainer.num_nodes)
        counts = ", ".join(f"{role} {count:,}" for role, count in plan.parameters(module).items())
        needed = plan.memory_bytes(module, size_px=config.data.size, samples=share // config.accumulate)
        seconds = plan.seconds_per_iteration(module, size_px=config.data.size, samples=share)
        left = max(config.max_iterations - self.data.start_iteration, 0)
        plan.check_memory(config.loop, needed)
        self.selection.check_counts(report.val)
        resumes = self.claimed.checkpoint is not None
        start = f"resume at iteration {self.data.start_iteration}" if resumes else "start at iteration 0"
        samples = config.max_iterations * config.batch_size
        return [
            f"run folder   {self.claimed.run.path}, {start}",
            *report.lines(),
            *(f"             {skipped.name}: {skipped.problem}" for skipped in report.skipped[:10]),
            f"model        {config.model['name']}: {counts} parameters",
            f"losses       {', '.join(module.losses.terms)}",
            *self._teacher_lines(),
            *(f"to fetch     {file}" for file in self.fetches),
            f"iterations   {config.max_iterations:,} of {config.batch_size} samples, "
            f"{samples / report.train:,.1f} passes over the data",
            f"             time: about {plan.spoken(seconds)} per iteration, {duration(seconds * left)} in all, "
            "without reading photos and validation",
            *self._small_settings(),
            *self._validation_lines(report.val),
            f"batch        {share} samples per device"
            + (f" in {config.accumulate} parts" if config.accumulate > 1 else ""),
            *(f"hardware     {line}" for line in plan.hardware_lines(config.loop)),
            f"memory       about {needed / plan.GB:.1f} GB per device",
        ]

    def _teacher_lines(self) -> list[str]:
        """Return what the training learns from, where it learns from a teacher."""
        config = self.config
        weights = "" if config.teacher_sha256 is None else f", SHA-256 {config.teacher_sha256}"
        return [] if config.teacher is None else [f"teacher      {config.teacher}{weights}"]

    def _validation_lines(self, counts: Mapping[str, int]) -> list[str]:
        """Return what validation measures on which sets of so many photos, what decides, and what it costs."""
        options, selection = self.config.validation, self.selection
        devices = plan.device_count(self.config.loop)[1] * self.config.trainer.num_nodes
        seconds = plan.seconds_per_validation(
            self.module,
            selection,
            size_px=self.config.data.size,
            photos=-(-sum(counts.values()) // devices),
            batch_size=options.batch_size,
        )
        times = -(-max(self.config.max_iterations - self.data.start_iteration, 0) // options.every)
        ends = f"; ends after {options.patience} without a better one" if options.patience is not None else ""
        return [
            f"validation   every {options.every:,} iterations: {', '.join(selection.names)}",
            *(f"             {name}: {count} photos, masks {masks}" for name, count, masks in self._val_sets(counts)),
            f"             best.ckpt by val/{selection.best}, the {WORDS[selection.mode]} the better{ends}",
            f"             time: about {plan.spoken(seconds)} each, {duration(seconds * times)} in all",
            *(f"             {caution}" for caution in selection.cautions(counts)),
        ]

    def _val_sets(self, counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
        """Return name, number of photos and masks of each validation set that has a name."""
        sets = self.config.data.val_sets
        return [(name, count, show(sets[name].masks)) for name, count in counts.items() if name]

    def _small_settings(self) -> list[str]:
        """Return how to train a small one of the same model, where its file says so and this is none already."""
        name, chosen = self.config.model["name"], self.config.size is not None or self.claimed.checkpoint is not None
        advice = f"             model={name} size=small trains a small one, to try it"
        return [advice] if name in small_sizes() and not chosen else []

    def _counts(self) -> dict[str, int]:
        return {name: len(photos.indices) for name, photos in self.data.photos.sets.items()}

    def _say_best_anew(self) -> None:
        if self.before.get("best_value") is None or self.comparable:
            return
        former, now = self._best_before, self.selection.best
        why = "on other photos or masks" if former == now else f"by val/{former}"
        log.warning("best.ckpt is chosen anew among what follows, by val/%s: it was chosen %s", now, why)

    def _say_changed(self) -> None:
        keys = ", ".join(self.claimed.changed)
        if self.finished:
            log.warning("nothing is left to train, so that changed %s have no effect", keys)
        else:
            log.warning("resuming with changed %s: the run will differ from one never interrupted", keys)

    def _record(self) -> None:
        """Make the run folder where there is none, and write config.yaml with the history of its changes."""
        run, config = self.claimed.run, self.config.resolved()
        command = f"inpaint {__version__}: {' '.join(shlex.join(sys.argv[1:]).split())}"
        recorded = self._recorded()
        if recorded is None:
            repeat = shlex.join(["inpaint", "train", "--config-dir", str(run.path), "--config-name", "config"])
            since = [] if self.claimed.checkpoint is None else [self._since()]
            run.create(config, head="\n".join([command, f"Repeat this run: {repeat} run.folder=FOLDER", *since]))
            return
        run.tidy()
        before, now = flat(recorded), flat(config)
        changes = [f"{key}={show(now.get(key))} (was {show(before.get(key))})" for key in differences(before, now)]
        if changes:
            run.create(config, head=f"{run.head()}\n{self._since()}, {command}: {', '.join(changes)}")

    def _recorded(self) -> dict[str, Any] | None:
        """Return the configuration that the folder holds; None where there is none that can be read."""
        try:
            return translated(self.claimed.run.config())
        except RunError:
            return None

    def _unrecorded(self) -> list[str]:
        """Return the arguments by which this start differs from the run's config.yaml."""
        recorded = self._recorded()
        if recorded is None:
            return []
        before, now = flat(recorded), flat(self.config.resolved())
        return [f"{key}={written(now[key])}" for key in differences(before, now) if key in now]

    def _since(self) -> str:
        start = f"From iteration {self.data.start_iteration}"
        inside = self.claimed.checkpoint in (None, self.claimed.run.last)
        return start if inside else f"{start} of {self.claimed.checkpoint}"


def prepare(config: TrainConfig) -> Launch:
    """Build the module and the data of a training and check all that can be checked before it.

    Writes nothing, but for a folder that has no name: other runs must not get the same one.

    Args:
        config: as `inpaint.config.load` returns it; data.root must be given.

    Returns:
        The training. `open` and `fit` run it, `summary` tells what it would do.

    Raises:
        ConfigError: the hardware, the model, its losses and the sizes do not go together.
        RunError: the folder is taken, or what it holds cannot be resumed.
        WeightsError: what `init` names is of another model.
    """
    config.require_data()
    loop = config.loop
    plan.check_launcher(loop)
    plan.check_hardware(loop)
    claimed = claim(
        config.run.folder,
        config.resolved(),
        resume=config.resume,
        translate=translated,
        reserve=not config.dry_run,
    )
    try:
        return _prepared(config, claimed)
    except BaseException:
        claimed.release()
        raise


def _prepared(config: TrainConfig, claimed: ClaimedRun) -> Launch:
    """Build and check what runs in a folder."""
    loop = config.loop
    if first_process() and not config.run.takeover:
        claimed.check_free()
    if loop.trainer.threads is not None:
        torch.set_num_threads(loop.trainer.threads)
    config.per_device(plan.device_count(loop)[1] * loop.trainer.num_nodes)
    plan.check_compiler(loop)
    losses, teacher = _with_teacher(config, parse_losses(config.losses))
    fetches, initial = list[str](), list[str]()
    if config.dry_run:
        losses, addresses = losses.without_fetching()
        initial = to_fetch(config.init) if claimed.checkpoint is None else []
        fetches = [
            *to_fetch(config.teacher),
            *(f"{address}, about 550 MB" for address in addresses),
            *(f"{file}: what follows from its architecture may be another" for file in initial),
        ]
    module: TrainingModule = training_class(config.model["name"])(config.architecture(), losses=losses, loop=loop)
    module.teacher = teacher
    module.trained_px = config.data.size
    if config.freeze and claimed.checkpoint is None and config.init is None:
        log.warning("freeze=[%s] keeps random weights: init=RUN starts from trained ones", ",".join(config.freeze))
    if claimed.checkpoint is None and not initial:
        load_initial(module, {} if config.init is None else config.init)
    data = InpaintData(
        config.data,
        batch_size=config.batch_size,
        max_iterations=config.max_iterations,
        seed=config.seed,
        val_batch_size=config.validation.batch_size,
        planes=module.planes,
    )
    state = {} if claimed.checkpoint is None else _state_at(claimed.checkpoint)
    selection = Selection.of(module, tuple(config.data.val_sets))
    selection.check_available(size_px=config.data.size)
    selection.check_fills(module, fills=module.inpainter(module.averaged_network()) is not None)
    data.start_iteration = int(state.get("iteration", 0))
    data.before = Inventory.of_state(state.get("data") or {})
    if first_process():
        plan.dry_run_step(module, size_px=config.data.size)
    before: dict[str, Any] = {key: state[key] for key in ("best_by", "best_value", "waited") if key in state}
    return Launch(config, claimed, module, data, selection, before, tuple(fetches))


def _with_teacher(config: TrainConfig, losses: Losses) -> tuple[Losses, Teacher | None]:
    """Return the losses that can be computed and the teacher that they compare with; a dry run fetches none.

    Raises ConfigError where a teacher is of no use, or nothing is left to learn from without one.
    """
    place = config.teacher
    if place is not None and not losses.taught:
        raise ConfigError(
            f"teacher={place}: no loss compares with it; add one, e.g. "
            "losses.distillation='{kind: distillation, of: [raw], weight: 1}'"
        )
    if place is not None and not (config.dry_run and to_fetch(place)):
        return losses, Teacher(lambda device: load(place, device=device))
    left, names = losses.without_teacher()
    listed = ", ".join(f"losses.{name}" for name in names)
    if names and not left.weighted().terms:
        raise ConfigError(f"{listed} compare with a teacher and there is no other loss: give teacher=PLACE")
    if place is None and names and first_process():
        log.warning("without a teacher there is no %s: teacher=PLACE names the fill to learn from", listed)
    return left, None


def _state_at(checkpoint: Path) -> dict[str, Any]:
    """Read the checkpoint that a run goes on from; where it is damaged, the error names the command that uses another.

    Raises WeightsError or RunError.
    """
    try:
        return read_checkpoint(checkpoint)
    except WeightsError as error:
        run = RunFolder.of(checkpoint)
        if checkpoint == run.best or not run.best.exists():
            raise
        command = train_command(run, keyed("resume", str(run.best)))
        raise WeightsError(f"{error}; go back to the best state: {command}") from None
