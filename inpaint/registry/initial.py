"""The architecture of a model, and of the weights that a training starts from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from inpaint.errors import ConfigError, WeightsError, unknown
from inpaint.options import ModelConfig, flat, show, validated
from inpaint.registry import table, zoo
from inpaint.weights.runs import CHECKPOINT_SUFFIX, RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint.models.base import ModelNetwork
    from inpaint.training.module import TrainingModule

log = logging.getLogger("inpaint.training")

Init: TypeAlias = "str | Mapping[str, str | None] | None"
"""A run folder or weights file to start from, or one for each part of the model."""


def architecture(model: Mapping[str, Any]) -> ModelConfig:
    """Return the configuration of a model given by its name and options; raises ConfigError for a mistake."""
    if "name" not in model:
        raise ConfigError(f"model.name is missing; valid: {', '.join(table.models())}")
    name = model["name"]
    if name not in table.models():
        raise ConfigError(f"model.name={show(name)}: {unknown('trainable model', str(name), table.models())}")
    return validated(table.config_class(name), {k: v for k, v in model.items() if k != "name"}, key="model")


def to_fetch(init: Init) -> list[str]:
    """Return the files of initial weights that are fetched over the network when they are used."""
    return [file for place in _places(init).values() if (file := zoo.to_fetch(place)) is not None]


def started_from(init: Init, model: Mapping[str, Any], *, size: str | None = None) -> ModelConfig | None:
    """Return the architecture of the weights to start from; None when there are none, or of another model.

    What the caller gives as model options must agree with it, except where the weights say nothing: options of the
    training, and of networks that the file does not hold. Raises ConfigError that names the keys that differ, and
    size=NAME where that is what the caller asked for.
    """
    files = dict[str, Path]()
    for key, place in _places(init).items():
        with suppress(WeightsError):
            files[key] = _weights(place)
    if not files:
        return None  # a missing file is said where it is opened; a run that is resumed needs it no more
    from inpaint.weights.files import read_metadata

    said = {key: read_metadata(path) for key, path in files.items()}
    own = architecture(model)  # a mistake in the caller's own options is said first
    if any(metadata.model != model["name"] for metadata in said.values()):
        return None
    certain, weak = dict[str, dict[str, Any]](), dict[str, Any]()
    for key, metadata in said.items():
        there = architecture({"name": metadata.model, **metadata.config}).model_dump(mode="json")
        roles = metadata.roles
        if files[key].suffix == CHECKPOINT_SUFFIX:  # it holds every discriminator, and any other may be wanted
            roles = tuple(role for role in roles if "discriminator" not in role)
        certain[key] = {name: value for name, value in there.items() if _tells(own, name, roles)}
        weak |= {name: value for name, value in there.items() if name not in own.TRAINING}
    chosen: dict[str, Any] = {"name": model["name"], **weak}
    for values in certain.values():
        chosen = _overlaid(chosen, values)
    wanted = architecture(_overlaid(chosen, model))
    want = flat(wanted.model_dump(mode="json"))
    for key, values in certain.items():
        have = flat(values)
        clash = [
            f"model.{name}={show(want[name])} (the weights have {show(have[name])})"
            for name in sorted(have)
            if want[name] != have[name]
        ]
        if clash:
            also = "" if size is None else f", and size={size}, which makes the network another one,"
            raise ConfigError(
                f"{key}={_places(init)[key]} has another architecture: {', '.join(clash)}; "
                f"leave these keys{also} out to take what it has"
            )
    return wanted


def load_initial(module: TrainingModule, init: str | Path | Mapping[str, str | None]) -> None:
    """Start a training from the weights of runs or imports: every network of the file, every one of ours that it has.

    Args:
        module: The training; its average follows.
        init: A run folder, a weights file or a checkpoint of a run; or one for each part that `module.init_parts`
            names, whose networks alone are taken from it, while what is not mentioned starts anew. Discriminators that
            a run keeps in its checkpoint alone are taken from there.

    Raises:
        ConfigError: There is no such part, or a network that the training uses and does not train comes from nowhere.
        WeightsError: A file is of another model, or its tensors do not fit.
    """
    if isinstance(init, Mapping):
        for part in init:
            if part not in module.init_parts:
                raise ConfigError(f"init.{part}: {unknown('part', part, module.init_parts)}")
        sources = [(place, module.init_parts[part]) for part, place in init.items() if place is not None]
    else:
        sources = [(str(init), tuple(module.roles()))]
    loaded = {role for place, roles in sources for role in _load_roles(module, _weights(place), roles)}
    for role in module.untrained():
        if role not in loaded:
            part = next(part for part, roles in module.init_parts.items() if role in roles)
            raise ConfigError(
                f"{module.name} uses a trained {role} here and does not train it: give init.{part}=FOLDER of a "
                "run or import that holds it"
            )
    module.average.follow(module.network)


def _load_roles(module: TrainingModule, file: Path, roles: tuple[str, ...]) -> set[str]:
    """Load those of the training's networks that are among `roles`; return which the file had."""
    from inpaint.weights.files import load_into, load_weights
    from inpaint.weights.licenses import mention_license

    tensors, metadata = load_weights(file)
    if metadata.model != module.name:
        raise WeightsError(f"{file} holds '{metadata.model}', but the model to train is '{module.name}'")
    loaded = set[str]()
    for role, network in module.roles().items():
        state = _of_role(tensors, role)
        if role not in roles:
            continue
        if role in module.discriminators and (file.suffix == CHECKPOINT_SUFFIX or not state):
            if _load_discriminator(module, role, file):
                loaded.add(role)
            continue
        if not state and module.init_parts:
            raise WeightsError(
                f"{file} holds {', '.join(metadata.roles)}, but no {role}; "
                f"init.{'=, init.'.join(module.init_parts)}= start single parts from weights"
            )
        adapted = cast("ModelNetwork", module.network).adapted(role, state, metadata.config)  # as of every model
        load_into(network, adapted, source=file)
        loaded.add(role)
    licenses = [known for known in (module.license, metadata.license) if known is not None]
    module.license = "; ".join(dict.fromkeys(licenses)) or None
    mention_license(file, metadata.license)
    return loaded


def _load_discriminator(module: TrainingModule, role: str, file: Path) -> bool:
    """Load a discriminator from the checkpoint of a run, the file or the one beside it; say when there is none."""
    from inpaint.weights.files import load_into, load_weights

    checkpoint = file if file.suffix == CHECKPOINT_SUFFIX else RunFolder.of(file).checkpoint_of(file)
    if checkpoint is None or not checkpoint.is_file():
        log.warning("%s holds no %s: it starts anew", file, role)
        return False
    tensors, metadata = load_weights(checkpoint, only=f"{role}.")
    state = _of_role(tensors, role)
    if not state or metadata.model != module.name:
        log.warning("%s holds no %s: it starts anew", checkpoint, role)
        return False
    try:
        load_into(module.discriminators[role], state, source=checkpoint)
    except WeightsError:  # the caller asked for other options of it
        log.warning("%s holds a %s of other options: it starts anew", checkpoint, role)
        return False
    return True


def _of_role(tensors: Mapping[str, Tensor], role: str) -> dict[str, Tensor]:
    """Return the tensors of one network, by their names in it."""
    prefix = f"{role}."
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _places(init: Init) -> dict[str, str]:
    """Return {key of the configuration: place}."""
    if isinstance(init, Mapping):
        return {f"init.{part}": place for part, place in init.items() if place is not None}
    return {} if init is None else {"init": init}


def _weights(place: str) -> Path:
    found = zoo.weights_at(place)
    if found is None:
        raise WeightsError(f"no weights at {place}")
    return found


def _tells(options: ModelConfig, name: str, roles: tuple[str, ...]) -> bool:
    """Tell whether weights of these networks determine an option."""
    if name in options.TRAINING:
        return False
    concerns = options.CONCERNS.get(name)
    return concerns is None or not concerns.isdisjoint(roles)


def _overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested mapping in which the values of `over` replace those of `base`."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _overlaid(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
