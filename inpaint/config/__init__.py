"""The configuration of a training: Hydra composes it from YAML and the command line, pydantic validates it.

Each room owns the model of its own options; this file puts them together and turns every mistake into one line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from inpaint.data.config import DataConfig
from inpaint.errors import ConfigError, InpaintError, unknown
from inpaint.options import Options, flat, show, validated
from inpaint.registry.initial import architecture, started_from
from inpaint.training.config import LoopConfig, WandbConfig

PRIMARY = "train"
LoggerName = Literal["csv", "tensorboard", "wandb"]


class RunConfig(Options):
    """Where the run lives."""

    folder: str | None = None  # null: checkpoints/MODEL-TIME


class TrainConfig(LoopConfig):
    """Everything that `inpaint train` understands.

    model holds the registered name and, once built, every option of its architecture.
    """

    model: dict[str, Any]
    losses: dict[str, dict[str, Any] | None]
    data: DataConfig = DataConfig()
    run: RunConfig = RunConfig()
    resume: str | None = None  # auto, a run folder or a checkpoint
    # A run folder or weights file to start from, or one for each part of a model that is trained in parts.
    init: str | dict[str, str | None] | None = None
    dry_run: bool = False
    logger: LoggerName | list[LoggerName] | None = "csv"
    wandb: WandbConfig = Field(default_factory=WandbConfig)

    @model_validator(mode="after")
    def _devices_divide(self) -> TrainConfig:
        if isinstance(self.trainer.devices, int):
            self.per_device(self.trainer.devices * self.trainer.num_nodes)
        return self

    def per_device(self, devices: int) -> int:
        """Return the samples of one iteration on one of so many devices; raises ConfigError when they do not divide."""
        if self.batch_size % (devices * self.accumulate):
            steps = f" and accumulate={self.accumulate}" if self.accumulate > 1 else ""
            raise ConfigError(f"batch_size={self.batch_size} must be a multiple of {devices} devices{steps}")
        return self.batch_size // devices

    @property
    def loop(self) -> LoopConfig:
        """The part that the training loop understands."""
        return LoopConfig.model_validate({name: getattr(self, name) for name in LoopConfig.model_fields})

    def architecture(self) -> BaseModel:
        """Return the model's own configuration."""
        return architecture(self.model)

    def resolved(self) -> dict[str, Any]:
        """Return plain containers that repeat the run from any folder, without its place and its history."""
        plain = self.model_dump(mode="json")
        plain["data"] |= {key: _absolute(plain["data"][key]) for key in ("root", "val")}
        plain["losses"] = {name: block and _with_absolute_weights(block) for name, block in plain["losses"].items()}
        parts = self.init
        init = {key: _absolute(place) for key, place in parts.items()} if isinstance(parts, dict) else _absolute(parts)
        return plain | {"run": {"folder": None}, "resume": None, "init": init, "dry_run": False}

    def require_data(self) -> str:
        """Return data.root; raises ConfigError when it was not given."""
        if self.data.root is None:
            raise ConfigError(
                "data.root is missing: give data.root=FOLDER, a list file, tar shards, "
                "or data.root=samples for the bundled photographs"
            )
        return self.data.root


def load(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> TrainConfig:
    """Compose and validate. Raises ConfigError, one line, for everything a person can get wrong."""
    return build(compose(overrides, config_dir=config_dir, config_name=config_name))


def build(values: Mapping[str, Any]) -> TrainConfig:
    """Validate plain containers and fill in every default, those of the architecture included."""
    for key, value in flat(values).items():
        if value == "???":
            raise ConfigError(f"{key} has no value: give {key}=VALUE")
    _check_known_mixups(values)
    config = validated(TrainConfig, _expand_home(values))
    chosen = started_from(config.init, config.model) or architecture(config.model)
    chosen = chosen.for_crop(config.data.size)
    return config.model_copy(update={"model": {"name": config.model["name"], **chosen.model_dump(mode="json")}})


def configs_folder(package: Path | None = None) -> Path:
    """Return where our YAML lies: inside an installed package, else beside it in the checkout."""
    package = package or Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / f"{PRIMARY}.yaml").is_file():
            return folder
    raise InpaintError(
        f"{PRIMARY}.yaml is neither in {package / 'configs'} nor in {package.parent / 'configs'}: reinstall"
    )


# Composition --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sources:
    """The YAML that can be chosen from: a person's folder in front of ours. Only valid while Hydra is open."""

    loader: Any
    chosen: frozenset[str]  # groups that the primary configuration's defaults list names

    def options(self, group: str) -> list[str]:
        """Return the choices of a group; empty when there is no such group."""
        found: list[str] = self.loader.get_group_options(group)
        return [name for name in found if name != "_dummy_empty_config_"]


def compose(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> dict[str, Any]:
    """Compose YAML and overrides (`key=value`, `group=choice`, `+group=choice`, `~key`) into plain containers.

    config_dir: a person's folder; its files win over ours of the same name. config_name: the primary file, without
    .yaml. Hydra writes nothing and keeps no state.
    """
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    with _open(config_dir, config_name) as sources:
        lines = [_rewrite(line, sources) for line in overrides]
        try:
            composed = hydra_compose(config_name, overrides=lines)
            plain = OmegaConf.to_container(composed, resolve=True)
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError) as error:
            raise ConfigError(_one_line(error)) from None
        values = {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}
        for key in values:
            if key not in TrainConfig.model_fields and sources.options(key):
                raise ConfigError(_without_package(key))
        return values


def sweep(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> list[list[str]]:
    """Return the overrides of every job: the product of all `key=a,b`, `range(...)` and `glob(...)` sweeps."""
    from itertools import product

    from hydra.core.override_parser.types import Glob

    with _open(config_dir, config_name) as sources:
        columns: list[list[str]] = []
        for line in overrides:
            override, text = _parse(line)
            if not override.is_sweep_override():
                columns.append([text])
                continue
            if override.is_interval_sweep():
                raise ConfigError(f"'{line}': an interval cannot be enumerated; use a,b,c or range(start,stop,step)")
            value = override.value()
            if isinstance(value, Glob):
                values = value.filter(sources.options(override.key_or_group))
            else:
                values = list(override.sweep_string_iterator())
            if not values:
                raise ConfigError(f"'{line}' stands for no value at all")
            columns.append([f"{override.get_key_element()}={value}" for value in values])
        return [list(job) for job in product(*columns)]


@contextmanager
def _open(config_dir: str | None, config_name: str) -> Iterator[Sources]:
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.object_type import ObjectType
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    person = Path(config_dir).expanduser().resolve() if config_dir else None
    if person is not None and not person.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    plugin = _persons_folder()
    plugin.folder = person
    try:
        with initialize_config_dir(str(configs_folder()), job_name="train", version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            names = loader.get_group_options("", ObjectType.CONFIG)
            if config_name not in names:
                own = [name for name in names if not name.startswith("_")]
                raise ConfigError(f"--config-name: {unknown('configuration', config_name, own)}")
            try:
                defaults = loader.compute_defaults_list(config_name, [], RunMode.RUN)
            except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
                raise ConfigError(_one_line(error)) from None
            yield Sources(loader, frozenset(defaults.overrides.known_choices))
    finally:
        plugin.folder = None


@cache
def _persons_folder() -> Any:
    """Return the plugin through which Hydra searches a person's folder before ours.

    Its own `hydra.searchpath` comes after ours, and cannot hold the primary configuration's folder.
    """
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class PersonsFolder(SearchPathPlugin):
        folder: Path | None = None

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            if self.folder is not None:
                search_path.prepend("person", f"file://{self.folder}", anchor="main")

    Plugins.instance().register(PersonsFolder)
    return PersonsFolder


def _parse(line: str) -> tuple[Any, str]:
    """Return Hydra's reading of one override and the text that it was read from."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    try:
        return parser.parse_override(line), line
    except HydraException:
        pass
    # Names of folders hold what Hydra's grammar has other uses for (umlauts, brackets): take the value as it stands.
    match = re.fullmatch(r"(\+{0,2}[A-Za-z_][\w./@-]*)=([^\[{'\"].*)", line)
    if match and not re.match(
        r"(choice|range|interval|glob|sort|shuffle|tag|int|float|str|bool|json_str|extend_list)\(", match[2]
    ):
        text = f"{match[1]}={quoted(match[2])}"
        return parser.parse_override(text), text
    raise ConfigError(f"cannot read '{line}': write KEY=VALUE, e.g. data.size=128 (`inpaint train --help` shows more)")


def _rewrite(line: str, sources: Sources) -> str:
    """Let any key be set, so that pydantic alone judges keys, and let any group be chosen, so that nobody needs a +."""
    from hydra.core.override_parser.types import OverrideType

    override, text = _parse(line)
    key, value = override.key_or_group, override.value()
    if isinstance(value, float) and not math.isfinite(value):
        # Hydra reads a number; no key of ours takes one that is not finite, and model.attention.masked=inf is a word.
        text = text.partition("=")[0] + "=" + quoted(text.partition("=")[2].strip())
    if override.is_hydra_override():
        raise ConfigError(f"'{line}': Hydra's own settings have no effect here; see run.folder, -m and --config-dir")
    if override.is_sweep_override():
        raise ConfigError(
            f"'{line}' holds several values: add -m to run one after the other, or write [a,b] for a list"
        )
    options = sources.options(key) if isinstance(value, str | list) else []
    if options:
        for choice in [value] if isinstance(value, str) else value:
            if choice not in options:
                raise ConfigError(f"{key}={choice}: {unknown(key, str(choice), options)}")
        known = key in sources.chosen or override.package is not None
        return text if known or override.type is not OverrideType.CHANGE else f"+{text}"
    if override.type is OverrideType.CHANGE and override.package is None and "/" not in key:
        return f"++{text}"
    return text


def quoted(text: str) -> str:
    """Return a value in quotes for Hydra's grammar, so that it is taken as it stands."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _one_line(error: BaseException) -> str:
    """Return Hydra's, OmegaConf's or YAML's message without its layout and its internals."""
    parts = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        parts.append(str(error))
    lines = [line.strip() for part in parts for line in part.splitlines()]
    kept = [
        line for line in dict.fromkeys(lines) if line and not re.match(r"(object_type=|See https?:|full_key:)", line)
    ]
    return "configuration: " + "; ".join(kept)


# Mistakes that deserve more than "unknown key" -----------------------------------------------------------------------

# What people know from Lightning and from other programs, and our key for it.
_OURS = {
    "max_iterations": "max_steps max_epochs epochs steps iterations max_iters trainer.max_steps trainer.max_epochs "
    "trainer.min_steps trainer.min_epochs trainer.max_time",
    "accumulate": "accumulate_grad_batches trainer.accumulate_grad_batches",
    "clip": "gradient_clip_val trainer.gradient_clip_val trainer.gradient_clip_algorithm",
    "batch_size": "data.batch_size trainer.batch_size batch bs",
    "log_every": "trainer.log_every_n_steps log_every_n_steps",
    "save_every": "trainer.enable_checkpointing",
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


def _check_known_mixups(values: Mapping[str, Any]) -> None:
    keys = flat(values)
    for key, value in keys.items():
        if key in _FOREIGN:
            raise ConfigError(f"{key}={show(value)}: this program's key is '{_FOREIGN[key]}'")
    model = values.get("model")
    for key in model if isinstance(model, Mapping) else ():
        if key in ("losses", "optimizers", "model"):
            raise ConfigError(_without_package("model"))
    leaves = flat(
        TrainConfig.model_construct(optimizers={}, model={}, losses={}).model_dump(mode="json", warnings=False)
    )
    for key in values.keys() - TrainConfig.model_fields.keys():
        deeper = [leaf for leaf in leaves if leaf.rpartition(".")[2] == key]
        if deeper:
            raise ConfigError(f"{key}={show(values[key])}: unknown key; did you mean '{deeper[0]}'?")


def _without_package(group: str) -> str:
    return (
        f"the chosen file of group '{group}' must begin with the line `# @package _global_`: "
        f"as it is, its keys land below '{group}.'"
    )


_PLACES = ("data.root", "data.val", "run.folder", "resume", "init")


def _expand_home(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Shells leave the ~ of `data.root=~/photos` alone."""
    expanded: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            value = _expand_home(value, f"{prefix}{key}.")
        elif (f"{prefix}{key}" in _PLACES or prefix == "init.") and isinstance(value, str) and value.startswith("~"):
            with suppress(RuntimeError):  # nobody of that name: a folder may be called so
                value = str(Path(value).expanduser())
        expanded[key] = value
    return expanded


def _with_absolute_weights(loss: dict[str, Any]) -> dict[str, Any]:
    """Return a loss whose weights, if they are a file of the person's, are found from everywhere."""
    weights = loss.get("weights")
    return loss if weights in (None, "torchvision", "random") else {**loss, "weights": _absolute(str(weights))}


def _absolute(place: str | None) -> str | None:
    """Return an existing path as it is called from everywhere; names and patterns stay."""
    return str(Path(place).resolve()) if place and place != "samples" and Path(place).exists() else place
