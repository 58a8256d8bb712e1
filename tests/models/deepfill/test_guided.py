"""Guided DeepFillv2 as its configuration trains it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inpaint import config
from inpaint.cli.main import run
from inpaint.data.planes import SamplePlanes
from inpaint.images.guidance import DRAWN_BY_HAND


def test_its_sketches_are_made_as_drawn_by_hand():
    made = config.load(["model=deepfill_guided"])
    planes = SamplePlanes(made.architecture().training_planes(), made.data.planes)
    assert planes.makers["sketch"].model_dump() == planes.makers["sketch"].model_copy(update=DRAWN_BY_HAND).model_dump()


@pytest.mark.slow
def test_two_photos_are_learnt_by_heart_with_their_sketches(tmp_path, make_photo):
    """The hole's L1 falls to less than a fifth of its start."""
    photos, mirrored = tmp_path / "photos", tmp_path / "mirrored"  # training sees all of them mirrored
    for folder, step in ((photos, 1), (mirrored, -1)):
        folder.mkdir()
        for number in (0, 1):
            Image.fromarray(np.ascontiguousarray(make_photo(32, 32, number)[:, ::step])).save(folder / f"{number}.png")

    def hole_l1(iterations):
        folder = tmp_path / str(iterations)
        words = [
            *(
                "model=deepfill_guided",
                "size=small",
                "data.size=32",
                f"data.root={photos}",
                f"data.val={mirrored}",
                "data.flip=1",
            ),
            *("data.masks=center", "data.workers=0", "data.planes.sketch.given=1", "batch_size=2", "ema.decay=0.95"),
            *(f"max_iterations={iterations}", f"validation.every={iterations}"),
            *("trainer.accelerator=cpu", "trainer.threads=1", f"run.folder={folder}"),
        ]
        assert run(["train", *words]) == 0
        head, *_, last = (line.split(",") for line in (folder / "metrics.csv").read_text().splitlines())
        return float(last[head.index("val/l1_hole")])

    assert hole_l1(500) < hole_l1(1) / 5
