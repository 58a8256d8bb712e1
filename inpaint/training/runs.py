"""Who may start in a run folder, and what resuming allows."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from inpaint.errors import ConfigError, LostRunError, RunError
from inpaint.options import differing, flat, keyed, show, typed
from inpaint.system.locks import FolderLock, HeldError
from inpaint.weights.runs import RunFolder

log = logging.getLogger("inpaint.training")

FOLDER_VARIABLE = "INPAINT_RUN_FOLDER"
"""Tells the processes that Lightning starts for further devices which folder the first one chose."""

# What may change when a run goes on without the photos, the losses or the arithmetic becoming others. A key stands
# for all below it. max_iterations is here because most schedules do not look at it; see `inexact_changes`. Photos are
# told by their content, wherever they lie; see `data.identity`.
_HARMLESS = (
    "max_iterations",
    "logger",
    "wandb",
    "run",
    "resume",
    "init",
    "dry_run",
    "log_every",
    "save_every",
    "keep_every",
    "keep_best",
    "max_time",
    "validation",
    "data.root",
    "data.val",
    "data.val_styles",
    "data.workers",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.deterministic",
    "trainer.threads",
)


@dataclass(frozen=True)
class ClaimedRun:
    """A folder that may be used, and the checkpoint to go on from (None = start at iteration 0).

    It belongs to this process from `hold` to `release`. reserved: it was made for a run without a name. changed: the
    keys whose change makes the run differ from one that was never interrupted.
    """

    run: RunFolder
    checkpoint: Path | None
    reserved: bool = False
    changed: tuple[str, ...] = ()
    _lock: FolderLock = field(init=False, repr=False, compare=False)
    _found: object = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lock", FolderLock(self.run.lock))
        object.__setattr__(self, "_found", self._state())

    def check_free(self) -> None:
        """Raise RunError when the folder belongs to another process."""
        with self._explained():
            self._lock.check()

    def hold(self, *, takeover: bool = False) -> None:
        """Keep other processes out of the folder, and make it where there is none.

        Args:
            takeover: Take the folder over from a process on another machine; that one must have ended.

        Raises:
            RunError: It belongs to another process, has gone on since it was claimed, or cannot be written.
        """
        with self._explained():
            self._lock.acquire(takeover=takeover)
        if self._state() != self._found:
            self.release()
            raise RunError(f"run.folder={self.run.path}: another process trained in it meanwhile; start again")

    def release(self) -> None:
        """Let others have the folder. One that was made for a run that did not come about is removed."""
        self._lock.release()
        if self.reserved:
            with suppress(OSError):  # it is not empty
                self.run.path.rmdir()

    def check_held(self) -> None:
        """Raise LostRunError when a process elsewhere has taken the folder over."""
        owner = self._lock.lost_to()
        if owner is not None:
            raise LostRunError(f"run.folder={self.run.path} was taken over by {owner}: this process ends unsaved")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        path = self.run.path
        try:
            yield
        except HeldError as held:
            if held.elsewhere:
                command = resume_command(self.run, "run.takeover=true")
                hint = f"if it has ended, add run.takeover=true to take the run over: {command}"
            elif held.owner is None:
                hint = "give another run.folder"
            else:
                hint = f"wait for it, stop it with `kill {held.owner.process}`, or give another run.folder"
            raise RunError(f"run.folder={path} is {held}: {hint}") from None
        except OSError as error:
            raise RunError(f"cannot use run folder '{path}': {error.strerror or error}") from None

    def _state(self) -> object:
        """Return what tells whether somebody has trained in the folder."""
        newest = self.run.newest
        try:
            found = None if newest is None else newest.stat()
        except OSError:
            found = None
        return self.run.holds_run() if found is None else (newest, found.st_mtime_ns, found.st_size)


Translate = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def claim(
    folder: str | None,
    config: Mapping[str, Any],
    *,
    resume: str | None,
    translate: Translate = dict,
    reserve: bool = True,
) -> ClaimedRun:
    """Decide where a run lives and whether it goes on or starts. Writes nothing but a folder that has no name yet.

    Args:
        folder: run.folder; None for checkpoints/MODEL-TIME.
        config: The resolved configuration. Its `model` block must match that of the run to be resumed, as must kinds of
            optimizers and the set of discriminators.
        resume: None, "auto" (starts fresh when there is nothing to resume), or a run folder or checkpoint file; without
            a `folder`, the run goes on in the folder of what it resumes.
        translate: Brings the configuration that a run has stored under the keys of today.
        reserve: Make a folder that the user has not named at once, so that no other run gets the same name.

    Raises:
        RunError: The folder is taken, there is nothing at the path, or what it holds cannot go on so.
    """
    if resume not in (None, "auto"):
        checkpoint = _checkpoint_at(str(resume))
        source = RunFolder.of(checkpoint)
        run = RunFolder(folder) if folder else source
        if run.path.resolve() != source.path.resolve():
            _refuse_taken(run)
        return ClaimedRun(run, checkpoint, changed=_check_resumable(source, config, translate))
    if resume == "auto" and not folder:
        raise RunError(
            "resume=auto needs run.folder=FOLDER: without it every run gets a new folder, nothing to resume; "
            "`inpaint train run.folder=FOLDER resume=auto` goes on with the run in FOLDER"
        )
    reserve = reserve and not folder and first_process()
    run = RunFolder(folder or default_folder(config["model"]["name"], reserve=reserve))
    if resume == "auto" and run.newest is not None:
        return ClaimedRun(run, _newest(run), changed=_check_resumable(run, config, translate))
    # A kill before the first checkpoint leaves a configuration and nothing to go on from: start anew. Weights without
    # a checkpoint are somebody's import, which training would overwrite.
    if resume == "auto" and run.weights.exists() and first_process():
        words = [
            "inpaint",
            "train",
            f"model={config['model']['name']}",
            keyed("init", str(run.path)),
            "data.root=PHOTOS",
        ]
        raise RunError(
            f"run.folder={run.path} already holds a run that cannot be resumed, e.g. imported weights: "
            f"`{' '.join(map(typed, words))}` starts from them, in another folder"
        )
    if resume is None:
        _refuse_taken(run)
    return ClaimedRun(run, None, reserved=reserve)


def default_folder(model: str, *, parent: Path = Path("checkpoints"), reserve: bool = True) -> Path:
    """Return PARENT/MODEL-TIME, the same for all processes of a run, and free.

    Raises RunError when processes started by somebody else than us could not agree on the time.
    """
    if not first_process() and FOLDER_VARIABLE in os.environ:
        return Path(os.environ[FOLDER_VARIABLE])
    if launched("SLURM_STEP_NUM_TASKS") > 1 and "SLURM_JOB_ID" in os.environ:
        return parent / f"{model}-slurm-{os.environ['SLURM_JOB_ID']}"
    if "TORCHELASTIC_RUN_ID" in os.environ and launched("WORLD_SIZE") > 1:
        raise RunError("run.folder=FOLDER must be given under torchrun: its processes cannot agree on a default name")
    return new_folder(parent, model, reserve=reserve)


def new_folder(parent: Path, name: str, *, reserve: bool = True) -> Path:
    """Return PARENT/NAME-TIME, with a number behind it where that is taken.

    Args:
        parent: Made where it is not there.
        name: What the folder holds.
        reserve: Make it at once, so that nobody else gets the same one; else only tell a free name.

    Raises:
        RunError: The folder cannot be made.
    """
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in count(1):
        path = parent / (stem if number == 1 else f"{stem}-{number}")
        if not reserve and not path.exists():
            break
        try:
            if reserve:
                path.mkdir(parents=True)
                break
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot make '{path}': {error.strerror or error}; give run.folder=FOLDER") from None
    return path


def resume_command(run: RunFolder, *changes: str) -> str:
    """Return the command that goes on with a run, as it is typed in a shell, with further KEY=VALUE."""
    return train_command(run, "resume=auto", *changes)


def train_command(run: RunFolder, *options: str, config: RunFolder | None = None) -> str:
    """Return the command that trains in a folder, as it is typed in a shell.

    Args:
        run: The folder.
        options: KEY=VALUE.
        config: The run whose configuration is repeated.
    """
    of_run = [] if config is None else ["--config-dir", str(config.path), "--config-name", "config"]
    return " ".join(map(typed, ["inpaint", "train", *of_run, keyed("run.folder", str(run.path)), *options]))


def first_process() -> bool:
    """Return whether this is the process that writes: rank 0 of however many were launched."""
    ranks = ("RANK", "SLURM_PROCID", "NODE_RANK", "GROUP_RANK", "LOCAL_RANK")
    return all(os.environ.get(name, "0") in ("0", "") for name in ranks)


def launched(variable: str) -> int:
    """Return the number of processes, or of machines, that a launcher's variable tells; 1 where it tells none.

    Raises:
        ConfigError: It holds no number.
    """
    said = os.environ.get(variable) or "1"
    if not said.isdecimal():
        raise ConfigError(f"{variable}={said} in the environment is no number: `unset {variable}` and start again")
    return int(said)


def inexact_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys whose change makes a resumed run differ from one that was never interrupted."""
    changed = [key for key in differences(before, after) if not _below(key, (*_HARMLESS, "model"))]
    kinds = {value for key, value in flat(after).items() if key.endswith("schedule.kind")}
    if "max_iterations" in differences(before, after) and kinds & {"linear", "cosine"}:
        changed.append("max_iterations")
    return changed


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys under which two configurations hold different values."""
    return list(differing(before, after))


def _checkpoint_at(place: str) -> Path:
    path = Path(place)
    if path.is_dir():
        run = RunFolder(path)
        if run.newest is None:
            raise RunError(
                f"resume={place}: the folder holds no last.ckpt and no best.ckpt; resume=auto starts fresh in such a "
                "folder"
            )
        return _newest(run)
    if not path.is_file():
        raise RunError(f"resume={place}: no such run folder or checkpoint; resume=auto starts fresh when there is none")
    return path


def _newest(run: RunFolder) -> Path:
    """Return the checkpoint that a run goes on from, saying so when it is not the last."""
    newest = run.newest or run.last
    if newest != run.last and first_process():
        log.warning("%s holds no last.ckpt: going on from the best state, %s", run.path, newest.name)
    return newest


def _check_resumable(run: RunFolder, config: Mapping[str, Any], translate: Translate) -> tuple[str, ...]:
    """Compare the run's configuration with the present one: what its state belongs to must be the same.

    That is the model, the kinds of the optimizers and the discriminators; what else should be is returned.
    """
    if not run.config_yaml.exists():
        return ()  # loading the checkpoint will tell
    before = translate(run.config())
    changed = differences({"model": before.get("model") or {}}, {"model": config.get("model") or {}})
    if changed:
        old, new = flat(before), flat(config)
        first = ", ".join(f"{key}={show(new.get(key))} (the run has {show(old.get(key))})" for key in changed[:4])
        more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
        raise RunError(f"cannot resume '{run.path}' with other model options: {first}{more}")
    _check_optimizers(run, before, config)
    _check_discriminators(run, before, config)
    return tuple(inexact_changes(before, config))


def _check_optimizers(run: RunFolder, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    old, new = flat(before.get("optimizers") or {}), flat(after.get("optimizers") or {})
    for key in sorted(old.keys() & new.keys()):
        if key.endswith(".kind") and key.count(".") == 1 and old[key] != new[key]:
            raise RunError(
                f"cannot resume '{run.path}' with another kind of optimizer: "
                f"optimizers.{key}={show(new[key])} (the run has {show(old[key])})"
            )


def _check_discriminators(run: RunFolder, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    if not isinstance(before.get("losses"), Mapping):
        return  # loading the checkpoint will tell
    old, new = _adversaries(before), _adversaries(after)
    if set(old.values()) == set(new.values()):
        return
    changed = [
        f"losses.{name}.discriminator={show(new.get(name))} (the run has {show(old.get(name))})"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    raise RunError(f"cannot resume '{run.path}' with other discriminators: {', '.join(changed)}")


def _adversaries(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the discriminator of each adversarial loss. Raises ConfigError for losses that are wrong."""
    from inpaint.losses import parse_losses  # torch comes with it, and `inpaint train --cfg job` does without

    return {name: term.discriminator for name, term in parse_losses(config.get("losses") or {}).adversarial.items()}


def _refuse_taken(run: RunFolder) -> None:
    if run.path.exists() and not run.path.is_dir():
        raise RunError(f"run.folder={run.path} is a file")
    # Further processes of the same run find the folder that the first one has just made.
    if run.holds_run() and first_process():
        raise RunError(
            f"run.folder={run.path} already holds a run: resume=auto continues it, `{resume_command(run)}`; another "
            "run.folder starts one"
        )


def _below(key: str, groups: tuple[str, ...]) -> bool:
    return any(key == group or key.startswith(f"{group}.") for group in groups)
