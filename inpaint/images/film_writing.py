"""Films out of frames, with the sound of the film that they came from."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2

from inpaint.errors import InpaintError, WriteError
from inpaint.images.films import Rgb, quiet_opencv

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "FFV1", ".webm": "VP90"}
"""How films are compressed, by the suffix of their file; FFV1 loses nothing."""
JPEG_QUALITY = 95


def check_codec(path: Path) -> None:
    """Raise InpaintError where this OpenCV cannot write a film of that name's format."""
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        trial = Path(folder) / f"trial{path.suffix.lower()}"
        _writer(trial, 25.0, (64, 64)).release()


def write_film(path: Path, frames: Iterable[Rgb], *, frames_per_s: float, sound_of: Path | None = None) -> str:
    """Write a film, whole or not at all.

    Args:
        path: Its suffix says the format, see `CODECS`; the folder must exist.
        frames: Each (H, W, 3), all of one size.
        frames_per_s: Its speed.
        sound_of: The film whose sound it gets, by ffmpeg where that is installed.

    Returns:
        "" or why it has no sound.

    Raises:
        WriteError: It cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=path.parent) as folder:
            silent = Path(folder) / f"silent{path.suffix.lower()}"
            _encode(silent, frames, frames_per_s)
            whole, reason = silent, ""
            if sound_of is not None:
                whole, reason = _with_sound(silent, sound_of)
            whole.replace(path)
    except OSError as error:
        raise WriteError(f"cannot write '{path}': {error.strerror or error}") from error
    return reason


def _encode(path: Path, frames: Iterable[Rgb], frames_per_s: float) -> None:
    writer: cv2.VideoWriter | None = None
    try:
        for frame in frames:
            if writer is None:
                writer = _writer(path, frames_per_s, (frame.shape[1], frame.shape[0]))
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    finally:
        if writer is not None:
            writer.release()


def _writer(path: Path, frames_per_s: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """Return an open writer; size: width, height."""
    code = CODECS[path.suffix.lower()]
    with quiet_opencv():
        writer = cv2.VideoWriter(os.fspath(path), cv2.VideoWriter.fourcc(*code), frames_per_s, size)
    if not writer.isOpened():
        raise InpaintError(
            f"this OpenCV cannot write {path.suffix} films ({code}): name the output .avi, or a folder for its frames"
        )
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY)  # of Motion JPEG; others know none
    return writer


def _with_sound(silent: Path, film: Path) -> tuple[Path, str]:
    """Return the film with the sound of another one and "", or the film as it is and why."""
    program = shutil.which("ffmpeg")
    if program is None:
        return silent, "ffmpeg, which copies it, is not installed"
    whole = silent.with_name(f"whole{silent.suffix}")
    # Sound that the format does not take as it is, is encoded anew.
    for sound in (["-c:a", "copy"], []):
        command = [program, "-v", "error", "-nostdin", "-y", "-i", os.fspath(silent), "-i", os.fspath(film)]
        command += ["-map", "0:v:0", "-map", "1:a?", "-c:v", "copy", *sound, os.fspath(whole)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0 and whole.exists():
            return whole, ""
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return silent, f"ffmpeg could not copy it ({lines[-1]})"
