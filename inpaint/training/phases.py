"""When which networks learn: phases of a training and the optimizer steps of an iteration.

Late discriminators, stages, frozen norms, lower rates and steps at every fifth iteration are all said here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from torch import Tensor, nn

from inpaint.losses import Record

Values: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True)
class Update:
    """One optimizer step.

    Attributes:
        optimizer: Its name in the configuration.
        networks: The roles whose parameters it moves; all others get no gradient meanwhile.
        losses: From the record to (what is minimized, unweighted values to log by name).
        every: It steps in one of so many iterations, the last of them.
        rate: Times the optimizer's learning rate.
        needs_gradient: Whether the losses need the graph of the networks that made the record.
        loss_name: What the minimized sum is called in the log; None: as its optimizer's.
    """

    optimizer: str
    networks: tuple[str, ...]
    losses: Callable[[Record], tuple[Tensor, Values]]
    every: int = 1
    rate: float = 1.0
    needs_gradient: bool = True
    loss_name: str | None = None


@dataclass(frozen=True)
class Phase:
    """What holds from an iteration on, until the next phase.

    Attributes:
        start: Its first iteration, from 0.
        updates: The optimizer steps of an iteration, in order; none = nothing is trained.
        frozen: Roles, or parts of one by the dotted path of the module ("generator.encoder.3.norm"): they get no
            gradient and are in evaluation mode.
        fresh_optimizers: Optimizers forget their moments when the phase begins, as those of a run of its own.
        simultaneous: The gradients of all updates are computed before any optimizer steps.
    """

    start: int
    updates: tuple[Update, ...]
    frozen: tuple[str, ...] = ()
    fresh_optimizers: bool = False
    simultaneous: bool = False

    def due(self, iteration: int) -> list[Update]:
        """Return the updates of one iteration, in order."""
        return [update for update in self.updates if (iteration + 1) % update.every == 0]


def phase_at(phases: Iterable[Phase], iteration: int) -> Phase:
    """Return the phase that an iteration belongs to: of those that have begun, the last one given."""
    return [phase for phase in phases if phase.start <= iteration][-1]


def with_late_starts(phases: Iterable[Phase], starts: Mapping[str, int]) -> tuple[Phase, ...]:
    """Return the same phases, cut so that no optimizer steps before its start.

    Args:
        phases: In order; the first starts at 0.
        starts: The first iteration in which an optimizer steps, by its name; 0 when it is not named.

    Returns:
        Phases in order, one for every iteration at which something changes.

    Example:
        >>> update = Update("discriminator", ("discriminator",), lambda record: (record["loss"], {}))
        >>> [(p.start, len(p.updates)) for p in with_late_starts([Phase(0, (update,))], {"discriminator": 100})]
        [(0, 0), (100, 1)]
    """
    given = list(phases)
    if not given or given[0].start != 0 or given != sorted(given, key=lambda phase: phase.start):
        raise ValueError(f"phases must begin at 0 and follow each other, got {[phase.start for phase in given]}")
    changes = {phase.start for phase in given} | set(starts.values())
    cut = []
    for change in sorted(changes):
        phase = phase_at(given, change)
        cut.append(
            replace(
                phase,
                start=change,
                updates=tuple(update for update in phase.updates if starts.get(update.optimizer, 0) <= change),
                fresh_optimizers=phase.fresh_optimizers and phase.start == change,
            )
        )
    return tuple(cut)


def with_frozen(phases: Iterable[Phase], frozen: Iterable[str], whole: Collection[str]) -> tuple[Phase, ...]:
    """Return the same phases with further parts frozen in all of them, less the updates of frozen networks only.

    Args:
        phases: In order.
        frozen: Roles, or dotted paths below one, see `Phase.frozen`.
        whole: The roles of which nothing is left to learn then.
    """
    return tuple(
        replace(
            phase,
            frozen=tuple(dict.fromkeys((*phase.frozen, *frozen))),
            updates=tuple(update for update in phase.updates if not set(update.networks) <= set(whole)),
        )
        for phase in phases
    )


class Frozen:
    """Keeps parts of networks without gradient and in evaluation mode.

    Parts are looked up by name each time, so that a layer may be replaced, as `SyncBatchNorm` does.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._parameters: list[nn.Parameter] = []

    def apply(self, roles: Mapping[str, nn.Module], names: tuple[str, ...]) -> None:
        """Freeze these parts, again where something has switched them to training, and let go of all others.

        Args:
            roles: The networks by role.
            names: Roles, or dotted paths of modules below one.

        Raises:
            ValueError: There is no such role.
            AttributeError: There is no such module below it.
        """
        if names != self.names:
            for parameter in self._parameters:
                parameter.requires_grad_(True)
            for name in self.names:
                _part(roles, name).train(roles[name.partition(".")[0]].training)
            self._parameters = [p for name in names for p in _part(roles, name).parameters() if p.requires_grad]
            for parameter in self._parameters:
                parameter.requires_grad_(False)
            self.names = names
        for name in names:
            _part(roles, name).eval()


def _part(roles: Mapping[str, nn.Module], name: str) -> nn.Module:
    role, _, path = name.partition(".")
    if role not in roles:
        raise ValueError(f"frozen: there is no network '{role}', valid: {', '.join(roles)}")
    return roles[role].get_submodule(path)


@contextmanager
def only_trainable(roles: Mapping[str, nn.Module], chosen: Iterable[str]) -> Iterator[None]:
    """Let only the chosen networks get gradients for the block: none is computed only to be thrown away."""
    others = [p for role, network in roles.items() if role not in chosen for p in network.parameters()]
    before = [p.requires_grad for p in others]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, needed in zip(others, before, strict=True):
            parameter.requires_grad_(needed)


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block, so that what it gathers in training stays as it is."""
    training = [part for part in network.modules() if part.training]
    network.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
