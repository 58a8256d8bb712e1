"""Training steps one at a time, by whoever measures them, in everything as `fit` runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import LambdaCallback
from torch.utils.data import DataLoader

from inpaint.training.fit import float32_precision, quiet_lightning
from inpaint.training.module import Batch, TrainingModule

Step: TypeAlias = Callable[[Batch], None]
Result = TypeVar("Result")


def with_steps(modules: Mapping[str, TrainingModule], work: Callable[[dict[str, Step]], Result]) -> Result:
    """Start a training of each module on one device each, all at once, and work with their steps.

    Args:
        modules: By name.
        work: Gets each module's step by the same name. A step takes a batch on the module's device and runs one
            iteration: losses, gradients, optimizers, averaging, in the module's precision, compiled if its loop says
            so.

    Returns:
        What `work` returns. No photos are read and nothing is written.
    """
    return _started(list(modules.items()), {}, work)


def _started(
    waiting: list[tuple[str, TrainingModule]], ready: dict[str, Step], work: Callable[[dict[str, Step]], Result]
) -> Result:
    if not waiting:
        return work(ready)
    (name, module), *rest = waiting
    options = module.loop.trainer
    results: list[Result] = []

    def begin(trainer: Trainer, _: LightningModule) -> None:
        def step(batch: Batch) -> None:
            with float32_precision(module.loop):
                trainer.strategy.training_step(batch, 0)

        results.append(_started(rest, {**ready, name: step}, work))
        trainer.should_stop = True

    with quiet_lightning(), float32_precision(module.loop):
        trainer = Trainer(
            accelerator=options.accelerator,
            devices=1,
            precision=options.precision,
            deterministic=options.deterministic,
            benchmark=not options.deterministic,
            logger=False,
            callbacks=[LambdaCallback(on_train_start=begin)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        # The loop ends before it asks for a sample.
        trainer.fit(module, DataLoader[int]([0]))  # type: ignore[arg-type]
    return results[0]
