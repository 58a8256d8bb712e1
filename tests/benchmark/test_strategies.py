"""What strategies cost and bring: the holes, the measures and the tables."""

import json

import numpy as np
import pytest
from scipy import ndimage

from inpaint.benchmark.strategies import Cost, Quality, cost, cost_table, qualities, quality_table, ten_holes, ways_of
from inpaint.cli.main import run
from inpaint.registry.loading import load


def test_ten_holes_grow_from_thirty_pixels_to_the_largest_and_do_not_touch():
    mask = ten_holes(1000, 1500, largest_px=200)
    labels, count = ndimage.label(mask)
    heights = sorted(box[0].stop - box[0].start for box in ndimage.find_objects(labels))
    assert count == 10
    assert heights[0] == pytest.approx(30, abs=2)
    assert heights[-1] == pytest.approx(200, abs=3)


def test_ways_are_strategies_alone_and_seams_with_the_first_two():
    ways = ways_of(["auto", "resize", "refine"], ["poisson"], [64, 96])
    assert list(ways) == ["auto", "resize 64", "resize 96", "crop, refine", "auto, poisson", "resize, poisson"]
    assert ways["resize 96"].resize_limit == 96
    assert ways["crop, refine"].refine


def test_quality_is_of_the_hole_and_the_photo_itself_comes_last():
    found = qualities(
        load("mean"), ways_of(["original", "crop"], [], []), data="samples", mask="center", size=32, count=2
    )
    assert [each.name for each in found] == ["original", "crop", "the photo itself"]
    assert all(len(each.psnr) == 2 for each in found)
    assert 5 < found[0].psnr[0] < 30
    assert found[-1].psnr == [120, 120]


def test_tables_hold_differences_from_the_first_way_with_their_errors():
    found = [Quality(name="a", psnr=[20, 22], seam=[1, 2]), Quality(name="b", psnr=[21, 25], seam=[1, 1])]
    assert quality_table(found).splitlines()[-1] == "| b | 23.00 | +2.00 ± 1.00 | 1.00 |"
    costs = {
        ("telea", "crop"): Cost(seconds=1.25, peak_bytes=2**30, needed_bytes=2**29, strategy="crop, 1 part of 9 px"),
        ("telea", "original"): Cost(refused="too much"),
    }
    assert cost_table(costs).splitlines()[2:] == [
        "| `telea` | crop | 1.2 | 1.00 | 0.50 | crop, 1 part of 9 px |",
        "| `telea` | original |  |  |  | too much |",
    ]


def test_a_photo_is_filled_in_a_process_of_its_own():
    setting = {"model": "telea", "width": None, "height_px": 400, "width_px": 600, "largest_px": 60}
    found = cost({**setting, "options": {"strategy": "crop"}})
    assert found.peak_bytes > 50e6
    assert found.strategy.startswith("crop")
    assert not found.refused


def test_the_verb_compares_quality_and_writes_figures(tmp_path, capsys):
    arguments = ["--model=telea", "--size=32", "--count=2", "--strategy=original,crop", "--seam=feather"]
    assert run(["benchmark", "strategies", "--quality", *arguments, f"--json={tmp_path / 'f.json'}"]) == 0
    assert "| original, feather |" in capsys.readouterr().out
    figures = json.loads((tmp_path / "f.json").read_text())["figures"]["telea 32"]
    assert [each["name"] for each in figures][:2] == ["original", "crop"]
    assert np.isfinite([each["psnr"] for each in figures]).all()
