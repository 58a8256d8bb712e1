"""Starting a training from the weights of other runs and of imports."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint.errors import ConfigError, WeightsError, unknown
from inpaint.weights.files import load_into, load_weights, mention_license
from inpaint.weights.runs import RunFolder

if TYPE_CHECKING:
    from inpaint.training.module import GanModule

log = logging.getLogger("inpaint.training")


def load_initial(module: GanModule, init: str | Path | Mapping[str, str | None]) -> None:
    """Start from the weights of runs or imports: every network of the file, every one of ours that it has.

    init: a folder or weights file; or one for each of `init_parts`, whose networks alone are taken from it, while
    what is not mentioned starts anew. Raises ConfigError for an unknown part, and when a network in `taken_over`
    comes from nowhere; WeightsError when a file is of another model, or its tensors do not fit.
    """
    if isinstance(init, Mapping):
        for part in init:
            if part not in module.init_parts:
                raise ConfigError(f"init.{part}: {unknown('part', part, module.init_parts)}")
        sources = [(place, module.init_parts[part]) for part, place in init.items() if place is not None]
    else:
        sources = [(str(init), tuple(module.roles()))]
    loaded = {role for place, roles in sources for role in _load_from(module, Path(place), roles)}
    for role in module.taken_over:
        if role not in loaded:
            part = next(part for part, roles in module.init_parts.items() if role in roles)
            raise ConfigError(
                f"{module.model_name} uses a trained {role} here and does not train it: give init.{part}=FOLDER of a "
                "run or import that holds it"
            )
    module.average.follow(module.network)


def _load_from(module: GanModule, place: Path, roles: tuple[str, ...]) -> set[str]:
    """Load those of our networks that are among `roles`; return which the file had."""
    file = RunFolder(place).weights if place.is_dir() else place
    tensors, metadata = load_weights(file)
    if metadata.model != module.model_name:
        raise WeightsError(f"{file} holds '{metadata.model}', but the model to train is '{module.model_name}'")
    loaded = set[str]()
    for role, network in module.roles().items():
        prefix = f"{role}."
        state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        if role not in roles:
            continue
        if role in module.discriminators and not state:
            log.warning("%s holds no %s: it starts anew", file, role)
            continue
        if not state and module.init_parts:
            raise WeightsError(
                f"{file} holds {', '.join(metadata.roles)}, but no {role}; "
                f"init.{'=, init.'.join(module.init_parts)}= start single parts from weights"
            )
        load_into(network, state, source=file)
        loaded.add(role)
    licenses = [known for known in (module.license, metadata.license) if known is not None]
    module.license = "; ".join(dict.fromkeys(licenses)) or None
    mention_license(file, metadata)
    return loaded
