"""Composing a configuration: train.yaml, the chosen files of its groups, a user's own YAML, and KEY=VALUE on top.

A run that goes on has composed its configuration already: its config.yaml takes the place of our files then.

A group is a folder (model/), a choice one of its files; whatever a file holds is merged at the root. A user's folder is
searched before ours, and the packages that register models behind it. OmegaConf merges and resolves ${...}; what the
result means is decided by the schema alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from inpaint.config.merging import merged, set_value
from inpaint.config.overrides import Override, parse
from inpaint.config.schema import TrainConfig, build, translated
from inpaint.errors import ConfigError, InpaintError, unknown
from inpaint.options import quoted, show, typed
from inpaint.registry.table import outside_models
from inpaint.weights.runs import RunFolder, literal

PRIMARY = "train"
RUN = "config"  # the primary file that a run stores in its folder
SIZE, SIZES = "size", "sizes"  # size=NAME merges the block sizes.NAME of the model's file over everything before it
_DEFAULTS = "write a list of _self_, NAME and GROUP: NAME"


def load(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> TrainConfig:
    """Compose a configuration and validate it.

    Args:
        overrides: arguments KEY=VALUE, GROUP=NAME and ~KEY, later ones over earlier ones.
        config_dir: a folder of the user's own YAML, searched before ours; a run folder repeats a run.
        config_name: the primary file, without .yaml; `config` for the one in a run folder.

    Returns:
        The whole configuration with every default.

    Raises:
        ConfigError: in one line, everything that a user can get wrong.

    Example:
        >>> load(["model=pconv", "data.size=128"]).model["name"]
        'pconv'
    """
    request = Request.of(overrides, config_dir=config_dir, config_name=config_name)
    return build(request.composed(), resumed=request.run is not None, size=request.size)


def compose(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> dict[str, Any]:
    """Merge YAML and overrides.

    Args:
        overrides: as for `load`.
        config_dir: as for `load`.
        config_name: as for `load`.

    Returns:
        Plain containers with every ${...} resolved; not validated.

    Raises:
        ConfigError: a file or choice is not there or no YAML, an override cannot be read, or ${...} leads nowhere.
    """
    return Request.of(overrides, config_dir=config_dir, config_name=config_name).composed()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for.

    Attributes:
        library: The YAML to choose from.
        primary: Name of the primary file.
        choices: {group: name, names or None}.
        changes: Every other argument, in order.
        run: The run that goes on, whose config.yaml stands for our files; None for one that starts, or when the primary
            file is not ours and says everything itself.
    """

    library: Library
    primary: str
    choices: dict[str, Any]
    changes: list[Override]
    run: RunFolder | None

    @classmethod
    def of(cls, overrides: Sequence[str], *, config_dir: str | None, config_name: str) -> Request:
        """Read the arguments; raises ConfigError for what `compose` cannot read."""
        library = Library.of(config_dir)
        choices, changes = dict[str, Any](), list[Override]()
        for override in map(parse, overrides):
            if override.sweep is not None:
                rest = [argument for argument in overrides if argument != override.line]
                refusal = partial(_refusal, rest, config_dir=config_dir, config_name=config_name)
                raise ConfigError(_several(override, library.names(override.key), refusal))
            names = library.names(override.key)
            chooses = override.deletes or isinstance(override.value, str | int | list)
            if not names or not chooses:
                changes.append(override)
                continue
            if override.deletes and override.has_value:
                raise ConfigError(f"'{override.line}': write ~{override.key}")
            choices[override.key] = override.value
            for name in _listed(override.value):
                if name not in names:
                    raise ConfigError(f"{override.key}={name}: {unknown(override.key, name, names)}")
        ours = library.path(config_name) == configs_folder() / f"{PRIMARY}.yaml"
        run = _run_to_go_on(library, choices, changes) if ours else None
        return cls(library=library, primary=config_name, choices=choices, changes=changes, run=run)

    @property
    def size(self) -> str | None:
        """The block of the model's file that is asked for with size=NAME; None for none."""
        return next((str(change.value) for change in reversed(self.changes) if change.key == SIZE), None)

    def composed(self) -> dict[str, Any]:
        """Return plain containers with every ${...} resolved; not validated. Raises ConfigError as `compose`."""
        composition = Composition(self.library, dict(self.choices))
        said_by = "configuration"
        try:
            layers = composition.layers(self.primary) if self.run is None else self._on_top_of(self.run, composition)
            composed: Any = merged(*layers)
            sizes = composed.pop(SIZES, {})
            for override in self.changes:
                said_by = f"'{override.line}'"
                if override.key == SIZE:
                    composed = merged(composed, _size(override, sizes))
            for override in self.changes:
                said_by = f"'{override.line}'"
                if override.key != SIZE:
                    _apply(override, composed, again=self.run is not None)
            said_by = "configuration"
            plain = _plain(composed, resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError(f"{said_by}: {_one_line(error)}{_literally(self.changes)}") from None
        if self.run is not None:
            _check_same_model(self.run, plain)
        return plain

    def _on_top_of(self, run: RunFolder, composition: Composition) -> list[DictConfig]:
        """Return the configuration of a run, and on it the files that the command line chooses.

        Our own file of the run's model is not among them: what it says, the run has begun with.
        """
        layers = [OmegaConf.create(literal(translated(run.config())))]
        own = OmegaConf.select(layers[0], "model.name")
        named = {"model": own} if own in self.library.names("model") else {}
        for group, chosen in (named | self.choices).items():
            if chosen is None:
                raise ConfigError(f"'~{group}': no file of this group is chosen")
            for name in _listed(chosen):
                body: Any = merged(*composition.chosen(group, name))
                ours = not self.library.is_users(f"{group}/{name}")
                if (
                    group == "model"
                    and (ours or group not in self.choices)
                    and OmegaConf.select(body, "model.name") == own
                ):
                    body = OmegaConf.create({SIZES: body.get(SIZES, {})})
                layers.append(body)
        return layers


def _run_to_go_on(library: Library, choices: dict[str, Any], changes: list[Override]) -> RunFolder | None:
    """Return the run that the arguments ask to go on with, if they do and it has a configuration."""
    said = merged(*(layer for group, name in choices.items() for layer in library.files(group, name)))
    for override in changes:
        if override.key.partition(".")[0] in ("resume", "run") and not override.deletes:
            set_value(said, override.key, override.value)
    resume, folder = OmegaConf.select(said, "resume"), OmegaConf.select(said, "run.folder")
    if resume == "auto":
        run = RunFolder(Path(str(folder)).expanduser()) if folder else None
        # Weights without a checkpoint are an import: nothing goes on there.
        goes_on = run is not None and (run.newest is not None or not run.holds_run())
    else:
        place = Path(str(resume)).expanduser() if resume else None
        run = None if place is None else RunFolder(place) if place.is_dir() else RunFolder.of(place)
        goes_on = run is not None
    return run if run is not None and goes_on and run.config_yaml.is_file() else None


def _check_same_model(run: RunFolder, values: dict[str, Any]) -> None:
    """Raise ConfigError, before anything else is found wrong, when the run is to go on as another model."""
    model = values.get("model")
    own, wanted = (run.config().get("model") or {}).get("name"), model.get("name") if isinstance(model, dict) else None
    if own != wanted:
        raise ConfigError(
            f"'{run.path}' holds a run of model '{own}', not of '{wanted}': leave out model={wanted} to go on with it, "
            "or name another run.folder"
        )


def _size(override: Override, sizes: Any) -> Any:
    """Return the block of the model's file that size=NAME stands for."""
    names = [str(name) for name in sizes]
    if override.deletes or str(override.value) not in names:
        hint = "; did you mean 'data.size'?" if isinstance(override.value, int) else ""
        raise ConfigError(f"'{override.line}': {unknown('size', str(override.value), names)}{hint}")
    return sizes[str(override.value)]


def _refusal(others: list[str], argument: str, *, config_dir: str | None, config_name: str) -> str:
    """Return why an argument beside others is refused, "" for one that is taken."""
    try:
        load([*others, argument], config_dir=config_dir, config_name=config_name)
    except InpaintError as error:
        return str(error)
    return ""


def _several(override: Override, names: list[str], refusal: Callable[[str], str]) -> str:
    """Return what to write instead of several values: what the key takes, and not what it would refuse as well.

    Args:
        override: The argument.
        names: The choices of the group that it names, if it does.
        refusal: Returns why an argument in its place is refused, "" for one that is taken.
    """
    text, jobs = override.line.partition("=")[2], override.jobs(names)
    one, whole = f"{override.key}={quoted(text)}", f"{override.key}=[{text}]"
    ways = {
        "add -m to run one after the other": jobs[0],
        f"write {typed(whole)} for a list": whole,
        f"for one text it needs quotes: {typed(one)}": one,
    }
    refused = {way: refusal(argument) for way, argument in ways.items()}
    why = list(refused.values())[-1 if "${" in text else 0]
    said = ", or ".join(way for way in ways if not refused[way]) or why
    if override.key == "trainer.devices":
        said = f"{override.key}={len(jobs)} takes so many, CUDA_VISIBLE_DEVICES={text} says which"
    return f"'{override.line}' holds several values, since its comma is not in quotes: {said}"


def _literally(changes: list[Override]) -> str:
    """Return how a value with ${...} that leads nowhere is written to mean itself."""
    for change in changes:
        if isinstance(change.value, str) and "${" in change.value:
            text = change.value.replace("${", "\\${")
            bare = f"{change.key}={text}"
            argument = bare if parse(bare).value == text else f"{change.key}={quoted(text)}"
            return f"; to mean ${{...}} itself, put a backslash before it and quote it: {typed(argument)}"
    return ""


def sweep(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = PRIMARY) -> list[list[str]]:
    """Return the overrides of every job of -m.

    Args:
        overrides: arguments of which some hold several values: KEY=a,b, choice(a,b), range(start,stop,step) or
            glob(pattern), which chooses from the files of a group.
        config_dir: as for `load`.
        config_name: as for `load`.

    Returns:
        One list of arguments for each combination of values, the last argument's changing fastest.

    Raises:
        ConfigError: an argument cannot be read, or stands for no value at all.

    Example:
        >>> sweep(["seed=0,1", "data.size=64"])
        [['seed=0', 'data.size=64'], ['seed=1', 'data.size=64']]
    """
    library = Library.of(config_dir)
    library.path(config_name)
    columns = [override.jobs(library.names(override.key)) for override in map(parse, overrides)]
    return [list(job) for job in product(*columns)]


def small_sizes() -> list[str]:
    """Return the models of ours whose file knows size=small."""
    files = sorted((configs_folder() / "model").glob("*.yaml"))
    return [file.stem for file in files if "small" in _read(file).get(SIZES, {})]


def configs_folder(package: Path | None = None) -> Path:
    """Return where our YAML lies: inside an installed package, else beside it in the checkout.

    Args:
        package: the folder of the package; None for the one that runs.

    Returns:
        The folder that holds train.yaml.

    Raises:
        InpaintError: neither holds it.
    """
    package = package or Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / f"{PRIMARY}.yaml").is_file():
            return folder
    raise InpaintError(
        f"{PRIMARY}.yaml is neither in {package / 'configs'} nor in {package.parent / 'configs'}: reinstall"
    )


@dataclass(frozen=True)
class Library:
    """The YAML that can be chosen from, by group and name: that of the first folder which has it."""

    folders: tuple[Path, ...]
    users: Path | None = None  # the one of them that is the user's

    @classmethod
    def of(cls, config_dir: str | None) -> Library:
        """Return a user's folder, ours, and `configs` of each package that registers a model, in this order.

        Raises ConfigError when there is no such folder of a user.
        """
        outside = [Path(str(files(entry.package))) / "configs" for entry in outside_models().values()]
        users = [] if config_dir is None else [Path(config_dir).expanduser().resolve()]
        if not all(folder.is_dir() for folder in users):
            raise ConfigError(f"--config-dir {config_dir}: no such folder")
        return cls((*users, configs_folder(), *outside), users[0] if users else None)

    def names(self, group: str = "") -> list[str]:
        """Return the choices of a group, "" for the primary files; empty when there is no such group."""
        return sorted({file.stem for folder in self.folders for file in (folder / group).glob("*.yaml")})

    def is_users(self, name: str) -> bool:
        """Return whether GROUP/NAME is a file of the user's own, not one of ours or of a package."""
        return self.users is not None and (self.users / f"{name}.yaml").is_file()

    def files(self, group: str, chosen: Any) -> list[DictConfig]:
        """Return the contents of the chosen files of a group themselves, without their defaults."""
        return [_read(self.path(f"{group}/{name}")) for name in _listed(chosen)]

    def path(self, name: str, *, said_by: str = "--config-name") -> Path:
        """Return the file of GROUP/NAME or of a primary NAME. Raises ConfigError when there is none."""
        for folder in self.folders:
            if (folder / f"{name}.yaml").is_file():
                return folder / f"{name}.yaml"
        group, _, last = name.rpartition("/")
        raise ConfigError(f"{said_by}: {unknown(group or 'configuration', last, self.names(group))}")


@dataclass
class Composition:
    """The files that make up one configuration.

    choices: {group: name, names or None} of the command line, which win over every file's. done: groups whose files
    have been placed, so that none is merged twice.
    """

    library: Library
    choices: dict[str, Any]
    done: set[str] = field(default_factory=set)

    def layers(self, primary: str) -> list[DictConfig]:
        """Return the contents of all files in the order in which they are merged.

        Args:
            primary: the name of the primary file.

        Returns:
            The files that the primary one's defaults name, behind them those of further groups on the command line.

        Raises:
            ConfigError: a file is not there or cannot be used.
        """
        named = Composition(self.library, dict(self.choices))
        named._reversed(primary, ())
        further = [group for group in self.choices if group not in named.done]
        found = list[Any]()
        for group in reversed(further):
            if self.choices[group] is None:
                raise ConfigError(f"'~{group}': no file of this group is chosen")
            found += self._chosen(group, self.choices[group], ()) if group not in self.done else []
        found += self._reversed(primary, ())
        for group in self.choices.keys() - self.done:
            raise ConfigError(f"defaults: override {group}: no file chooses one; write {group}: {self.choices[group]}")
        return found[::-1]

    def _reversed(self, name: str, including: tuple[str, ...], said_by: str = "--config-name") -> list[DictConfig]:
        """Return what a file stands for, last first: an outer file's choice is known before the inner ones are read."""
        path = self.library.path(name, said_by=said_by)
        if name in including:
            raise ConfigError(f"'{path}' includes itself by its defaults")
        body = _read(path)
        if name == RUN and "defaults" not in body:
            body = OmegaConf.create(translated(_plain(body, resolve=False)))
        entries = _defaults(body, path)
        inside = (*including, name)
        for group, chosen, overrides in entries:
            if overrides:
                self.choices.setdefault(group, chosen)
        found = list[Any]()
        for group, chosen, overrides in reversed(entries):
            if chosen == "_self_":
                found.append(body)
            elif not group:
                folder = name.rpartition("/")[0]
                target = chosen.lstrip("/") if chosen.startswith("/") or not folder else f"{folder}/{chosen}"
                found += self._reversed(target, inside, f"'{path}': defaults")
            elif not overrides and group not in self.done:
                chosen = self.choices.setdefault(group, chosen)
                found += self._chosen(group, chosen, inside, f"'{path}': defaults")
        return found

    def chosen(self, group: str, name: str) -> list[DictConfig]:
        """Return the contents of one file of a group and of those that its defaults name, in the order of merging."""
        return self._chosen(group, name, ())[::-1]

    def _chosen(self, group: str, chosen: Any, including: tuple[str, ...], said_by: str = "") -> list[DictConfig]:
        self.done.add(group)
        names = reversed(_listed(chosen))
        return [layer for name in names for layer in self._reversed(f"{group}/{name}", including, said_by)]


def _read(path: Path) -> DictConfig:
    """Return a YAML file's contents. Raises ConfigError that names the file."""
    try:
        head = re.match(r"(?:[ \t]*(?:#.*)?\n)*?[ \t]*#[ \t]*@package[ \t]+(\S+)", path.read_text(encoding="utf-8"))
        body = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"'{path}': {_one_line(error)}") from None
    if head and head[1] != "_global_":
        raise ConfigError(
            f"'{path}': @package {head[1]}: a chosen file always lands at the root; write its keys in full"
        )
    if not isinstance(body, DictConfig):
        raise ConfigError(f"'{path}' is no mapping of keys to values")
    return body


def _defaults(body: DictConfig, path: Path) -> list[tuple[str, Any, bool]]:
    """Take the defaults list out of a file: (group or "", choice or name, whether it only overrides a choice)."""
    found: Any = body.pop("defaults") if "defaults" in body else OmegaConf.create([])
    listed: Any = OmegaConf.to_container(found) if OmegaConf.is_list(found) else [[found]]  # no list: refused below
    entries = list[tuple[str, Any, bool]]()
    for entry in listed:
        group, chosen = next(iter(entry.items())) if isinstance(entry, dict) and len(entry) == 1 else ("", entry)
        match = re.fullmatch(r"(override )?[ /]*([\w/.-]*)", str(group))
        if match is None or not isinstance(chosen, str | list | None if group else str) or "@" in str(chosen):
            raise ConfigError(f"'{path}': defaults: cannot read {show(entry)}; {_DEFAULTS}")
        entries.append((match[2], chosen, match[1] is not None))
    if all(chosen != "_self_" for _, chosen, _ in entries):
        entries.append(("", "_self_", False))
    return entries


def _plain(config: object, *, resolve: bool) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=resolve)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def _apply(override: Override, composed: Any, *, again: bool = False) -> None:
    """Set or delete one key. Raises ConfigError for one that is to be deleted and not there.

    again: a run goes on whose configuration may lack what the same arguments have deleted before.
    """
    if not override.deletes:
        set_value(composed, override.key, override.value)
        return
    above, _, last = override.key.rpartition(".")
    block = OmegaConf.select(composed, above) if above else composed
    if again and OmegaConf.is_dict(block) and last not in block:
        return
    if not OmegaConf.is_dict(block) or last not in block:
        keys = [f"{above}.{key}".lstrip(".") for key in block] if OmegaConf.is_dict(block) else []
        raise ConfigError(f"'{override.line}': {unknown('key', override.key, keys)}")
    if override.has_value and block[last] != override.value:
        raise ConfigError(f"'{override.line}': {override.key} is {block[last]}; write ~{override.key}")
    del block[last]


def _listed(chosen: Any) -> list[str]:
    """Return the names of a choice: none, one or several."""
    return [] if chosen is None else [str(name) for name in (chosen if isinstance(chosen, list) else [chosen])]


def _one_line(error: BaseException) -> str:
    """Return OmegaConf's or YAML's message without its layout and its internals."""
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(line for line in dict.fromkeys(lines) if line and not re.match(r"(object_type=|full_key:)", line))
