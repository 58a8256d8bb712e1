"""Run folders: where a training run, or an import, keeps everything.

checkpoints/NAME/
  config.yaml            everything resolved: enough to repeat the run
  last.ckpt  best.ckpt   for resuming
  model.safetensors      the averaged networks
  metrics.csv  panels/   every number and the fixed panel
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint.errors import InpaintError, RunError
from inpaint.system.files import remove_unfinished, write_text

WEIGHTS_NAME = "model.safetensors"


class RunFolder:
    """The paths inside one run folder. Touches the disk only where a method says so.

    config_yaml: the resolved configuration. last, best: checkpoints, the latest and the best by val/l1_hole or by what
    the model names. weights: the averaged networks. metrics: every logged number by iteration. panels: folder of the
    fixed panel. lock: whose the folder is while it is trained in.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_yaml = self.path / "config.yaml"
        self.last = self.path / "last.ckpt"
        self.best = self.path / "best.ckpt"
        self.weights = self.path / WEIGHTS_NAME
        self.metrics = self.path / "metrics.csv"
        self.panels = self.path / "panels"
        self.lock = self.path / "run.lock"

    def holds_run(self) -> bool:
        """Return whether a run, or an import, lives here. What ended before its first save leaves nothing of worth."""
        return any(path.exists() for path in (self.last, self.best, self.weights))

    def config(self) -> dict[str, Any]:
        """Read config.yaml as plain containers. Raises RunError when it is missing or no YAML mapping."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException
        from yaml import YAMLError

        try:
            found = OmegaConf.to_container(OmegaConf.load(self.config_yaml), resolve=False)
        except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
            raise RunError(f"cannot read '{self.config_yaml}': {error}") from None
        if not isinstance(found, dict):
            raise RunError(f"'{self.config_yaml}' is no mapping")
        return {str(key): value for key, value in found.items()}

    def create(self, config: Mapping[str, Any], *, head: str = "") -> None:
        """Make the folder and write config.yaml, `head` in front as comment lines.

        What a killed process left half-written is removed. Raises RunError when the folder cannot be made or written.
        """
        from omegaconf import OmegaConf

        text = OmegaConf.to_yaml(OmegaConf.create(dict(config)))
        comment = "".join(f"# {line}\n" for line in head.splitlines())
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self.path)
            remove_unfinished(self.panels)
            write_text(self.config_yaml, comment + text)
        except OSError as error:
            raise RunError(f"cannot use run folder '{self.path}': {error.strerror or error}") from None
        except InpaintError as error:
            raise RunError(f"cannot use run folder '{self.path}': {error}") from None
