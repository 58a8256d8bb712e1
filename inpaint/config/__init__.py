"""The configuration of a training: composed from YAML and KEY=VALUE, then validated once."""

from inpaint.config.compose import configs_folder, load, sweep
from inpaint.config.schema import RunConfig, TrainConfig, build
from inpaint.options import quoted

__all__ = ["RunConfig", "TrainConfig", "build", "configs_folder", "load", "quoted", "sweep"]
