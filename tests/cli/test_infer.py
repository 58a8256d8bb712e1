"""`inpaint infer` as a user runs it: arguments in, files, lines and an exit status out."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from inpaint.cli import infer
from inpaint.cli.main import run
from inpaint.types import StopFill
from interrupting import heed_interrupts, status_of

HOLE = np.zeros((40, 56), bool)
HOLE[10:20, 15:40] = True


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.jpg, b.png, sub/c.tif} and masks/, with relative paths, as one types them."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.jpg", "b.png", "sub/c.tif")):
        photo, mask = tmp_path / "photos" / name, (tmp_path / "masks" / name).with_suffix(".png")
        for path in (photo, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_photo(40, 56, seed)).save(photo)
        Image.fromarray(HOLE * np.uint8(255)).save(mask)
    return tmp_path


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "journal.jsonl"]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_photo_is_filled_by_telea(here, capsys):
    status = run(["infer", "--model=telea", "--image=photos/b.png", "--mask=masks/b.png", "--output=new/filled.png"])
    assert (status, *capsys.readouterr()) == (0, "wrote new/filled.png (auto, 56 x 40 px)\n", "")
    before, after = pixels("photos/b.png"), pixels("new/filled.png")
    assert np.array_equal(after[~HOLE], before[~HOLE])
    assert not np.array_equal(after[HOLE], before[HOLE])


def test_a_folder_is_filled_with_its_subfolders(here, capsys):
    assert run(["infer", "--model=telea", "--image=photos", "--mask=masks", "--output=out"]) == 0
    assert capsys.readouterr().out == "3 filled\n"
    assert files(here / "out") == ["a.jpg", "b.png", "sub/c.tif"]


def test_one_mask_for_all_and_results_that_exist_are_skipped(here, capsys):
    (here / "out").mkdir()
    (here / "out/a.jpg").write_bytes(b"mine")
    arguments = ["infer", "--model=telea", "--image=photos", "--mask=masks/a.png", "--output=out", "--skip-existing"]
    assert run(arguments) == 0
    assert capsys.readouterr().out == "2 filled, 1 skipped\n"
    assert (here / "out/a.jpg").read_bytes() == b"mine"


def test_every_option_reaches_its_place(here, monkeypatch, gray_inpainter):
    seen = {}

    def load(model, device, **_):
        seen.update(model=model, device=device)
        return gray_inpainter

    answer = gray_inpainter.answer

    def remember(image, mask, **options):
        seen.update(hole=mask[0, 0] == 1, seed=options["seed"])
        return answer(image, mask, **options)

    monkeypatch.setattr(infer, "load_model", load)
    gray_inpainter.answer = remember
    mask = np.full((40, 56), 255, np.uint8)
    mask[20, 30] = 0
    Image.fromarray(mask).save("m.png")
    arguments = ["infer", "--model=mine", "--image=photos/b.png", "--mask=m.png", "--output=o.webp", "--device=cpu"]
    assert run([*arguments, "--invert-mask", "--dilate=1", "--seed=5", "--quality=100"]) == 0
    expected = np.zeros((40, 56), bool)
    expected[19:22, 30] = expected[20, 29:32] = True
    assert np.array_equal(seen.pop("hole"), expected)
    assert seen == {"model": "mine", "device": "cpu", "seed": 5}
    assert np.array_equal(pixels("o.webp")[~expected], pixels("photos/b.png")[~expected])  # quality 100 is lossless


def test_the_same_command_gives_the_same_bytes(here):
    for name in ("one.png", "two.png"):
        assert run(["infer", "--model=telea", "--image=photos/b.png", "--mask=masks/b.png", f"--output={name}"]) == 0
    assert (here / "one.png").read_bytes() == (here / "two.png").read_bytes()


def test_warnings_are_one_line_each_on_standard_error(here, capsys):
    Image.fromarray(HOLE[::2, ::2] * np.uint8(200)).save("small.png")
    assert run(["infer", "--model=telea", "--image=photos/b.png", "--mask=small.png", "--output=o.png"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "warning: small.png: two values, 0 and 200; 200 is the hole",
        "warning: photos/b.png: small.png: the mask has 28 x 20 pixels; resized to 56 x 40",
    ]


def test_no_hole_copies_the_photo_with_a_warning(here, capsys):
    Image.new("L", (56, 40)).save("black.png")
    assert run(["infer", "--model=telea", "--image=photos/a.jpg", "--mask=black.png", "--output=o.jpg"]) == 0
    assert "warning: photos/a.jpg: the mask has no hole" in capsys.readouterr().err
    assert (here / "o.jpg").read_bytes() == (here / "photos/a.jpg").read_bytes()


def test_a_bad_file_is_reported_the_rest_goes_on_and_the_status_is_one(here, capsys):
    (here / "photos/b.png").write_text("text")
    assert run(["infer", "--model=telea", "--image=photos", "--mask=masks", "--output=out"]) == 1
    out, err = capsys.readouterr()
    assert out == "2 filled, 1 failed\n"
    assert err == (
        "failed: cannot read 'photos/b.png': its content is not an image (JPEG, PNG, WebP, TIFF, BMP, AVIF, HEIC)\n"
    )
    assert files(here / "out") == ["a.jpg", "sub/c.tif"]


SIGNALS = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_a_signal_leaves_finished_files_and_says_how_to_go_on(
    here, monkeypatch, capsys, gray_inpainter, number, status
):
    answer = gray_inpainter.answer

    def interrupted(image, mask, **options):
        if gray_inpainter.calls == 1:
            signal.raise_signal(number)
        return answer(image, mask, **options)

    gray_inpainter.answer = interrupted
    monkeypatch.setattr(infer, "load_model", lambda model, device, **_: gray_inpainter)
    assert status_of(["infer", "--model=gray", "--image=photos", "--mask=masks", "--output=out"]) == status
    assert capsys.readouterr().err.splitlines()[0] == "1 of 3 done; run again with --resume to go on"
    assert files(here / "out") == ["a.jpg"]


@SIGNALS
@pytest.mark.parametrize("gradual", [True, False])
def test_of_one_photo_a_fill_that_comes_nearer_step_by_step_writes_what_there_is(
    here, monkeypatch, capsys, make_gray_inpainter, number, status, gradual
):
    class Long(make_gray_inpainter):
        capabilities = replace(make_gray_inpainter.capabilities, gradual=gradual)
        steps = 10

        def paint(self, image, hole, context):
            signal.raise_signal(number)
            with pytest.raises(StopFill):
                context.clock.report(0.5)
            return super().paint(image, hole, context)

    monkeypatch.setattr(infer, "load_model", lambda model, device, **_: Long())
    arguments = ["infer", "--model=long", "--image=photos/a.jpg", "--mask=masks/a.png", "--output=out.png"]
    assert status_of(arguments) == status
    out, err = capsys.readouterr()
    assert (here / "out.png").exists() == gradual
    assert out == ("wrote out.png (auto, 56 x 40 px)\n" if gradual else "")
    assert ("interrupted: the output holds what there was\n" in err) == gradual
    assert "--resume" not in err


def test_help_shows_examples_without_importing_torch_or_pillow():
    code = (
        "import sys; from inpaint.cli.main import run; status = run(['infer', '--help']); "
        "sys.exit(status or int('torch' in sys.modules or 'PIL' in sys.modules or 'numpy' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "inpaint infer --model patch --image photo.jpg --mask mask.png --output filled.png" in done.stdout
    assert "--skip-existing" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_leaves_only_whole_files(tmp_path, make_photo, number, status):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(make_photo(300, 400)).save(photos / "000.png")
    for index in range(1, 400):
        (photos / f"{index:03}.png").write_bytes((photos / "000.png").read_bytes())
    Image.fromarray(np.repeat(np.repeat(HOLE, 2, 0), 2, 1)[:75, :100]).resize((400, 300)).save(tmp_path / "m.png")
    arguments = ["--model=telea", f"--image={photos}", f"--mask={tmp_path}/m.png", f"--output={tmp_path}/out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint", "infer", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out").glob("*.png"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in err
    done = [path for path in (tmp_path / "out").iterdir() if path.name != "journal.jsonl"]
    assert 5 <= len(done) < 400
    for path in done:
        assert path.suffix == ".png"
        assert pixels(path).shape == (300, 400, 3)


def test_first_page_fills_the_first_page_or_frame_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = [Image.new("RGB", (16, 12), color) for color in ("red", "green", "blue")]
    Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), ((4, 4), (6, 6)))).save("m.png")
    frames[0].save("a.tif", save_all=True, append_images=frames[1:])
    frames[0].save("a.webp", save_all=True, append_images=frames[1:], lossless=True)
    fill = ["infer", "--model", "telea", "--mask", "m.png"]
    assert run([*fill, "--image", "a.tif", "--output", "all.tif"]) == 0
    assert run([*fill, "--image", "a.tif", "--output", "one.tif", "--first-page"]) == 0
    assert run([*fill, "--image", "a.webp", "--output", "b.webp"]) == 1
    assert "it is an animation of 3 frames; --first-page takes the first alone" in capsys.readouterr().err
    assert run([*fill, "--image", "a.webp", "--output", "b.webp", "--first-page"]) == 0
    with Image.open("all.tif") as every, Image.open("one.tif") as first:
        assert (every.n_frames, first.n_frames) == (3, 1)


def test_strategy_and_memory_reach_the_fill_and_the_line_says_what_was_done(here, capsys):
    photo = ["infer", "--model=telea", "--image=photos/b.png", "--mask=masks/b.png", "--output=o.png"]
    assert run([*photo, "--strategy=resize", "--option=resize_limit=30", "--memory=1GB"]) == 0
    assert capsys.readouterr().out == "wrote o.png (resize, 56 x 40 px, reduced to 0.54, seam poisson)\n"
    before, after = pixels("photos/b.png"), pixels("o.png")
    assert np.array_equal(after[~HOLE], before[~HOLE])
    assert run([*photo, "--seam=poisson"]) == 0
    assert capsys.readouterr().out == "wrote o.png (auto, 56 x 40 px, seam poisson)\n"
    assert run([*photo, "--strategy=original", "--memory=100KB"]) == 1
    assert "original needs about 315 KB for 56 x 40 pixels, 100 KB may be used" in capsys.readouterr().err
    for wrong, message in (
        (["--memory=lots"], "memory: must be an amount of memory such as 3GB"),
        (["--strategy=crop", "--option=strategy=tile"], "--option strategy is given twice: tile and crop"),
    ):
        assert run([*photo, *wrong]) == 2
        assert message in capsys.readouterr().err
