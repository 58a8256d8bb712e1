"""TrainingModule: the iteration that every model shares, with or without discriminators.

A model states its networks, its phases and how a batch becomes a prediction record; this module does the rest once:
manual optimization, accumulation, clipping, freezing, averaging, learning rates, an exact count of iterations, and a
guard against losses that are not finite.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Protocol, Self, TypeAlias

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import ParallelStrategy
from torch import Tensor, nn

from inpaint import seeds
from inpaint.errors import ConfigError, DivergedError, unknown
from inpaint.losses import Discriminator, DiscriminatorOutput, Losses, Record
from inpaint.losses.distillation import of_teacher
from inpaint.metrics import FirstNotFinite, RunningMeans
from inpaint.nn.random import drawing_from
from inpaint.options import ModelConfig
from inpaint.training.adversarial import discriminator_losses, generator_losses, lazy_penalties
from inpaint.training.config import Best, LoopConfig
from inpaint.training.ema import Average
from inpaint.training.optimizers import build_optimizer, rate_factor
from inpaint.training.phases import (
    Frozen,
    Phase,
    Update,
    Values,
    eval_mode,
    only_trainable,
    phase_at,
    with_frozen,
    with_late_starts,
)
from inpaint.training.teacher import Teacher
from inpaint.types import Fill, Guidance, Inpainter, Plane

Batch: TypeAlias = dict[str, Tensor]


class _NetworkClass(Protocol):
    """A class of networks; see `ModelNetwork`."""

    def __call__(self, config: Any, /, *, seed: int) -> nn.Module: ...

    def discriminators(self, config: Any, *, seed: int) -> Mapping[str, Discriminator]: ...


class TrainingModule(LightningModule):
    """Base of every model's training.

    A model names itself and its network, and writes `predict`, `phases` and `inpainter`; everything else has a default.

    Attributes:
        name: Of the model in the registry.
        network_class: Of what fills holes or stylizes; its children are the roles (generator, ...).
        optimizer_names: What may be configured; those that no update uses, for want of an adversarial loss, are left
            out.
        kept_discriminators: Roles written with the weights that fill, for models that rank their fills.
        real_and_fake_together: Discriminators get real and generated images in one batch, else in two passes.
        sync_batch_norm: Several GPUs share the statistics of their batches.
        metrics: Names of what `measure` returns; none = it is not called.
        metric_modes: Which of them have a best value, the smallest or the largest.
        best_metric: Which val/NAME decides what best.ckpt is, unless `validation.best` names another.
        best_mode: Whether the smallest or the largest is best.
        init_parts: Roles by the names under which `init.NAME=FOLDER` takes their weights from a run.
    """

    name: ClassVar[str]
    network_class: ClassVar[_NetworkClass]
    optimizer_names: frozenset[str] = frozenset({"generator", "discriminator"})
    kept_discriminators: tuple[str, ...] = ()
    real_and_fake_together: bool = True
    sync_batch_norm: bool = False
    metrics: tuple[str, ...] = ()
    metric_modes: Mapping[str, Best] = {}
    best_metric: str = "l1_hole"
    best_mode: Best = "min"
    init_parts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, config: ModelConfig, *, losses: Losses, loop: LoopConfig) -> None:
        """Build the networks, drawn from `loop.seed`; discriminators that no loss asks for are left out.

        Args:
            config: The model's architecture.
            losses: As configured.
            loop: Everything else.

        Raises:
            ConfigError: Losses or optimizers do not go with the model.
        """
        super().__init__()
        self.automatic_optimization = False
        self.config = config
        self.losses = losses
        self.teacher: Teacher | None = None  # set where a loss compares with one
        self.loop = loop
        self.network = self.network_class(config, seed=loop.seed)
        discriminators = self.network_class.discriminators(config, seed=loop.seed)
        self.discriminators = nn.ModuleDict({r: d for r, d in discriminators.items() if r in losses.discriminators})
        self.average = Average(self.network, loop.ema.decay)
        self.iteration = 0  # complete ones
        self.within_iteration = False  # whether some networks may have stepped already and others not
        self.trained_px: int | None = None  # side of its crops, which stands in the weights
        self.license: str | None = None  # of the weights that training started from; it holds for what becomes of them
        self.logged = RunningMeans()  # since the last line of the log
        self._not_finite = FirstNotFinite()
        self._frozen = Frozen()
        self._check_losses(list(discriminators))
        starts = {name: settings.start for name, settings in loop.optimizers.items()}
        # Optimizers are made for all that the model would train, so that a run may go on with other parts frozen.
        self._planned = with_late_starts(self.phases(), starts)
        self.timeline = with_frozen(self._planned, loop.freeze, self._frozen_by_option())
        self._check_optimizers()
        self._frozen.apply(self.roles(), phase_at(self.timeline, 0).frozen)

    # What a model states ---------------------------------------------------------------------------------------------

    @abstractmethod
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Turn a batch into a prediction record.

        Args:
            batch: image (B, 3, S, S) in [0, 1], mask (B, 1, S, S), 1 = hole, and the planes that the model asks for.

        Returns:
            Tensors by name for the losses and discriminators: image, mask, raw, completed and whatever else they read.
        """

    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """Return what is trained from which iteration on, beginning at 0."""

    @abstractmethod
    def inpainter(self, network: nn.Module) -> Inpainter | None:
        """Wrap the averaged network for validation; None while the model cannot fill yet."""

    def measure(self, batch: Batch, record: Record) -> Values:
        """Return the model's own metrics on a validation batch: those that `metrics` names.

        Args:
            batch: As in `predict`.
            record: Of the averaged network.

        Returns:
            A value is (B,), one per image and NaN for an image that does not count, or () for the whole batch. Means
            over all validation images are logged as val/NAME.
        """
        raise NotImplementedError(f"{type(self).__name__} names the metrics {self.metrics} but does not measure them")

    def preview(self, batch: Batch, record: Record) -> Fill | None:
        """Return what the panel shows while there is no inpainter, from the record as in `measure`; None = nothing."""
        return None

    def panel(self, batch: Batch, record: Record) -> Mapping[str, Tensor] | None:
        """Return what the panel shows of a model that fills no holes: columns of images (B, 3, H, W) by their names.

        The arguments are those of `preview`, which answers where this is None.
        """
        return None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Planes besides image and mask that the data must deliver."""
        return self.config.training_planes()

    def guidance(self, batch: Batch) -> Guidance | None:
        """Return what guides the fill of a validation batch."""
        return {name: batch[name] for name in self.config.capabilities().guidance if name in batch}

    # Ready-made parts of it ------------------------------------------------------------------------------------------

    def standard_updates(self, *networks: str, rate: float = 1.0) -> tuple[Update, ...]:
        """Return the usual updates: all discriminators in one step, if there are any, then `networks` in another.

        Penalties that are not computed every time are further steps of the discriminators, behind their first.
        """
        update = Update("generator", networks, self.generator_losses, rate=rate)
        if not self.discriminators:
            return (update,)
        roles = tuple(self.discriminators)
        steps = [Update("discriminator", roles, self.discriminator_losses, rate=rate, needs_gradient=False)]
        lazy = {term.r1_every for term in self.losses.adversarial.values() if term.r1} - {1}
        for every in sorted(lazy):
            losses = partial(self.lazy_penalties, every=every)
            steps.append(
                Update(
                    "discriminator", roles, losses, every=every, rate=rate, needs_gradient=False, loss_name="loss_r1"
                )
            )
        return *steps, update

    def generator_losses(self, record: Record) -> tuple[Tensor, Values]:
        """Return the weighted sum of all terms on the generators' side, and the terms unweighted by name.

        What weighs nothing is not computed.
        """
        losses = self.losses.weighted()
        found = {
            **losses.of_record(record),
            **generator_losses(losses, record, self.discriminate, together=self.real_and_fake_together),
        }
        values = {name: found[name] for name in losses.terms}
        total = sum(
            (losses.terms[name].weight * value for name, value in values.items()), torch.zeros((), device=self.device)
        )
        return total, values

    def discriminator_losses(self, record: Record) -> tuple[Tensor, Values]:
        """Return the sum of all adversarial losses on the discriminators' side, unweighted, and what to log by name."""
        return discriminator_losses(self.losses, record, self.discriminate, together=self.real_and_fake_together)

    def lazy_penalties(self, record: Record, *, every: int) -> tuple[Tensor, Values]:
        """Return the penalties of one in so many iterations, weighted, and unweighted by name."""
        return lazy_penalties(self.losses, record, self.discriminate, every=every)

    def discriminate(self, role: str, image: Tensor, record: Record) -> DiscriminatorOutput:
        """Return what a discriminator says of an image (B, C, H, W), given the record of the same batch."""
        discriminator = self.discriminators[role]
        assert isinstance(discriminator, Discriminator)
        return discriminator.discriminate(image, record)

    # One iteration ---------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Train on this device's slice of one global batch. All that happens stands here, in its order."""
        self.within_iteration = True
        # All random numbers depend on (seed, iteration, rank) alone.
        seed = seeds.integer(self.loop.seed, seeds.ITERATION, self.iteration, self.global_rank)
        with drawing_from(seed, device=self.device):
            phase = self._enter_phase()
            updates = phase.due(self.iteration)
            hole_share = self._global_mean(batch["mask"].mean())
            # Several to accumulate gradients over.
            parts = [self.taught(part, number) for number, part in enumerate(self._parts(batch))]
            # One forward pass serves several updates; with accumulation that would keep the graph of every part alive.
            with torch.set_grad_enabled(any(update.needs_gradient for update in updates)):
                shared = self.record(parts[0], hole_share) if updates and len(parts) == 1 else None
            for place, update in enumerate(updates, 1):
                last_use = shared is None or not any(later.needs_gradient for later in updates[place:])
                self._optimizer(update.optimizer).zero_grad(set_to_none=True)
                with only_trainable(self.roles(), update.networks):
                    for number, part in enumerate(parts, 1):
                        record = self._record_for(update, part, hole_share, shared)
                        with self._synchronizing(last=number == len(parts)):
                            loss, values = update.losses(record)
                            keep = phase.simultaneous and update.needs_gradient and not last_use
                            self.manual_backward(loss / len(parts), retain_graph=keep)
                        self._log_losses(update, loss, values)
                        if self.device.type == "cpu":
                            self.check_finite()  # on accelerators with every line of the log: asking would wait
                if not phase.simultaneous:
                    self._step(update)
                    if update.needs_gradient:
                        shared = None  # what made it has moved
            if phase.simultaneous:
                with self._one_loss_scale(updates):
                    for update in updates:
                        self._step(update)
            if self.loop.ema.decay is not None:
                self.average.update(self.network, self.iteration)
        self.iteration += 1
        self.within_iteration = False

    def _enter_phase(self) -> Phase:
        """Freeze what the iteration's phase freezes, and return the phase."""
        phase = phase_at(self.timeline, self.iteration)
        self._frozen.apply(self.roles(), phase.frozen)
        if phase.fresh_optimizers and phase.start == self.iteration:
            for optimizer in self.trainer.optimizers:
                optimizer.state.clear()
        return phase

    def _parts(self, batch: Batch) -> list[Batch]:
        """Split a batch for accumulation, in the memory layout that is asked for."""
        tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        if self.loop.trainer.channels_last:
            tensors = {
                n: t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for n, t in tensors.items()
            }
        if self.loop.accumulate == 1:
            return [tensors]
        pieces = {name: tensor.chunk(self.loop.accumulate) for name, tensor in tensors.items()}
        return [{name: piece[i] for name, piece in pieces.items()} for i in range(self.loop.accumulate)]

    def record(self, batch: Batch, hole_share: Tensor | None = None) -> dict[str, Tensor]:
        """Return the prediction record of a batch, with what a teacher made of it, see `taught`.

        hole_share: That of the hole in the global batch, () in [0, 1].
        """
        share = batch["mask"].mean() if hole_share is None else hole_share
        return {**self.predict(batch), **of_teacher(batch), "hole_share": share}

    def taught(self, batch: Batch, part: int = 0) -> Batch:
        """Return a batch, or a part of one, with what the teacher makes of it, if there is one.

        That serves all updates of an iteration.
        """
        if self.teacher is None:
            return batch
        seed = seeds.integer(self.loop.seed, seeds.TEACHER, self.iteration, self.global_rank, part)
        return {**batch, **self.teacher.entries(batch["image"], batch["mask"], seed=seed)}

    def _record_for(
        self, update: Update, batch: Batch, hole_share: Tensor, shared: dict[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """Return the shared record, or a new one where there is none, with its graph if the update needs it."""
        if shared is None:
            with torch.set_grad_enabled(update.needs_gradient):
                shared = self.record(batch, hole_share)
        return shared if update.needs_gradient else {name: tensor.detach() for name, tensor in shared.items()}

    def _synchronizing(self, *, last: bool) -> AbstractContextManager[Any]:
        """Exchange gradients between devices with the last part of an accumulated batch only."""
        strategy = self.trainer.strategy
        if last or not isinstance(strategy, ParallelStrategy):
            return nullcontext()
        return strategy.block_backward_sync()

    def _log_losses(self, update: Update, loss: Tensor, values: Values) -> None:
        names = {"generator": "loss_g", "discriminator": "loss_d"}
        whole = update.loss_name or names.get(update.optimizer, f"loss_{update.optimizer}")
        for name, value in {**values, whole: loss}.items():
            self.logged.add(f"train/{name}", value)
            self._not_finite.add(name, value, self.iteration)

    def check_finite(self) -> None:
        """Stop with a DivergedError that names the first loss that was not finite and its batch."""
        found = self._not_finite.find()
        if found is None:
            return
        name, iteration = found
        first = iteration * self.loop.batch_size
        raise DivergedError(
            f"loss '{name}' is not finite in iteration {iteration} (samples {first} to "
            f"{first + self.loop.batch_size - 1} of the stream, seed {self.loop.seed}); a smaller learning rate, "
            "clip=1 or trainer.precision=32-true may help",
            iteration=iteration,
        )

    def _step(self, update: Update) -> None:
        """Set the learning rate and step; Lightning undoes the loss scale and calls `on_before_optimizer_step`."""
        optimizer = self._optimizer(update.optimizer)
        settings = self.loop.optimizers[update.optimizer]
        factor = update.rate * rate_factor(settings.schedule, self.iteration, self.loop.max_iterations)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * factor
        optimizer.step()
        self.logged.add(f"lr/{update.optimizer}", torch.full((), settings.lr * factor, device=self.device))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip and log the gradient norm, after the fp16 scaler has been undone."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.loop.clip is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.loop.clip, norm)
        name = next(name for name, known in self.optimizers_by_name().items() if known is optimizer)
        # With a scaler, a step whose gradients overflow is left out by design, and the scale is lowered.
        self.logged.add(f"grad_norm/{name}", norm, 1 if self._scaler() is None else norm.isfinite())

    @contextmanager
    def _one_loss_scale(self, updates: list[Update]) -> Iterator[None]:
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
        plugin = self.trainer.precision_plugin
        return plugin.scaler if isinstance(plugin, MixedPrecision) else None

    def _global_mean(self, value: Tensor) -> Tensor:
        mean = self.trainer.strategy.reduce(value, reduce_op="mean")
        return mean if isinstance(mean, Tensor) else torch.as_tensor(mean, device=self.device)

    # Networks and optimizers -----------------------------------------------------------------------------------------

    def roles(self) -> dict[str, nn.Module]:
        """Return every network by role."""
        return {**dict(self.network.named_children()), **dict(self.discriminators.items())}

    def untrained(self) -> list[str]:
        """Return the roles that fill and that no phase trains, so that their weights must come from a run or import.

        Those that are frozen by the option `freeze` alone are not among them.
        """
        return [role for role, _ in self.network.named_children() if role not in self._moved(None)]

    def _frozen_by_option(self) -> list[str]:
        """Return the roles of which `freeze` leaves nothing to learn.

        Raises ConfigError for a part that there is not, or when nothing at all is left to learn.
        """
        roles = self.roles()
        parameters = dict[str, set[nn.Parameter]]()
        for name in self.loop.freeze:
            role, _, path = name.partition(".")
            if role not in roles:
                raise ConfigError(f"freeze=[{name}]: {unknown('network', role, roles)}")
            try:
                part = roles[role].get_submodule(path)
            except AttributeError:
                valid = [f"{role}.{child}" for child, _ in roles[role].named_children()]
                raise ConfigError(f"freeze=[{name}]: {unknown('part', name, valid)}") from None
            parameters.setdefault(role, set()).update(part.parameters())
        whole = [role for role, found in parameters.items() if found >= set(roles[role].parameters())]
        if {role for role, _ in self.network.named_children()} & set(self._moved(None)) <= set(whole):
            raise ConfigError(f"freeze=[{','.join(self.loop.freeze)}] leaves no network to train that fills")
        return whole

    def _moved(self, optimizer: str | None) -> tuple[str, ...]:
        """Return the roles that an optimizer moves in some phase; None = any optimizer."""
        updates = [update for phase in self._planned for update in phase.updates]
        chosen = [update for update in updates if optimizer in (None, update.optimizer)]
        return tuple(dict.fromkeys(role for update in chosen for role in update.networks))

    def _used_optimizers(self) -> list[str]:
        """Return the configured optimizers that step, in the order of the configuration."""
        return [name for name in self.loop.optimizers if self._moved(name)]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Build one optimizer per name in the configuration."""
        roles = self.roles()
        return [
            build_optimizer(settings, [p for role in self._moved(name) for p in roles[role].parameters()])
            for name, settings in self.loop.optimizers.items()
            if self._moved(name)
        ]

    def optimizers_by_name(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimizers that step, in the order of the configuration."""
        return dict(zip(self._used_optimizers(), self.trainer.optimizers, strict=True))

    def _optimizer(self, name: str) -> Any:
        wrapped = self.optimizers()
        return wrapped[self._used_optimizers().index(name)] if isinstance(wrapped, list) else wrapped

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all networks but of what the phase has frozen."""
        super().train(mode)
        self._frozen.apply(self.roles(), self._frozen.names)
        return self

    def setup(self, stage: str) -> None:
        """Choose memory layout and batch norms before anything is built around the networks."""
        if self.loop.trainer.channels_last:
            self.network.to(memory_format=torch.channels_last)
            self.discriminators.to(memory_format=torch.channels_last)
        if self.sync_batch_norm and self.trainer.world_size > 1 and self.trainer.strategy.root_device.type == "cuda":
            for networks in (self.network, self.discriminators):
                nn.SyncBatchNorm.convert_sync_batchnorm(networks)  # type: ignore[no-untyped-call]
        if len({phase.frozen for phase in self.timeline}) > 1:
            # DDP exchanges gradients of the parameters that need one now, and a later phase may train more.
            self._frozen.apply(self.roles(), ())

    def on_fit_start(self) -> None:
        """Compile the networks, once they are where they will be trained."""
        if self.loop.trainer.compile:
            for network in self.roles().values():
                network.compile()

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
        self.network = averaged
        try:
            with torch.no_grad(), eval_mode(self.discriminators), drawing_from(self.loop.seed, device=self.device):
                yield
        finally:
            self.network = trained

    # Checks ----------------------------------------------------------------------------------------------------------

    def _check_losses(self, discriminators: list[str]) -> None:
        if not self.losses.weighted().terms:
            raise ConfigError(f"losses: no loss with a weight above 0 is left for {self.name}")
        trained = {term.discriminator for term in self.losses.adversarial.values()}
        for name, term in self.losses.matching.items():
            if term.discriminator not in trained:
                raise ConfigError(f"losses.{name}: no adversarial loss trains discriminator '{term.discriminator}'")
        for name, wanted in (self.losses.adversarial | self.losses.matching).items():
            if wanted.discriminator not in discriminators:
                raise ConfigError(
                    f"losses.{name}.discriminator: {unknown('discriminator', wanted.discriminator, discriminators)}"
                )

    def _check_optimizers(self) -> None:
        used = {update.optimizer for phase in self.phases() for update in phase.updates}
        for name in self.loop.optimizers:
            if name not in self.optimizer_names:
                raise ConfigError(f"optimizers.{name}: {unknown('optimizer', name, self.optimizer_names)}")
        for name in used - set(self.loop.optimizers):
            raise ConfigError(f"optimizers.{name} is missing; {self.name} uses: {', '.join(sorted(used))}")
