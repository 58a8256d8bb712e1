"""Options of the training loop that mean the same for every model."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveInt, field_validator, model_validator

from inpaint.options import Options
from inpaint.system.progress import seconds_of

Best: TypeAlias = Literal["min", "max"]
"""Whether the smallest or the largest value of a figure is best."""


class ScheduleConfig(Options):
    """Learning rate as a function of the iteration.

    constant; linear and cosine fall from `lr` at the end of the warm-up to `final * lr` at max_iterations;
    step multiplies by `factor` every `every` iterations.
    """

    kind: Literal["constant", "linear", "cosine", "step"] = "constant"
    warmup: int = Field(0, ge=0)  # iterations of linear growth from 0
    final: float = Field(0.0, ge=0, le=1)
    every: PositiveInt = 100_000
    factor: float = Field(0.5, gt=0, le=1)


class OptimizerConfig(Options):
    """One optimizer. Betas default to the usual values of adversarial training (0.5, 0.999).

    ADADELTA (arXiv 1212.5701) finds the size of its steps itself: lr is 1, and eps, 1e-6 in the paper, decides how
    small they begin.
    """

    kind: Literal["adam", "adamw", "sgd", "adadelta"] = "adam"
    lr: float = Field(1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.0, ge=0, lt=1)  # sgd only
    rho: float = Field(0.9, ge=0, lt=1)  # adadelta only: the share of its means that each iteration keeps
    schedule: ScheduleConfig = ScheduleConfig()
    start: int = Field(0, ge=0)  # first iteration in which it steps; above 0 for a warm-up of the other networks


class EmaConfig(Options):
    """Exponential moving average of the inference networks; decay null switches it off.

    The share kept per iteration is min(decay, (1 + n) / (10 + n)), so that short runs are not dominated by their start.
    """

    decay: Annotated[float, Field(gt=0, lt=1)] | None = 0.999


class TrainerConfig(Options):
    """Hardware and precision, in the words of Lightning."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: PositiveInt | Literal["auto"] = "auto"
    num_nodes: PositiveInt = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: bool = False
    channels_last: bool = False
    deterministic: bool = False
    tf32: bool = True  # TensorFloat-32 for float32 matrix products and convolutions on GPUs that have it
    threads: PositiveInt | None = None  # CPU threads of torch; null leaves torch's choice


class ValidationConfig(Options):
    """How often and on what the averaged networks are measured."""

    every: PositiveInt = 1000  # iterations
    batch_size: PositiveInt = 8
    measures: list[str] | None = None  # null: L1, PSNR and SSIM of hole and image, and the share of the hole
    best: str | None = None  # NAME or SET/NAME of the figure that decides best.ckpt; null: the model's own, l1_hole
    patience: PositiveInt | None = None  # validations without a better best after which the training ends
    panel: int = Field(8, ge=0, le=64)  # photos in the fixed panel; 0 = none
    keep_panels: PositiveInt = 100  # sheets in panels/ at most; older ones are thinned out


class LoopConfig(Options):
    """Everything the loop needs besides the model, its losses and the data."""

    batch_size: PositiveInt = 16  # samples per iteration over all devices and accumulation steps
    max_iterations: PositiveInt = 1_000_000
    seed: int = Field(0, ge=0, lt=2**63)
    accumulate: PositiveInt = 1
    clip: Annotated[float, Field(gt=0)] | None = None  # largest gradient norm per optimizer
    ema: EmaConfig = EmaConfig()
    optimizers: dict[str, OptimizerConfig]
    trainer: TrainerConfig = TrainerConfig()
    validation: ValidationConfig = ValidationConfig()
    freeze: list[str] = Field(default_factory=list)  # roles, or parts of one (generator.conv1), that do not learn
    log_every: PositiveInt = 50
    save_every: PositiveInt = 1000
    keep_every: PositiveInt | None = None  # iterations; the checkpoint of every such one stays in kept/
    keep_best: PositiveInt = 1  # above 1 so many of the best checkpoints stay in kept/
    max_time: PositiveInt | str | None = None  # 8h, 1h30m, 00:30:00, seconds: then save and end, exit status 75

    @field_validator("max_time")
    @classmethod
    def _is_a_time(cls, given: int | str | None) -> int | str | None:
        if given is not None:
            seconds_of(given)
        return given

    @property
    def max_time_s(self) -> float | None:
        """Seconds after which the training saves and ends; None without a limit."""
        return None if self.max_time is None else seconds_of(self.max_time)

    @model_validator(mode="after")
    def _accumulation_divides(self) -> LoopConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate={self.accumulate} does not divide batch_size={self.batch_size}")
        return self


class WandbConfig(Options):
    """How the run appears in W&B; used when `logger` names wandb.

    mode: auto records online after `wandb login` and offline without. project and entity may also come from W&B's own
    environment variables; name defaults to the run folder's name.
    """

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    project: str | None = None
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: list[str] = Field(default_factory=list)
    notes: str | None = None
