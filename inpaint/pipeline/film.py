"""A film as a folder of frames: taken apart before they are filled or painted, and put together afterwards.

Beside the output lies a folder for the time of the work, OUTPUT.frames: `frames/` and `mask-1/`, what was taken apart,
and `filled/` with its journal. It stays when the work is interrupted or a frame fails, so that it can go on.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inpaint.errors import InputError, UsageError, WriteError
from inpaint.images.film_writing import CODECS, check_codec, write_film
from inpaint.images.films import Film, Rgb, frames_per_s, is_film
from inpaint.system.files import check_folder, check_target, sha256_of, write_text

_TAKEN_APART = "taken-apart.json"  # written when all frames are there: of which films


@dataclass(frozen=True)
class FilmWork:
    """A film to fill, or to paint.

    Args:
        image: The film.
        masks: Each a photo's mask, for all frames, or a film with a mask for each of them.
        output: A film, or a folder for the frames.
        how: What is done to frames, in words.
    """

    image: Path
    masks: tuple[str, ...]
    output: Path
    how: str = "each filled by itself"

    def check(self) -> None:
        """Raise UsageError or InpaintError where the output cannot be written."""
        if self._is_folder:
            check_folder(self.output)
        elif self.output.suffix.lower() not in CODECS:
            valid = ", ".join(CODECS)
            raise UsageError(
                f"the output '{self.output}' of a film must be a film ({valid}) or a folder for its frames"
            )
        else:
            check_target(self.output)
            check_codec(self.output)

    @property
    def _is_folder(self) -> bool:
        return not self.output.suffix or self.output.is_dir()

    @property
    def work(self) -> Path:
        """The folder of all that is needed for the time of the work."""
        return self.output.with_name(f"{self.output.name}.frames")

    @property
    def frames(self) -> Path:
        """The folder of the frames that are filled."""
        return self.work / "frames"

    @property
    def frame_masks(self) -> list[str]:
        """The masks, those of films as folders."""
        return [os.fspath(self._mask_folder(n)) if is_film(each) else each for n, each in enumerate(self.masks, 1)]

    @property
    def filled(self) -> Path:
        """The folder of the filled frames."""
        return self.output if self._is_folder else self.work / "filled"

    def take_apart(self, *, resume: bool) -> int:
        """Write all frames as PNG and return how many there are; what an earlier run wrote is kept to go on with.

        Raises:
            InputError: A film cannot be read, or one of masks has another number of frames.
            WriteError: A frame cannot be written.
        """
        film = Film.open(self.image)
        of_masks = {n: Film.open(each) for n, each in enumerate(self.masks, start=1) if is_film(each)}
        for other in of_masks.values():
            if other.count != film.count:
                raise InputError(
                    f"the mask '{other.path}' has {other.count} frames and '{self.image}' has {film.count}: a film of "
                    "masks needs one for each"
                )
        said = json.dumps([sha256_of(each.path) for each in (film, *of_masks.values())])
        marker = self.work / _TAKEN_APART
        if resume and marker.exists() and marker.read_text(encoding="utf-8") == said:
            return film.count
        shutil.rmtree(self.work, ignore_errors=True)
        _write_frames(film, self.frames)
        for number, other in of_masks.items():
            _write_frames(other, self._mask_folder(number), of_mask=True)
        write_text(marker, said)
        return film.count

    def put_together(self, count: int) -> str:
        """Write the output from all its frames, remove what was needed for it, and return in words what there is."""
        line = f"wrote {self.output}: {count} frames, {self.how}"
        if not self._is_folder:
            speed = frames_per_s(self.image)
            silent = write_film(self.output, self._results(count), frames_per_s=speed, sound_of=self.image)
            line += f"; without sound, if there was any: {silent}" if silent else ""
        shutil.rmtree(self.work, ignore_errors=True)
        return line

    def _mask_folder(self, number: int) -> Path:
        return self.work / f"mask-{number}"

    def _results(self, count: int) -> Iterator[Rgb]:
        for number in range(1, count + 1):
            yield read_frame(self.filled, number)


def frame_path(folder: Path, number: int) -> Path:
    """Return where a frame lies, by its number from 1."""
    return folder / f"{number:06d}.png"


def read_frame(folder: Path, number: int) -> Rgb:
    """Return a frame (H, W, 3) by its number from 1.

    Raises:
        InputError: It cannot be read.
    """
    path = frame_path(folder, number)
    frame = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    if frame is None:
        raise InputError(f"cannot read '{path}', a frame")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def _write_frames(film: Film, folder: Path, *, of_mask: bool = False) -> None:
    """Write a film's frames as PNG; of a mask as black and white, since compression leaves values in between."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise WriteError(f"cannot write '{folder}': {error.strerror or error}") from error
    for number, frame in enumerate(film.frames(range(film.count)), start=1):
        shown = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        if of_mask:
            shown = np.where(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) > 127, np.uint8(255), np.uint8(0))
        path = frame_path(folder, number)
        if not cv2.imwrite(os.fspath(path), shown, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise WriteError(f"cannot write '{path}': is the disk full?")


def check_film(output: str | None, *, samples: int, others: Sequence[str]) -> None:
    """Raise UsageError for what cannot be asked for of a film; others: names of options that were given."""
    if output is None:
        raise UsageError("--output is missing: a film's is a film, or a folder for its frames")
    if samples > 1:
        raise UsageError(f"--samples {samples}: a film is filled once")
    if others:
        raise UsageError(f"{others[0]} is for photos, and --image is a film")
