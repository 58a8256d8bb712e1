"""`inpaint infer` on films: every frame by itself, in order, with the speed and the sound of the film."""

import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from blind import write_weights
from inpaint.cli import infer
from inpaint.cli.main import run
from inpaint.images.films import Film, frames_per_s
from tiny_film import HEIGHT, WIDTH, write_film

COUNT = 5
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[30:60, 40:80] = True


@pytest.fixture
def here(tmp_path, monkeypatch):
    """film.avi and m.png, with relative paths, and no ffmpeg."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda program: None)
    write_film(tmp_path / "film.avi", frames=COUNT)
    Image.fromarray(HOLE * np.uint8(255)).save("m.png")
    return tmp_path


def fill(*arguments, output="out.mkv"):
    return run(["infer", "--model=mean", "--image=film.avi", "--mask=m.png", f"--output={output}", *arguments])


def frames(path):
    film = Film.open(path)
    return np.array(list(film.frames(range(film.count))))


def write_masks(path, masks):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for mask in masks:
        writer.write(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2))
    writer.release()


def test_a_film_becomes_a_film_in_which_nothing_but_the_hole_has_changed(here, capsys):
    assert fill() == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{COUNT} filled"
    assert out.splitlines()[1].startswith(f"wrote out.mkv: {COUNT} frames, each filled by itself; without sound")
    assert err == f"film.avi: {COUNT} frames, each filled by itself: what is filled may flicker\n"
    before, after = frames("film.avi"), frames("out.mkv")
    assert frames_per_s("out.mkv") == frames_per_s("film.avi") == 10
    assert np.array_equal(after[:, ~HOLE], before[:, ~HOLE])
    for frame, original in zip(after, before, strict=True):  # each its own mean
        assert np.abs(frame[HOLE] - original[~HOLE].mean(axis=0)).max() <= 1
    assert sorted(path.name for path in here.iterdir()) == ["film.avi", "m.png", "out.mkv"]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".webm"])
def test_other_formats_hold_as_many_frames_of_the_same_size(here, suffix):
    assert fill(output=f"out{suffix}") == 0
    assert frames(f"out{suffix}").shape == (COUNT, HEIGHT, WIDTH, 3)


def test_what_a_blind_model_finds_in_each_frame_is_filled(here, capsys, monkeypatch):
    write_weights(monkeypatch, here / "run")
    writer = cv2.VideoWriter("red.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for number in range(COUNT):
        frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        frame[16:32, 16 * number : 16 * number + 16] = (0, 0, 255)  # BGR
        writer.write(frame)
    writer.release()
    for number, how in enumerate((["--model=run"], ["--model=mean", "--mask-from=run"])):
        assert run(["infer", *how, "--image=red.avi", f"--output=out{number}", "--device=cpu"]) == 0
        assert capsys.readouterr().out.startswith(f"{COUNT} filled\n")
        for frame in sorted((here / f"out{number}").glob("*.png")):
            assert np.asarray(Image.open(frame))[20:28, :, 0].max() < 200


def test_a_film_of_masks_says_the_hole_of_each_frame_and_black_is_none(here, capsys):
    holes = np.zeros((COUNT, HEIGHT, WIDTH), bool)
    for number in (0, 2, 3):
        holes[number, 20:50, 16 * number : 16 * number + 20] = True
    write_masks(here / "masks.avi", holes)
    assert fill("--mask=masks.avi", "--image=film.avi", output="frames") == 0
    assert capsys.readouterr().out.startswith(f"{COUNT} filled\n")  # united with m.png
    arguments = ["infer", "--model=mean", "--image=film.avi", "--mask=masks.avi", "--output=only"]
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["3 filled, 2 without a hole", f"wrote only: {COUNT} frames, each filled by itself"]
    assert err.count("the mask has no hole") == 1  # and not for every frame
    before = frames("film.avi")
    for number in range(COUNT):
        after = np.asarray(Image.open(f"only/{number + 1:06d}.png"))
        changed = (after != before[number]).any(axis=2)
        assert not changed[~holes[number]].any()
        assert changed[holes[number]].sum() >= 0.9 * holes[number].sum()


def test_a_film_that_was_interrupted_goes_on_with_the_frames_that_are_left(here, capsys, monkeypatch, gray_inpainter):
    answer = gray_inpainter.answer

    def interrupted(image, mask, **options):
        if gray_inpainter.calls == 2:
            raise KeyboardInterrupt
        return answer(image, mask, **options)

    gray_inpainter.answer = interrupted
    monkeypatch.setattr(infer, "load_model", lambda model, device, *_, **__: gray_inpainter)
    assert fill() == 130
    assert f"2 of {COUNT} done; run again with --resume to go on" in capsys.readouterr().err
    assert not (here / "out.mkv").exists()
    gray_inpainter.answer = answer
    assert fill("--resume") == 0
    assert capsys.readouterr().out.startswith(f"{COUNT - 2} filled, 2 skipped\nwrote out.mkv")
    after = frames("out.mkv")
    assert len(after) == COUNT
    assert (after[:, HOLE] == 128).all()


def test_a_frame_that_fails_leaves_the_film_unwritten_and_the_others_filled(here, capsys, monkeypatch, gray_inpainter):
    answer = gray_inpainter.answer

    def broken(image, mask, **options):
        if gray_inpainter.calls == 1:
            gray_inpainter.calls += 1
            raise RuntimeError("oh")
        return answer(image, mask, **options)

    gray_inpainter.answer = broken
    monkeypatch.setattr(infer, "load_model", lambda model, device, *_, **__: gray_inpainter)
    assert fill() == 1
    assert "000002.png: RuntimeError: oh" in (err := capsys.readouterr().err)
    assert "the film is not written, since frames of it failed: --resume tries these again" in err
    assert not (here / "out.mkv").exists()
    gray_inpainter.answer = answer
    assert fill("--resume") == 0
    assert not (here / "out.mkv.frames").exists()


@pytest.mark.parametrize(
    ("arguments", "output", "message"),
    [
        ([], "out.png", "of a film must be a film (.mp4, .m4v, .mov, .avi, .mkv, .webm) or a folder for its frames"),
        (["--samples=2"], "out.mkv", "--samples 2: a film is filled once"),
        (["--preview=over"], "out.mkv", "--preview is for photos, and --image is a film"),
        (["--mask=short.avi"], "out.mkv", "the mask 'short.avi' has 3 frames and 'film.avi' has 5"),
        (["--image=gone.mp4"], "out.mkv", "cannot read 'gone.mp4': no such file"),
        (["--image=no.mp4"], "out.mkv", "'no.mp4' is no film that can be read"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(here, capsys, arguments, output, message):
    write_masks(here / "short.avi", np.ones((3, HEIGHT, WIDTH), bool))
    (here / "no.mp4").write_text("text")
    before = sorted(here.iterdir())
    assert fill(*arguments, output=output) in (1, 2)
    assert message in capsys.readouterr().err
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("refuses", [False, True])
def test_ffmpeg_copies_the_sound_where_it_is_installed(here, capsys, monkeypatch, refuses):
    program = here / "ffmpeg"
    body = "import shutil, sys; a = sys.argv; open('asked', 'a').write(' '.join(a[1:]) + '\\n')\n"
    body += "sys.exit('no such codec')" if refuses else "shutil.copy(a[a.index('-i') + 1], a[-1])"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(program))
    assert fill() == 0
    out = capsys.readouterr().out
    assert ("without sound, if there was any: ffmpeg could not copy it (no such codec)" in out) == refuses
    asked = (here / "asked").read_text().splitlines()
    assert len(asked) == 1 + refuses
    assert "-i film.avi -map 0:v:0 -map 1:a? -c:v copy -c:a copy" in asked[0]
    assert len(frames("out.mkv")) == COUNT


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_the_sound_is_in_the_film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "silent.avi", frames=20)
    Image.fromarray(HOLE * np.uint8(255)).save("m.png")
    tone = ["-f", "lavfi", "-i", "sine=duration=2", "-c:v", "copy", "-c:a", "pcm_s16le", "film.avi"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", "silent.avi", *tone], check=True)
    assert fill(output="out.mp4") == 0
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", "out.mp4"]
    assert subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split() == ["video", "audio"]
