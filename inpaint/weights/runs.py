"""Run folders: where a training run, or an import, keeps everything.

checkpoints/NAME/
  config.yaml            everything resolved: enough to repeat the run
  last.ckpt  best.ckpt   for resuming
  model.safetensors      the averaged networks as they are now
  best.safetensors       and as they were best
  kept/                  further checkpoints, where they are asked for
  metrics.csv  panels/   every number and the fixed panel
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, TypeAlias

from inpaint.errors import RunError, WriteError
from inpaint.system.files import remove_unfinished, write_text

WEIGHTS_NAME = "model.safetensors"
BEST_NAME = "best.safetensors"
CHECKPOINT_SUFFIX = ".ckpt"
Which: TypeAlias = Literal["last", "best"]
"""Of the weights of a run: those of its last save, or those that validated best."""


class RunFolder:
    """The paths inside one run folder. Touches the disk only where a method says so.

    config_yaml: the resolved configuration. last, best: checkpoints, the latest and the best by val/l1_hole or by what
    the model names. weights, best_weights: the averaged networks of both. kept: folder of further checkpoints. metrics:
    every logged number by iteration. panels: folder of the fixed panel. lock: whose the folder is while it is trained
    in. traceback: where the error came from that ended the training last, if it was not one of ours.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_yaml = self.path / "config.yaml"
        self.last = self.path / "last.ckpt"
        self.best = self.path / "best.ckpt"
        self.weights = self.path / WEIGHTS_NAME
        self.best_weights = self.path / BEST_NAME
        self.kept = self.path / "kept"
        self.metrics = self.path / "metrics.csv"
        self.panels = self.path / "panels"
        self.lock = self.path / "run.lock"
        self.traceback = self.path / "traceback.txt"

    @classmethod
    def of(cls, file: Path) -> RunFolder:
        """Return the run that a checkpoint or weights file belongs to: the folder it lies in, or the one of kept/."""
        return cls(file.parent.parent if file.parent.name == "kept" else file.parent)

    def checkpoint_of(self, weights: Path) -> Path | None:
        """Return the checkpoint that holds the discriminators of a weights file of this run; None for another file."""
        return {WEIGHTS_NAME: self.last, BEST_NAME: self.best}.get(weights.name)

    @property
    def newest(self) -> Path | None:
        """The checkpoint to go on from: the last, or the best where the last is gone; None where there is neither."""
        return next((path for path in (self.last, self.best) if path.exists()), None)

    def holds_run(self) -> bool:
        """Return whether a run, or an import, lives here. What ended before its first save leaves nothing of worth."""
        return any(path.exists() for path in (self.last, self.best, self.weights))

    def config(self) -> dict[str, Any]:
        """Read config.yaml as plain containers. Raises RunError when it is missing or no YAML mapping."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException
        from yaml import YAMLError

        try:
            found = OmegaConf.to_container(OmegaConf.load(self.config_yaml), resolve=True)
        except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
            raise RunError(f"cannot read '{self.config_yaml}': {error}") from None
        if not isinstance(found, dict):
            raise RunError(f"'{self.config_yaml}' is no mapping")
        return {str(key): value for key, value in found.items()}

    def head(self) -> str:
        """Return the comment lines that config.yaml begins with: how it was made and what was changed since."""
        try:
            lines = self.config_yaml.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return ""
        comments = takewhile(lambda line: line[:1] == "#", lines)
        return "\n".join(line.removeprefix("#").removeprefix(" ") for line in comments)

    def tidy(self) -> None:
        """Remove what a killed process left half-written."""
        for folder in (self.path, self.panels, self.kept):
            remove_unfinished(folder)

    def create(self, config: Mapping[str, Any], *, head: str = "") -> None:
        """Make the folder and write config.yaml, `head` in front as comment lines.

        What a killed process left half-written is removed. Raises RunError when the folder cannot be made or written.
        """
        from omegaconf import OmegaConf

        text = OmegaConf.to_yaml(OmegaConf.create(literal(config)))
        comment = "".join(f"# {line}\n" for line in head.splitlines())
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.tidy()
            write_text(self.config_yaml, comment + text)
        except OSError as error:
            raise RunError(f"cannot use run folder '{self.path}': {error.strerror or error}") from None
        except WriteError as error:
            raise WriteError(f"cannot use run folder '{self.path}': {error}") from None


def runs_in(folder: str | Path) -> list[Path]:
    """Return the folders in a folder that hold runs, in a sweep's order: 2-seed=1 before 10-seed=9, then by name."""
    found = [path for path in Path(folder).iterdir() if path.is_dir()]
    held = [path for path in found if RunFolder(path).holds_run() or RunFolder(path).metrics.exists()]
    return sorted(held, key=_order)


def run_labels(folders: Sequence[Path]) -> list[str]:
    """Return what runs are called beside each other: by their folders' names, by the whole path where two share one."""
    short = [folder.resolve().name for folder in folders]
    return [name if short.count(name) == 1 else str(folder) for name, folder in zip(short, folders, strict=True)]


def _order(path: Path) -> tuple[int, str]:
    front = path.name.partition("-")[0]
    return (int(front) if front.isdecimal() else 1 << 62), path.name


def literal(value: Any) -> Any:
    """Return plain containers whose texts mean themselves when OmegaConf reads them: ${...} refers to nothing."""
    if isinstance(value, Mapping):
        return {key: literal(part) for key, part in value.items()}
    if isinstance(value, list):
        return [literal(part) for part in value]
    return value.replace("${", "\\${") if isinstance(value, str) else value
