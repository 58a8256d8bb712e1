"""The state of a training between two iterations, for exact resuming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inpaint.errors import RunError

if TYPE_CHECKING:
    from inpaint.training.module import GanModule


def training_state(module: GanModule) -> dict[str, Any]:
    """Return all that the next iteration depends on, in plain containers and tensors.

    Random numbers are no part of it: every iteration derives its own from (seed, iteration).
    """
    return {
        "iteration": module.iteration,
        "license": module.license,
        "network": module.network.state_dict(),
        "discriminators": module.discriminators.state_dict(),
        "average": module.average.network.state_dict() if module.loop.ema.decay is not None else None,
        "optimizers": {name: optimizer.state_dict() for name, optimizer in module.optimizers_by_name().items()},
        "kinds": {name: module.loop.optimizers[name].kind for name in module.optimizers_by_name()},
        "scaler": module.trainer.precision_plugin.state_dict(),
    }


def load_training_state(module: GanModule, state: Mapping[str, Any]) -> None:
    """Continue from a state returned by `training_state`, with the optimizers' options as configured now.

    Raises RunError when the state has other discriminators or other kinds of optimizers.
    """
    kinds = {name: module.loop.optimizers[name].kind for name in module.optimizers_by_name()}
    if state["kinds"] != kinds:
        raise RunError(f"the run used the optimizers {_listed(state['kinds'])}, now configured: {_listed(kinds)}")
    judges = {name.split(".", 1)[0] for name in state["discriminators"]}
    if judges != set(module.discriminators):
        raise RunError(
            f"the run has the discriminators {sorted(judges)}, the losses configured now need "
            f"{sorted(module.discriminators)}"
        )
    module.iteration = int(state["iteration"])
    module.license = state.get("license")
    module.network.load_state_dict(state["network"])
    module.discriminators.load_state_dict(state["discriminators"])
    if state["average"] is None:
        module.average.follow(module.network)
    else:
        module.average.network.load_state_dict(state["average"])
    for name, optimizer in module.optimizers_by_name().items():
        configured = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        optimizer.load_state_dict(state["optimizers"][name])
        for group, options in zip(optimizer.param_groups, configured, strict=True):
            group.update(options)
    if state["scaler"]:
        module.trainer.precision_plugin.load_state_dict(dict(state["scaler"]))


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={kind}" for name, kind in kinds.items()) or "none"
