"""`inpaint infer` on folders: going on after a failure, an interruption, a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from fake_ray import FakeRay
from inpaint.cli.main import run

HOLE = np.zeros((40, 56), np.uint8)
HOLE[10:20, 15:40] = 255


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    """photos/{a.png, b.png, c.png} and m.png, with relative paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate("abc"):
        Image.fromarray(make_photo(40, 56, seed)).save(f"photos/{name}.png")
    Image.fromarray(HOLE).save("m.png")
    return tmp_path


def infer(*arguments):
    return run(["infer", "--model=telea", "--image=photos", "--mask=m.png", "--output=out", *arguments])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_a_folder_goes_on_from_its_journal(here, capsys):
    (here / "photos/b.png").write_text("text")
    assert infer() == 1
    assert capsys.readouterr().out == "2 filled, 1 failed\n"
    assert infer("--resume") == 1
    assert capsys.readouterr().out == "2 skipped, 1 failed\n"
    (here / "photos/b.png").write_bytes((here / "photos/a.png").read_bytes())
    assert infer("--resume") == 0
    assert capsys.readouterr().out == "1 filled, 2 skipped\n"
    assert infer("--resume", "--option=radius=9") == 0
    assert capsys.readouterr().out == "3 filled\n"
    lines = [json.loads(line) for line in (here / "out/journal.jsonl").read_text().splitlines()]
    assert [line["output"][0] for line in lines] == [*"abc", "b", "b", *"abc"]
    assert [line["status"] for line in lines].count("failed") == 2


def test_resume_is_for_folders_and_one_way_of_leaving_results_alone(here, capsys):
    assert infer("--resume", "--skip-existing") == 2
    assert "--resume and --skip-existing are two ways to leave results alone" in capsys.readouterr().err
    assert run(["infer", "--model=telea", "--image=photos/a.png", "--mask=m.png", "--output=o.png", "--resume"]) == 2
    assert "--resume goes on with a folder of photos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device=cpu,gpu"], "unknown device 'gpu'"),
        (["--device=cpu,cuda:77"], "unknown device 'cuda:77'"),
        (["--device=cpu,cpu", "--jobs=2"], "--jobs is for one device; of several each fills a photo at a time"),
        (
            ["--device=cpu,cpu", "--image=photos/a.png", "--output=a.png"],
            "--device cpu,cpu: several workers are for a folder",
        ),
        (["--ray", "--image=photos/a.png", "--output=a.png"], "--ray: several workers are for a folder"),
        (["--ray", "--device=cpu,cpu"], "--device cpu,cpu: on a cluster auto, cpu or cuda are valid"),
        (["--ray=ray://head:10001", "--device=cuda:1"], "device cuda:1: on a cluster auto, cpu or cuda are valid"),
    ],
)
def test_devices_that_cannot_be_are_refused(here, capsys, arguments, message):
    assert infer(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not (here / "out").exists()


def test_the_cluster_of_ray_is_told_apart_from_its_absence(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert infer("--ray") == 1
    assert "needs the package ray: pip install 'pytorch-inpaint[ray]'" in capsys.readouterr().err
    ray = FakeRay(2)
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert infer("--ray", "--jobs=1") == 0
    assert capsys.readouterr().out == "3 filled\n"
    assert len(ray.actors) == 1
    assert infer("--ray", "--resume") == 0
    assert capsys.readouterr().out == "3 skipped\n"


@pytest.mark.slow
def test_a_folder_that_was_killed_goes_on_to_the_same_bytes(here, capsys, make_photo):
    for number in range(200):
        Image.fromarray(make_photo(40, 56, number)).save(f"photos/{number:03}.png")
    command = [sys.executable, "-m", "inpaint", "infer", "--model=telea", "--image=photos", "--mask=m.png"]
    process = subprocess.Popen([*command, "--output=out"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((here / "out").glob("*.png"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert 20 <= len(contents(here / "out")) < 203
    capsys.readouterr()
    assert infer("--resume") == 0
    filled, skipped = (int(part.split()[0]) for part in capsys.readouterr().out.split(", "))
    assert filled + skipped == 203
    assert skipped >= 10
    assert not list((here / "out").glob(".*.tmp"))
    assert run(["infer", "--model=telea", "--image=photos", "--mask=m.png", "--output=whole"]) == 0
    assert contents(here / "out") == contents(here / "whole")
