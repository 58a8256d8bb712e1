"""Everything that `inpaint train` understands, validated once, every mistake one line.

Each room owns the model of its own options; this file puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from inpaint.data.config import DataConfig
from inpaint.data.styles import names_of, opened
from inpaint.errors import ConfigError, DataError
from inpaint.images.guidance import STYLE
from inpaint.models.style_config import StyleModelConfig
from inpaint.options import ModelConfig, Options, Place, flat, show, validated
from inpaint.registry.initial import architecture, started_from, to_fetch
from inpaint.registry.table import FILLS
from inpaint.registry.teaching import teacher_hash
from inpaint.system.files import missing
from inpaint.training.config import LoopConfig, WandbConfig

LoggerName = Literal["csv", "tensorboard", "wandb"]


class RunConfig(Options):
    """Where the run lives."""

    folder: Place | None = None  # null: checkpoints/MODEL-TIME
    takeover: bool = False  # go on in a folder that a process on another machine, which has ended, has left locked


class TrainConfig(LoopConfig):
    """Everything that `inpaint train` understands.

    model holds the registered name and, once built, every option of its architecture.
    """

    model: dict[str, Any]
    losses: dict[str, dict[str, Any] | None]
    data: DataConfig = DataConfig()
    run: RunConfig = RunConfig()
    resume: Place | None = None  # auto, a run folder or a checkpoint
    # A run folder or weights file to start from, or one for each part of a model that is trained in parts.
    init: Place | dict[str, Place | None] | None = None
    # A name, run folder or weights file whose fills the losses of kind distillation compare with; null: they are left
    # out. The hash of its weights is written into the run's record; another one there is refused.
    teacher: Place | None = None
    teacher_sha256: str | None = None
    dry_run: bool = False
    logger: LoggerName | list[LoggerName] | None = "csv"
    wandb: WandbConfig = Field(default_factory=WandbConfig)
    _size: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _devices_divide(self) -> TrainConfig:
        if isinstance(self.trainer.devices, int):
            self.per_device(self.trainer.devices * self.trainer.num_nodes)
        return self

    def per_device(self, devices: int) -> int:
        """Return how many samples of an iteration each device computes.

        Args:
            devices: how many there are, over all nodes.

        Returns:
            Samples per device and iteration, over all accumulation steps.

        Raises:
            ConfigError: the devices and accumulation steps do not divide the batch.
        """
        if self.batch_size % (devices * self.accumulate):
            steps = f" and accumulate={self.accumulate}" if self.accumulate > 1 else ""
            raise ConfigError(f"batch_size={self.batch_size} must be a multiple of {devices} devices{steps}")
        return self.batch_size // devices

    @property
    def size(self) -> str | None:
        """What was asked for with size=NAME, whose values stand among the others; no run stores its name."""
        return self._size

    @property
    def loggers(self) -> list[str]:
        """The trackers that are asked for, beside metrics.csv."""
        return [self.logger] if isinstance(self.logger, str) else list(self.logger or ())

    @property
    def loop(self) -> LoopConfig:
        """The part that the training loop understands."""
        return LoopConfig.model_validate({name: getattr(self, name) for name in LoopConfig.model_fields})

    def architecture(self) -> ModelConfig:
        """Return the model's own configuration, as its network takes it."""
        return architecture(self.model)

    def resolved(self) -> dict[str, Any]:
        """Return plain containers that repeat the run from any folder, without its place and its history."""
        plain = self.model_dump(mode="json")
        data = plain["data"]
        data |= {
            key: _absolute(data[key])
            for key in ("root", "val", "styles", "val_styles")
            if not isinstance(data[key], dict)
        }
        data |= {key: _with_absolute_paths(data[key]) for key in ("masks", "val_masks")}
        for one in data["val"].values() if isinstance(data["val"], dict) else ():
            one |= {"root": _absolute(one["root"]), "masks": _with_absolute_paths(one["masks"])}
        plain["losses"] = {name: block and _with_absolute_weights(block) for name, block in plain["losses"].items()}
        parts = self.init
        init = {key: _absolute(place) for key, place in parts.items()} if isinstance(parts, dict) else _absolute(parts)
        teacher = self.teacher if self.teacher in FILLS else _absolute(self.teacher)
        run = {"folder": None, "takeover": False}
        return plain | {"run": run, "resume": None, "init": init, "teacher": teacher, "dry_run": False}

    def require_data(self) -> str:
        """Return data.root.

        Raises:
            ConfigError: it was not given.
        """
        if self.data.root is None:
            raise ConfigError(
                "data.root is missing: give data.root=FOLDER, a list file, tar shards, "
                "or data.root=samples for the bundled photos"
            )
        model = self.architecture()
        reads = any(plane.name == STYLE.name for plane in model.training_planes())
        if reads and self.data.styles is None:
            raise ConfigError(
                f"data.styles is missing: {self.model['name']} learns from pictures of styles; give data.styles=PICTURE"
                ", a folder of them, a list file, tar shards, or data.styles=samples for the bundled photos"
            )
        if self.data.styles is not None and not reads:
            raise ConfigError(f"data.styles={self.data.styles}: {self.model['name']} reads no styles; leave it out")
        of_any_style = reads and isinstance(model, StyleModelConfig) and model.LEARNS == 0
        if self.data.val_styles is not None and not of_any_style:
            raise ConfigError(
                f"data.val_styles={self.data.val_styles}: {self.model['name']} paints in no style that it has not "
                "learned, so none can be held out; leave it out"
            )
        return self.data.root


def build(values: Mapping[str, Any], *, resumed: bool = False, size: str | None = None) -> TrainConfig:
    """Validate a configuration and fill in every default, those of the architecture included.

    Args:
        values: plain containers, as `compose` returns them: at least model, losses and optimizers.
        resumed: whether they are those of a run that goes on and needs the weights that it started from no more.
        size: which size=NAME is in the values.

    Returns:
        The configuration, model with every option of its architecture, places with the home folder written out.

    Raises:
        ConfigError: a key is unknown, renamed or another program's, or its value is not valid.
    """
    for key, value in flat(values).items():
        if value == "???":
            raise ConfigError(f"{key} has no value: give {key}=VALUE")
        _check_name(key, value)
    _check_depth(values)
    config = validated(TrainConfig, values)
    # A dry run fetches nothing, so what is not here says nothing yet of its architecture.
    unknown = resumed or (config.dry_run and to_fetch(config.init))
    initial = None if unknown else started_from(config.init, config.model, size=size)
    chosen = initial or architecture(config.model)
    chosen = chosen.for_crop(config.data.size)
    if config.data.styles is not None and not resumed and isinstance(chosen, StyleModelConfig) and chosen.LEARNS != 0:
        with suppress(DataError):  # what is not there is said where it is read
            chosen = chosen.with_styles(names_of(opened(config.data)))
    built = {"name": config.model["name"], **chosen.model_dump(mode="json")}
    made = config.model_copy(update={"model": built, "teacher_sha256": _teacher_hash(config)})
    made._size = size
    return made


def _teacher_hash(config: TrainConfig) -> str | None:
    """Return the hash of the teacher's weights. Raises ConfigError where the run began with others."""
    given = config.teacher_sha256
    if config.teacher is None:
        if given is not None:
            raise ConfigError(f"teacher_sha256={given} without a teacher: give teacher=PLACE, or leave it out")
        return None
    if config.dry_run and to_fetch(config.teacher):
        return given
    found = teacher_hash(config.teacher)
    if given not in (None, found):
        raise ConfigError(
            f"teacher={config.teacher}: its weights are not those of teacher_sha256={given}; teacher_sha256=null takes "
            "them all the same"
        )
    return found


# Keys that have, or had, another name -------------------------------------------------------------------------------

RENAMED: dict[str, str] = {
    "data.sketch": "data.planes.sketch.source",
    "data.sketch_sigma": "data.planes.sketch.sigma_px",
    "data.sketch_threshold": "data.planes.sketch.threshold",
    "hydra": "Hydra's own settings have no effect here; see run.folder, -m and --config-dir",
}
"""Former dotted key, of one value or of all below it -> the key of today, or a sentence where there is none.

A user is told; the configuration that a run has stored is translated.
"""

# What people know from Lightning and from other programs, and our key for it.
_OURS = {
    "max_iterations": "max_steps max_epochs epochs steps iterations max_iters trainer.max_steps trainer.max_epochs "
    "trainer.min_steps trainer.min_epochs",
    "max_time": "trainer.max_time",
    "accumulate": "accumulate_grad_batches trainer.accumulate_grad_batches",
    "clip": "gradient_clip_val trainer.gradient_clip_val trainer.gradient_clip_algorithm",
    "batch_size": "data.batch_size trainer.batch_size batch bs",
    "log_every": "trainer.log_every_n_steps log_every_n_steps",
    "save_every": "trainer.enable_checkpointing",
    "validation.best": "monitor checkpoint.monitor",
    "validation.patience": "patience early_stopping.patience early_stopping_patience",
    "validation.every": "trainer.val_check_interval trainer.check_val_every_n_epoch val_check_interval",
    "run.folder": "trainer.default_root_dir output output_dir run_dir folder",
    "resume": "trainer.ckpt_path trainer.resume_from_checkpoint ckpt_path resume_from_checkpoint",
    "init": "checkpoint pretrained weights init_from",
    "logger": "trainer.logger loggers",
    "dry_run": "trainer.fast_dev_run fast_dev_run",
    "data.root": "data.train data.path data.folder data.dir photos",
    "data.workers": "num_workers data.num_workers trainer.num_workers",
    "trainer.devices": "gpus trainer.gpus num_gpus",
    "trainer.accelerator": "device",
    "optimizers.generator.lr": "lr learning_rate model.lr",
    "wandb.mode": "wandb.offline",
}
_FOREIGN = {theirs: ours for ours, names in _OURS.items() for theirs in names.split()}
# What is a group here, and is meant as a value when it is written as an option.
_OPTIONS = {"data": "data.root", "size": "data.size", "val": "data.val", "masks": "data.masks", "run": "run.folder"}


def key_of(name: str) -> str:
    """Return our key for an option of another program or of another command here, "batch-size" or "data"."""
    key = name.replace("-", "_")
    return _OPTIONS.get(key) or _FOREIGN.get(key, key)


def translated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored configuration of a run under the keys of today.

    Args:
        values: plain containers, possibly written by an earlier version.

    Returns:
        New containers in which every former key of RENAMED that has a successor is called like it, less the options of
        planes that the model does not read: earlier versions stored them for every model.
    """
    plain = deepcopy(dict(values))
    for former, new in RENAMED.items():
        *above, last = former.split(".")
        block: Any = plain
        for key in above:
            block = block.get(key) if isinstance(block, dict) else None
        if " " in new or not isinstance(block, dict) or last not in block:
            continue
        value, block = block.pop(last), plain
        *above, last = new.split(".")
        for key in above:
            block[key] = block[key] if isinstance(block.get(key), dict) else {}
            block = block[key]
        block[last] = value
    data = plain.get("data")
    if plain != values and isinstance(data, dict) and data.get("planes"):
        read = {plane.name for plane in architecture(plain.get("model", {})).training_planes()}
        data["planes"] = {name: options for name, options in data["planes"].items() if name in read}
    return plain


def _check_name(key: str, value: object) -> None:
    """Raise ConfigError for a key whose name here is known to be another one."""
    if key in _FOREIGN:
        raise ConfigError(f"{key}={show(value)}: this program's key is '{_FOREIGN[key]}'")
    for former, new in RENAMED.items():
        if _below(key, former) and not _below(key, new):
            now = new if " " in new else f"this key is called '{new}{key.removeprefix(former)}' now"
            raise ConfigError(f"{key}={show(value)}: {now}")


def _check_depth(values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a key at the root that belongs into a block."""
    bare = TrainConfig.model_construct(optimizers={}, model={}, losses={})
    leaves = flat(bare.model_dump(mode="json", warnings=False))
    for key in values.keys() - TrainConfig.model_fields.keys():
        deeper = [leaf for leaf in leaves if leaf.rpartition(".")[2] == key]
        if deeper:
            raise ConfigError(f"{key}={show(values[key])}: unknown key; did you mean '{deeper[0]}'?")


def _below(key: str, block: str) -> bool:
    return key == block or key.startswith((f"{block}.", f"{block}/"))


# Places ---------------------------------------------------------------------------------------------------------------


def _with_absolute_weights(loss: dict[str, Any]) -> dict[str, Any]:
    """Return a loss whose weights, if they are a file of the user's, are found from everywhere."""
    weights = loss.get("weights")
    return (
        loss if weights in (None, "public", "torchvision", "random") else {**loss, "weights": _absolute(str(weights))}
    )


def _with_absolute_paths(masks: Any) -> Any:
    """Return kinds of masks whose folders are found from everywhere."""
    if isinstance(masks, str):
        kind, colon, place = masks.partition(":")
        return f"{kind}{colon}{_absolute(place)}" if place else masks
    if isinstance(masks, Mapping):
        return {k: _absolute(v) if k == "path" else _with_absolute_paths(v) for k, v in masks.items()}
    return [_with_absolute_paths(part) for part in masks] if isinstance(masks, list | tuple) else masks


def _absolute(place: str | None) -> str | None:
    """Return an existing path as it is called from everywhere; names and patterns stay."""
    return str(Path(place).resolve()) if place and place != "samples" and not missing(place) else place
