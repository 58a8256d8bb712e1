"""GanModule: the training step that every model shares, with or without adversaries.

A model states its networks, which of them each optimizer moves, and how a batch becomes a prediction record; this
module does the rest once: manual optimization, accumulation, clipping, freezing, averaging, learning rates, exact
iteration count, and a guard against losses that are not finite.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.strategies import ParallelStrategy
from torch import Tensor, nn

from inpaint.errors import ConfigError, RunError, unknown
from inpaint.losses import Losses, Opinion, Record
from inpaint.options import ModelConfig
from inpaint.training.adversarial import discriminator_values, generator_values
from inpaint.training.config import LoopConfig
from inpaint.training.ema import Average
from inpaint.training.initial import load_initial
from inpaint.training.meter import Meter
from inpaint.training.optimizers import build_optimizer, rate_factor
from inpaint.training.state import load_training_state, training_state
from inpaint.types import Fill, Guidance, Inpainter, Plane

Batch: TypeAlias = dict[str, Tensor]
Values: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True)
class Update:
    """One optimizer step of an iteration.

    optimizer: its name in the configuration. networks: the roles whose parameters it moves; all others are frozen
    meanwhile. losses: from the record to (what is minimized, unweighted values to log).
    needs_gradient: whether the record must carry the graph of the networks that painted it.
    rate: what the optimizer's learning rate is multiplied by, for models that change it themselves.
    """

    optimizer: str
    networks: tuple[str, ...]
    losses: Callable[[Record], tuple[Tensor, Values]]
    needs_gradient: bool = True
    rate: float = 1.0


class GanModule(LightningModule):
    """Base of every model's training.

    network: what fills holes; its children are the roles (generator, ...). discriminators: roles used in training only.
    optimizer_names: what may be configured; those that no update uses, for want of an adversarial loss, are left out.
    """

    optimizer_names: frozenset[str] = frozenset({"generator", "discriminator"})
    kept_discriminators: tuple[str, ...] = ()  # written with the weights that fill, for models that rank their fills
    simultaneous: bool = False  # True: the gradients of all updates are computed before any optimizer steps
    measures: bool = False  # whether `measure` has something to say
    best_measure: str = "l1_hole"  # which val/NAME decides what best.ckpt is
    best_is_largest: bool = False
    init_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    taken_over: tuple[str, ...] = ()  # roles that are used and not trained, so that they must come from somewhere

    def __init__(
        self,
        *,
        name: str,
        config: ModelConfig,
        network: nn.Module,
        discriminators: Mapping[str, nn.Module],
        losses: Losses,
        loop: LoopConfig,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model_name = name
        self.config = config
        self.losses = losses
        self.loop = loop
        self.network = network
        self.discriminators = nn.ModuleDict(discriminators)
        self.average = Average(network, loop.ema.decay)
        self.iteration = 0  # turns of the loop that are complete
        self.license: str | None = None  # of the weights that training started from; it holds for what becomes of them
        self.meter = Meter()
        self._check_names()

    # What a model states -----------------------------------------------------------------------------------------

    @abstractmethod
    def updates(self) -> list[Update]:
        """Return the optimizer steps of one iteration, in order."""

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Turn a batch (image (B, 3, S, S), mask (B, 1, S, S), further planes) into a prediction record."""

    @abstractmethod
    def inpainter(self, network: nn.Module) -> Inpainter | None:
        """Wrap the averaged network for validation; None while the model cannot fill yet."""

    def discriminate(self, role: str, picture: Tensor, record: Record) -> Tensor | Opinion:
        """Return what a discriminator says to a picture, with what else of the record it looks at.

        That are its scores, or, for losses that compare them, an Opinion with its features. Where several batches are
        judged together, `picture` and every entry of `record` hold them one after the other.
        """
        raise NotImplementedError(f"{type(self).__name__} names discriminator '{role}' but does not say what it sees")

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return the model's own measures on a validation batch by name; called if `measures` is set.

        record: of `predict` with the averaged network. A value is (B,), one per picture and NaN for a picture that does
        not count, or () for the whole batch. Means over all validation pictures are logged as val/NAME.
        """
        return {}

    def preview(self, batch: Batch, record: Record) -> Fill | None:
        """Return what the panel shows while there is no inpainter, from the record as in `measure`; None = nothing."""
        return None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Planes besides image and mask that the data must deliver."""
        return self.config.training_planes()

    def guidance(self, batch: Batch) -> Guidance | None:
        """Return what guides the fill of a validation batch."""
        return {name: batch[name] for name in self.config.capabilities().guidance if name in batch}

    # Ready-made updates ------------------------------------------------------------------------------------------

    def generator_losses(self, record: Record) -> tuple[Tensor, Values]:
        """Sum all picture terms and the generator's side of all games; what weighs nothing is not computed."""
        losses = self.losses.weighing()
        found = {**losses.of_pictures(record), **generator_values(losses, record, self.discriminate)}
        values = {name: found[name] for name in losses.terms}
        total = sum(
            (losses.terms[name].weight * value for name, value in values.items()), torch.zeros((), device=self.device)
        )
        return total, values

    def discriminator_losses(self, record: Record) -> tuple[Tensor, Values]:
        """Sum the discriminators' side of all games, unweighted: each discriminator plays its own game."""
        return discriminator_values(self.losses, record, self.discriminate)

    # The step ----------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Run one iteration on this device's slice of the global batch."""
        with self._own_randomness():
            parts = self._parts(batch)
            share = self._global_mean(batch["mask"].mean())
            updates = [u for u in self.updates() if self.iteration >= self.loop.optimizers[u.optimizer].start]
            # One forward pass serves all updates of an iteration; with accumulation that would keep every graph alive.
            shared = self._record(parts[0], share) if len(parts) == 1 and updates else None
            if self.simultaneous:
                for update in updates:
                    self._find_gradients(update, parts, share, shared)
                with self._one_scale(updates):
                    for update in updates:
                        self._step(update)
            else:
                for update in updates:
                    self._find_gradients(update, parts, share, shared)
                    self._step(update)
            if self.loop.ema.decay is not None:
                self.average.update(self.network, self.iteration)
        self.iteration += 1

    def _find_gradients(
        self, update: Update, parts: list[Batch], share: Tensor, shared: dict[str, Tensor] | None
    ) -> None:
        """Leave the gradients of an update in its networks' parameters."""
        self._optimizer(update.optimizer).zero_grad(set_to_none=True)
        with self._only_trainable(update.networks):
            for number, part in enumerate(parts):
                if shared is not None:
                    record = shared
                else:
                    with torch.set_grad_enabled(update.needs_gradient):
                        record = self._record(part, share)
                if not update.needs_gradient:
                    record = {name: plane.detach() for name, plane in record.items()}
                with torch.enable_grad(), self._sync_only_if(last=number == len(parts) - 1):
                    loss, values = update.losses(record)
                    self.manual_backward(loss / len(parts))
                self._note(update.optimizer, loss, values)

    def _step(self, update: Update) -> None:
        optimizer = self._optimizer(update.optimizer)
        settings = self.loop.optimizers[update.optimizer]
        factor = update.rate * rate_factor(settings.schedule, self.iteration, self.loop.max_iterations)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * factor
        optimizer.step()
        self.meter.add(f"lr/{update.optimizer}", torch.tensor(optimizer.param_groups[0]["lr"]))

    @contextmanager
    def _one_scale(self, updates: list[Update]) -> Iterator[None]:
        """Let all optimizers undo the one scale that the fp16 scaler gave all gradients; it adapts after the last."""
        scaler = self._scaler()
        if scaler is None or not updates:
            yield
            return
        scaler.update = lambda: None
        try:
            yield
        finally:
            del scaler.update
        scaler.update()

    def _scaler(self) -> Any:
        """Return the fp16 scaler; None in other precisions."""
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def _record(self, batch: Batch, share: Tensor) -> dict[str, Tensor]:
        return {**self.predict(batch), "hole_share": share}

    def _parts(self, batch: Batch) -> list[Batch]:
        planes = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        if self.loop.trainer.channels_last:
            planes = {
                n: p.contiguous(memory_format=torch.channels_last) if p.ndim == 4 else p for n, p in planes.items()
            }
        if self.loop.accumulate == 1:
            return [planes]
        pieces = {name: plane.chunk(self.loop.accumulate) for name, plane in planes.items()}
        return [{name: piece[i] for name, piece in pieces.items()} for i in range(self.loop.accumulate)]

    def _note(self, optimizer: str, loss: Tensor, values: Values) -> None:
        short = {"generator": "loss_g", "discriminator": "loss_d"}.get(optimizer, f"loss_{optimizer}")
        for name, value in {**values, short: loss}.items():
            self.meter.add(f"train/{name}", value.detach())
            self.meter.watch(name, value.detach(), self.iteration)
        if self.device.type == "cpu":
            self.check_finite()

    def check_finite(self) -> None:
        """Stop with a RunError that names the first loss that was not finite and its batch."""
        found = self.meter.first_not_finite()
        if found is None:
            return
        name, iteration = found
        first = iteration * self.loop.batch_size
        raise RunError(
            f"loss '{name}' is not finite in iteration {iteration} (samples {first} to "
            f"{first + self.loop.batch_size - 1} of the stream, seed {self.loop.seed}); the last checkpoint is from "
            "before; a smaller learning rate, clip=1 or trainer.precision=32-true may help"
        )

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip and log the gradient norm, after the fp16 scaler has been undone."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.loop.clip is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.loop.clip, norm)
        name = next(name for name, known in self.optimizers_by_name().items() if known is optimizer)
        # With a scaler, a step whose gradients overflow is left out by design, and the scale is lowered.
        self.meter.add(f"grad_norm/{name}", norm.detach(), if_finite=self._scaler() is not None)

    # Setup -------------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Build one optimizer per name in the configuration."""
        roles = self.roles()
        moved = {update.optimizer: update.networks for update in self.updates()}
        return [
            build_optimizer(self.loop.optimizers[name], [p for role in moved[name] for p in roles[role].parameters()])
            for name in self._used_optimizers()
        ]

    def roles(self) -> dict[str, nn.Module]:
        """Return every trained network by role."""
        return {**dict(self.network.named_children()), **dict(self.discriminators.items())}

    def setup(self, stage: str) -> None:
        """Choose the memory layout before anything is built around the networks."""
        if self.loop.trainer.channels_last:
            self.network.to(memory_format=torch.channels_last)
            self.discriminators.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        """Compile the networks, once they are where they will be trained."""
        if self.loop.trainer.compile:
            for network in self.roles().values():
                network.compile()

    def load_initial(self, init: str | Path | Mapping[str, str | None]) -> None:
        """Start from the weights of runs or imports, see `initial.load_initial`."""
        load_initial(self, init)

    def averaged_network(self) -> nn.Module:
        """Return the network that fills: the average, or the current state when averaging is off."""
        if self.loop.ema.decay is None:
            self.average.follow(self.network)
        return self.average.network

    @contextmanager
    def averaging(self) -> Iterator[None]:
        """Let `predict` and `discriminate` use the averaged networks for the block, without gradients.

        Everything is in evaluation mode; random numbers are the same every time, and the global state stays untouched.
        """
        trained, averaged = self.network, self.averaged_network()
        training = [part for part in self.discriminators.modules() if part.training]
        devices = [self.device] if self.device.type == "cuda" else []
        self.network = averaged
        self.discriminators.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=devices):
                torch.manual_seed(self.loop.seed)
                yield
        finally:
            self.network = trained
            for part in training:
                part.training = True

    # State for exact resuming ------------------------------------------------------------------------------------

    def training_state(self) -> dict[str, Any]:
        """Return all that the next iteration depends on, see `state.training_state`."""
        return training_state(self)

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state returned by `training_state`; raises RunError when it is of another training."""
        load_training_state(self, state)

    # Helpers -----------------------------------------------------------------------------------------------------

    def _check_names(self) -> None:
        used = {update.optimizer for update in self.updates()}
        for name in self.loop.optimizers:
            if name not in self.optimizer_names:
                raise ConfigError(f"optimizers.{name}: {unknown('optimizer', name, self.optimizer_names)}")
        for name in used - set(self.loop.optimizers):
            raise ConfigError(f"optimizers.{name} is missing; {self.model_name} uses: {', '.join(sorted(used))}")
        if not self.losses.weighing().terms:
            raise ConfigError(f"losses: no loss with a weight above 0 is left for {self.model_name}")
        played = {term.discriminator for term in self.losses.adversarial.values()}
        for name, term in self.losses.matching.items():
            if term.discriminator not in played:
                raise ConfigError(f"losses.{name}: no adversarial loss trains discriminator '{term.discriminator}'")
        for name, judged in (self.losses.adversarial | self.losses.matching).items():
            if judged.discriminator not in self.discriminators:
                known = list(self.discriminators)
                raise ConfigError(
                    f"losses.{name}.discriminator: {unknown('discriminator', judged.discriminator, known)}"
                )

    def optimizers_by_name(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimizers that step, in the order of the configuration."""
        return dict(zip(self._used_optimizers(), self.trainer.optimizers, strict=True))

    def _used_optimizers(self) -> list[str]:
        """Return the configured optimizers that step, in the order of the configuration."""
        used = {update.optimizer for update in self.updates()}
        return [name for name in self.loop.optimizers if name in used]

    def _optimizer(self, name: str) -> Any:
        wrapped = self.optimizers()
        return wrapped[self._used_optimizers().index(name)] if isinstance(wrapped, list) else wrapped

    @contextmanager
    def _only_trainable(self, roles: tuple[str, ...]) -> Iterator[None]:
        """Freeze every network outside `roles`, so that no gradient is computed only to be thrown away."""
        frozen = [p for role, network in self.roles().items() if role not in roles for p in network.parameters()]
        before = [p.requires_grad for p in frozen]
        for parameter in frozen:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter, needed in zip(frozen, before, strict=True):
                parameter.requires_grad_(needed)

    def _sync_only_if(self, *, last: bool) -> AbstractContextManager[Any]:
        """Exchange gradients between devices with the last part of an accumulated batch only."""
        strategy = self.trainer.strategy
        if last or not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        return strategy.block_backward_sync()

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Draw from a state that depends on (seed, iteration, rank) alone, and leave the global one untouched."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            sequence = np.random.SeedSequence((self.loop.seed, self.iteration, self.global_rank))
            torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))
            yield

    def _global_mean(self, value: Tensor) -> Tensor:
        mean = self.trainer.strategy.reduce(value, reduce_op="mean")
        return mean if isinstance(mean, Tensor) else torch.as_tensor(mean, device=self.device)
