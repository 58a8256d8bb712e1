"""The data of a training run for Lightning: which loader each process gets."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import traceback
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from inpaint.data.config import DataConfig
from inpaint.data.identity import Inventory, copies, inventory
from inpaint.data.opening import counted, open_source, report_skipped, split
from inpaint.data.order import IterationSampler, validation_batches
from inpaint.data.paired import PairedMasks
from inpaint.data.sources import PhotoSource
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.errors import DataError, InpaintError
from inpaint.masks import Paired, content_of_files, parse_mask
from inpaint.system.environment import cores
from inpaint.system.signals import CHILD_ENDED, handlers_restored, serve_on
from inpaint.types import Plane

logger = logging.getLogger("inpaint.data")

MOST_WORKERS = 8  # per process, when `workers` is not given
MOST_VAL_WORKERS = 2
LAST_SERVICE_S = 60  # of a worker that was told to terminate
Batch = dict[str, Any]


class InpaintData(LightningDataModule):
    """Training stream and validation set of one run.

    train_dataloader yields one batch per iteration, this process' whole slice of the global batch, beginning at
    `start_iteration` (set it before fitting when a run resumes, and `before` to what the run has stored of its photos).
    val_dataloader yields this process' share of the fixed validation set. Rank and number of processes come from the
    trainer.

    Raises DataError when there is nothing to train on, UsageError when the processes cannot share a batch.
    """

    def __init__(
        self,
        config: DataConfig,
        *,
        batch_size: int,
        max_iterations: int,
        seed: int,
        val_batch_size: int = 8,
        planes: Sequence[Plane] = (),
    ) -> None:
        super().__init__()
        self.config = config
        self.batch_size = batch_size
        self.max_iterations = max_iterations
        self.seed = seed
        self.val_batch_size = val_batch_size
        self.planes = tuple(planes)
        self.start_iteration = 0
        self.before: Inventory | None = None
        self._val_loader: DataLoader[Batch] | None = None

    def prepare_data(self) -> None:
        """Read the headers in one process per machine, before the others find them cached, and name what is skipped.

        Asking again does nothing: `inpaint train` prepares early, and Lightning once more.
        """
        if "photos" not in vars(self):
            self.photos.report()
            self.photos.report_changes()

    def setup(self, stage: str | None = None) -> None:
        """Build the stream and the validation set, and decode one photo of each, so that errors come early."""
        self.stream[0], self.validation[0]

    def teardown(self, stage: str | None = None) -> None:
        """Dismiss the validation's workers, and say how many photos and masks were replaced.

        At the program's end the workers would be terminated, and waited for.
        """
        self._val_loader = None
        if "stream" not in vars(self):
            return
        masks = self.stream.reader.replaced_masks() | self.validation.reader.replaced_masks()
        for number, what, done in ((self.replaced, "photo", "decoded"), (len(masks), "mask", "read")):
            if number:
                logger.warning(
                    "%s could not be %s and %s",
                    counted(number, what),
                    done,
                    "was replaced by another" if number == 1 else "were replaced by others",
                )

    @cached_property
    def photos(self) -> DividedPhotos:
        """The photos, opened and divided."""
        return DividedPhotos(self.config, before=self.before)

    @cached_property
    def stream(self) -> SampleStream:
        """The training samples by number."""
        found = self.photos
        return SampleStream(found.train_source, found.train, self.config, seed=self.seed, planes=self.planes)

    @cached_property
    def validation(self) -> FixedSamples:
        """The validation samples by number, for instance for the fixed panel."""
        return FixedSamples(self.photos.val_source, self.photos.val, self.config, planes=self.planes)

    @property
    def replaced(self) -> int:
        """How many photos could not be decoded so far and were replaced."""
        return self.stream.reader.replaced() + self.validation.reader.replaced()

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of this process' slices, from `start_iteration` to `max_iterations`."""
        rank, world_size = self._position()
        sampler = IterationSampler(
            batch_size=self.batch_size,
            max_iterations=self.max_iterations,
            rank=rank,
            world_size=world_size,
            start_iteration=self.start_iteration,
        )
        return _loader(self.stream, sampler, workers=self._workers())

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of this process' share of the validation set: the same one each time, workers included."""
        if self._val_loader is None:
            rank, world_size = self._position()
            batches = validation_batches(
                len(self.validation), batch_size=self.val_batch_size, rank=rank, world_size=world_size
            )
            self._val_loader = _loader(self.validation, batches, workers=min(self._workers(), MOST_VAL_WORKERS))
        return self._val_loader

    def _position(self) -> tuple[int, int]:
        """Return (rank, number of processes)."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        here = self.trainer.num_devices if self.trainer is not None else 1
        return max(min(MOST_WORKERS, cores() // max(here, 1)), 1)


class DividedPhotos:
    """The photos of a configuration, opened and divided into training and validation.

    No photo is in both, whatever it is called: links to and copies of validation photos are not trained on.

    Args:
        config: Where they are.
        before: What a run that goes on has stored: it stays with its validation photos, as far as they are there.
    """

    def __init__(self, config: DataConfig, *, before: Inventory | None = None) -> None:
        if config.root is None:
            raise DataError("data.root is not set; valid: a folder, a list file, tar shards, or 'samples'")
        self.config = config
        self.train_source: PhotoSource = open_source(config.root, min_px=config.min_px)
        self.val_source: PhotoSource = self.train_source
        self.train: NDArray[np.int64] = np.arange(len(self.train_source), dtype=np.int64)
        self.before = before
        every = self.train
        if config.val is None:
            self.train, self.val = split(self.train_source, seed=config.val_seed)
            if len(every) == 1:
                return
        else:
            self.val_source = open_source(config.val, min_px=config.min_px)
            self.val = np.arange(len(self.val_source), dtype=np.int64)
        apart = self.val  # not trained on: what has come to data.val since is not, either
        kept = before.kept_in(self.val_source) if before is not None and before.seed == config.val_seed else []
        if kept:
            self.val = np.array(kept, dtype=np.int64)
            if config.val is None:
                self.train, apart = np.setdiff1d(every, self.val), self.val
        self.train = self._without(self.train, apart)
        self.train = _with_masks(self.train_source, self.train, config.masks)
        self.val = _with_masks(
            self.val_source, self.val, config.masks if config.val_masks is None else config.val_masks
        )

    def _without(self, train: NDArray[np.int64], val: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the training photos that are not validated on, for instance when `val` lies inside `root`.

        They are told by where they lie, and by what they hold: links and copies are the same photos.
        """
        shared = np.zeros(len(train), bool)
        if self.val_source is not self.train_source:
            places = list(self.val_source.locations())
            validated = {places[index] for index in val}
            every = list(self.train_source.locations())
            shared = np.array([every[index] in validated for index in train], bool)
        shared[~shared] = copies(self.train_source, train[~shared], self.val_source, val)
        where = "data.val" if self.config.val is not None else "the validation set"
        if shared.all() and self.config.val is not None:
            raise DataError(f"data.val={self.config.val} holds every photo of data.root: none is left to train on")
        if shared.all():
            logger.warning("all photos are copies of each other: they are used for training and for validation")
            return train
        if shared.any():
            logger.warning(
                "%s of data.root %s in %s too and not trained on",
                counted(int(shared.sum()), "photo"),
                "is" if shared.sum() == 1 else "are",
                where,
            )
        kept: NDArray[np.int64] = train[~shared]
        return kept

    @cached_property
    def inventory(self) -> Inventory:
        """What a run stores of its photos."""
        config = self.config
        mask = parse_mask(config.masks)
        masks = content_of_files(mask)
        val_mask, val_masks = mask, masks
        if config.val_masks is not None:
            val_mask = parse_mask(config.val_masks)
            val_masks = content_of_files(val_mask)
        seen = [config.size, _without_paths(val_mask.model_dump(mode="json")), val_masks, config.planes]
        return inventory(
            self.train_source,
            self.train,
            self.val_source,
            self.val,
            masks=masks,
            view=json.dumps(seen, default=str, sort_keys=True),
            seed=config.val_seed,
        )

    def report_changes(self) -> None:
        """Say in a warning how the photos differ from those that the run was trained on before."""
        before = self.before
        if before is None:
            return
        now = self.inventory
        if before.masks != now.masks:
            logger.warning("the files of data.masks have changed since the run stopped")
        changes, gone = before.changes(now), len(set(before.val_hashes) - set(now.val_hashes))
        if changes:
            same = "" if gone else "; validation goes on with the same photos"
            logger.warning("the training photos have changed since the run stopped: %s%s", changes, same)
        if gone:
            logger.warning(
                "%d of %s of the run %s gone or changed: the best is chosen anew among what follows",
                gone,
                counted(len(before.val_hashes), "validation photo"),
                "is" if gone == 1 else "are",
            )
        elif self.config.val is not None and len(self.val) < len(self.val_source):
            logger.warning(
                "%s that have come to data.val are not validated on, so that figures compare; another run.folder does",
                counted(len(self.val_source) - len(self.val), "photo"),
            )
        elif not before.same_validation(now):
            logger.warning("the validation is another one than before: the best is chosen anew among what follows")

    @property
    def unchanged(self) -> bool:
        """Whether the run goes on with the photos and masks that it has had; True where nothing is known."""
        before, now = self.before, self.inventory
        return before is None or (before.masks == now.masks and not before.changes(now) and before.same_validation(now))

    @property
    def comparable(self) -> bool:
        """Whether figures of the run's validation so far compare with those to come; True where nothing is known."""
        return self.before is None or self.before.same_validation(self.inventory)

    def report(self) -> None:
        """Name the skipped files of each source in a warning."""
        report_skipped(str(self.config.root), self.train_source)
        if self.config.val is not None:
            report_skipped(self.config.val, self.val_source)


def _without_paths(options: Any) -> Any:
    """Return a mask's options without where its files lie: what they hold counts, not their place."""
    if isinstance(options, dict):
        return {name: _without_paths(value) for name, value in options.items() if name != "path"}
    return [_without_paths(value) for value in options] if isinstance(options, list) else options


def _with_masks(source: PhotoSource, indices: NDArray[np.int64], masks: Any) -> NDArray[np.int64]:
    """Return the photos that have a mask of their own, where masks are paired with photos; else all of them."""
    mask = parse_mask(masks)
    return PairedMasks(mask, source).having(indices) if isinstance(mask, Paired) else indices


class _Answers(Dataset[Any]):
    """Samples of a dataset; one that cannot be had is answered with our error, for the process that asked to raise."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, number: int) -> Any:
        try:
            return self.dataset[number]
        except InpaintError as error:
            return error
        except (OSError, MemoryError) as error:  # a disk that fails, files that somebody removes
            return DataError(f"sample {number} cannot be read: {str(error) or type(error).__name__}")


def _collate(answers: list[Any]) -> Any:
    error = next((one for one in answers if isinstance(one, InpaintError)), None)
    if error is not None:
        return error
    try:
        return default_collate(answers)
    except (RuntimeError, OSError) as failed:
        if get_worker_info() is None:
            raise
        return DataError(_starved(failed))  # a worker collates into shared memory


def _starved(error: Exception) -> str:
    """Return in one line what a data worker lacked and what would do."""
    first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
    try:
        shared = f"; /dev/shm has {shutil.disk_usage('/dev/shm').total / 2**20:,.0f} MB"
    except OSError:
        shared = ""
    return (
        f"a data worker was killed, or lacked memory or shared memory ({first}{shared}): data.workers=0 needs no "
        "shared memory, data.workers=1 little; containers get more with `docker run --shm-size=8g`"
    )


class _Loader(DataLoader[Any]):
    """Raises the workers' errors as they were said: torch would wrap them in the traceback of another process."""

    def __iter__(self) -> Any:
        # A worker that was killed is found when its batch is asked for, between two iterations. torch's own handler of
        # signals would raise in the middle of one, where nothing whole can be saved.
        try:
            with handlers_restored(CHILD_ENDED):
                batches = super().__iter__()
            for batch in batches:
                if isinstance(batch, InpaintError):
                    raise batch
                yield batch
        except (RuntimeError, OSError) as error:
            if str(error).startswith("Caught "):  # an error of the program in a worker
                raise
            _forget(error)
            raise DataError(_starved(error)) from None


def _forget(error: Exception) -> None:
    """Let go of what an error holds, in silence: torch cannot dismiss workers of which only some could start."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        traceback.clear_frames(error.__traceback__)
    finally:
        sys.unraisablehook = before


def _loader(dataset: Any, batches: Any, *, workers: int) -> DataLoader[Batch]:
    return _Loader(
        _Answers(dataset),
        collate_fn=_collate,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_start_worker,
    )


def _start_worker(worker: int) -> None:
    # The workers are the parallelism; OpenCV's own threads would only fight over the same cores.
    cv2.setNumThreads(0)
    # A terminal and a scheduler signal the whole group. The training process then finishes its iteration and saves,
    # for which it needs its workers: they serve on, and end when it tells them to, or at the latest after a while.
    serve_on(LAST_SERVICE_S)
