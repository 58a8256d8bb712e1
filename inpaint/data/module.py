"""The data of a training run for Lightning: which loader each process gets."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, default_collate, get_worker_info

from inpaint.data.config import DataConfig
from inpaint.data.identity import Inventory, copies, inventory, val_inventory
from inpaint.data.opening import counted, open_source, report_skipped, split
from inpaint.data.order import IterationSampler, validation_batches
from inpaint.data.paired import PairedMasks
from inpaint.data.sources import PhotoSource
from inpaint.data.stream import FixedSamples, Reader, SampleStream
from inpaint.data.styles import hash_of, opened
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
    val_dataloaders gives those of this process' shares of the fixed validation sets, by name. Rank and number of
    processes come from the trainer.

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
        self._val_loaders: dict[str, DataLoader[Batch]] = {}

    def prepare_data(self) -> None:
        """Read the headers in one process per machine, before the others find them cached, and name what is skipped.

        Asking again does nothing: `inpaint train` prepares early, and Lightning once more.
        """
        if "photos" not in vars(self):
            self.photos.report()
            self.photos.report_changes()

    def setup(self, stage: str | None = None) -> None:
        """Build the stream and the validation sets, and decode one photo of each, so that errors come early."""
        for samples in (self.stream, *self.validations.values()):
            samples[0]

    def teardown(self, stage: str | None = None) -> None:
        """Dismiss the validation's workers, and say how many photos and masks were replaced.

        At the program's end the workers would be terminated, and waited for.
        """
        self._val_loaders.clear()
        if "stream" not in vars(self):
            return
        masks = set[str]().union(*(reader.replaced_masks() for reader in self._readers()))
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
    def validations(self) -> dict[str, FixedSamples]:
        """The validation samples by number, of each set by its name; a single one has the name ""."""
        return {
            name: FixedSamples(photos.source, photos.indices, self.config, masks=photos.masks, planes=self.planes)
            for name, photos in self.photos.sets.items()
        }

    @property
    def validation(self) -> FixedSamples:
        """Those of the first set, for instance for the fixed panel."""
        return next(iter(self.validations.values()))

    @property
    def replaced(self) -> int:
        """How many photos could not be decoded so far and were replaced."""
        return sum(reader.replaced() for reader in self._readers())

    def _readers(self) -> list[Reader]:
        return [self.stream.reader, *(samples.reader for samples in self.validations.values())]

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

    def val_dataloaders(self) -> dict[str, DataLoader[Batch]]:
        """Return the loaders of this process' share of each validation set: the same each time, workers included."""
        rank, world_size = self._position()
        for name, samples in self.validations.items():
            if name not in self._val_loaders:
                batches = validation_batches(
                    len(samples), batch_size=self.val_batch_size, rank=rank, world_size=world_size
                )
                self._val_loaders[name] = _loader(samples, batches, workers=min(self._workers(), MOST_VAL_WORKERS))
        return dict(self._val_loaders)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the first validation set."""
        return next(iter(self.val_dataloaders().values()))

    def _position(self) -> tuple[int, int]:
        """Return (rank, number of processes)."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _workers(self) -> int:
        if self.config.workers is not None:
            return self.config.workers
        here = self.trainer.num_devices if self.trainer is not None else 1
        return max(min(MOST_WORKERS, cores() // max(here, 1)), 1)


@dataclass(frozen=True)
class ValPhotos:
    """The photos of a validation set, by number, and its masks."""

    source: PhotoSource
    indices: NDArray[np.int64]
    masks: Any


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
        self.before = before
        self.train_source: PhotoSource = open_source(config.root, min_px=config.min_px)
        self.train: NDArray[np.int64] = np.arange(len(self.train_source), dtype=np.int64)
        self.sets: dict[str, ValPhotos] = {}
        opened: dict[str | None, PhotoSource] = {None: self.train_source}
        for name, one in config.val_sets.items():
            if one.root not in opened:
                opened[one.root] = open_source(str(one.root), min_px=config.min_px)
            source = opened[one.root]
            indices = self._kept(name, source)
            if one.root is None:
                indices = self._held_out if indices is None else indices
                if len(source) > 1:  # a single photo is used for both
                    self.train = np.setdiff1d(self.train, indices)
                    self.train = self._without(self.train, source, indices, name)
            else:
                # What has come to data.val since the run began is not validated on, and not trained on, either.
                every = np.arange(len(source), dtype=np.int64)
                self.train = self._without(self.train, source, every, name)
                indices = every if indices is None else indices
            self.sets[name] = ValPhotos(source, _with_masks(source, indices, one.masks), one.masks)
        self.train = _with_masks(self.train_source, self.train, config.masks)

    @property
    def val(self) -> NDArray[np.int64]:
        """The photos of the first validation set, by number."""
        return self._first.indices

    @property
    def val_source(self) -> PhotoSource:
        """Where they are."""
        return self._first.source

    @property
    def _first(self) -> ValPhotos:
        return next(iter(self.sets.values()))

    @cached_property
    def _held_out(self) -> NDArray[np.int64]:
        return split(self.train_source, seed=self.config.val_seed)[1]

    def _kept(self, name: str, source: PhotoSource) -> NDArray[np.int64] | None:
        """Return what a source still holds of the photos that the run has validated on; None for none of them."""
        before = self.before
        if before is None or before.seed != self.config.val_seed or name not in before.sets:
            return None
        kept = before.sets[name].kept_in(source)
        return np.array(kept, dtype=np.int64) if kept else None

    def _without(
        self, train: NDArray[np.int64], source: PhotoSource, val: NDArray[np.int64], name: str
    ) -> NDArray[np.int64]:
        """Return the training photos that a set does not validate on, for instance when it lies inside `root`.

        They are told by where they lie, and by what they hold: links and copies are the same photos.
        """
        shared = np.zeros(len(train), bool)
        if source is not self.train_source:
            places = list(source.locations())
            validated = {places[index] for index in val}
            every = list(self.train_source.locations())
            shared = np.array([every[index] in validated for index in train], bool)
        shared[~shared] = copies(self.train_source, train[~shared], source, val)
        place, key = self.config.val_sets[name].root, _key(name)
        if shared.all() and place is not None:
            raise DataError(f"{key}={place} holds every photo of data.root: none is left to train on")
        if shared.all():
            logger.warning("all photos are copies of each other: they are used for training and for validation")
            return train
        if shared.any():
            logger.warning(
                "%s of data.root %s in %s too and not trained on",
                counted(int(shared.sum()), "photo"),
                "is" if shared.sum() == 1 else "are",
                key if place is not None else "the validation set",
            )
        kept: NDArray[np.int64] = train[~shared]
        return kept

    @cached_property
    def inventory(self) -> Inventory:
        """What a run stores of its photos."""
        config = self.config
        return inventory(
            self.train_source,
            self.train,
            {
                name: val_inventory(photos.source, photos.indices, view=self._view(photos.masks))
                for name, photos in self.sets.items()
            },
            masks=content_of_files(parse_mask(config.masks)),
            seed=config.val_seed,
            styles=self._styles,
        )

    @cached_property
    def _styles(self) -> str | None:
        return None if self.config.styles is None else hash_of(opened(self.config))

    @cached_property
    def _val_styles(self) -> str:
        return hash_of(opened(self.config, validation=True))

    def _view(self, masks: Any) -> str:
        """Return in words what decides, beside the photos, what a validation measures."""
        mask = parse_mask(masks)
        options = _without_paths(mask.model_dump(mode="json"))
        seen = [self.config.size, options, content_of_files(mask), self.config.planes]
        if self.config.styles is not None:
            seen += [self.config.style_px, self._styles if self.config.val_styles is None else self._val_styles]
        return json.dumps(seen, default=str, sort_keys=True)

    def report_changes(self) -> None:
        """Say in a warning how the photos differ from those that the run was trained and validated on before."""
        before = self.before
        if before is None:
            return
        now = self.inventory
        if before.masks != now.masks:
            logger.warning("the files of data.masks have changed since the run stopped")
        if before.styles != now.styles:
            logger.warning("the pictures of data.styles have changed since the run stopped")
        gone = {name: len({*before.sets[name].hashes} - {*now.sets[name].hashes}) for name in self._known}
        if changes := before.changes(now):
            same = "" if any(gone.values()) else "; validation goes on with the same photos"
            logger.warning("the training photos have changed since the run stopped: %s%s", changes, same)
        for name in self._known:
            self._report_changed_set(name, gone[name])

    def _report_changed_set(self, name: str, gone: int) -> None:
        before = self.before
        assert before is not None
        photos, of_set = self.sets[name], f" of {_key(name)}" if name else ""
        come = len(photos.source) - len(photos.indices)
        if gone:
            logger.warning(
                "%d of %s%s of the run %s gone or changed: figures do not compare with those before",
                gone,
                counted(len(before.sets[name].hashes), "validation photo"),
                of_set,
                "is" if gone == 1 else "are",
            )
        elif self.config.val_sets[name].root is not None and come > 0:
            logger.warning(
                "%s that %s come to %s %s not validated on, so that figures compare; another run.folder does",
                counted(come, "photo"),
                "has" if come == 1 else "have",
                _key(name),
                "is" if come == 1 else "are",
            )
        elif name in self.incomparable:
            logger.warning("the validation%s is another one than before: figures do not compare", of_set)

    @property
    def _known(self) -> list[str]:
        """The validation sets that the run has had under the same name."""
        return [name for name in self.sets if self.before is not None and name in self.before.sets]

    @property
    def unchanged(self) -> bool:
        """Whether the run goes on with the photos and masks that it has had; True where nothing is known."""
        before, now = self.before, self.inventory
        same_sets = before is None or (before.sets.keys() == now.sets.keys() and not self.incomparable)
        same_files = before is None or (before.masks, before.styles) == (now.masks, now.styles)
        return before is None or (same_files and not before.changes(now) and same_sets)

    @property
    def incomparable(self) -> list[str]:
        """The validation sets whose figures do not compare with what the run has measured under the same name."""
        before, now = self.before, self.inventory
        return [] if before is None else [name for name in self.sets if not now.same_set(name, before, name)]

    def report(self) -> None:
        """Name the skipped files of each source in a warning."""
        sources = {str(one.root): self.sets[name].source for name, one in self.config.val_sets.items() if one.root}
        for root, source in {str(self.config.root): self.train_source, **sources}.items():
            report_skipped(root, source)
        if self.config.styles is not None:
            learned = opened(self.config)
            report_skipped(self.config.styles, learned)
            if self.config.val_styles is not None:
                held_out = opened(self.config, validation=True)
                report_skipped(self.config.val_styles, held_out)
                every = np.arange(len(held_out), dtype=np.int64)
                if shared := int(copies(held_out, every, learned, np.arange(len(learned), dtype=np.int64)).sum()):
                    found, verb = counted(shared, "picture"), "is" if shared == 1 else "are"
                    logger.warning("%s of data.val_styles %s in data.styles, too, and learned from", found, verb)


def _key(name: str) -> str:
    """Return the key that a validation set stands under."""
    return f"data.val.{name}" if name else "data.val"


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
