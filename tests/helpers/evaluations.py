"""Finished evaluations without any fill: records with numbers drawn from a seed, in memory and as folders."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from inpaint.evaluation.manifest import Listed, Manifest
from inpaint.evaluation.record import (
    MASKED,
    ORIGINAL,
    Record,
    Row,
    picture_path,
    write_failures,
    write_rows,
    write_sets,
)
from inpaint.metrics import measures

MASKS = ("deepfill", "center")
"""The kinds of masks of the evaluations that tests run."""

NAMES = ("l1_hole", "psnr_hole", "l1", "psnr", "hole_ratio")


def manifest(photos=20, masks=("thick",), **protocol):
    """A manifest of photos p00.png, p01.png, ... and kinds of masks."""
    about = {"name": "own", "version": 1, "size": 64, "seed": 0, "masks": {mask: {} for mask in masks}} | protocol
    return Manifest(
        about,
        tuple(
            Listed(key=f"p{n:02}.png", picture=f"{n:016x}", masks=dict.fromkeys(masks, f"{n:012x}"))
            for n in range(photos)
        ),
    )


def record(gains, *, photos=20, masks=("thick",), names=NAMES, folder="results", seed=0, identities=None, **protocol):
    """A record of models that are better than a common course by their gains in dB.

    The numbers of a model depend on its gain and the seed and not on the models beside it.
    """
    rows = []
    for mask in masks:
        for number in range(photos):
            rng = np.random.default_rng([seed, number, len(mask)])
            base, ratio = rng.normal(18, 3), rng.uniform(0.02, 0.38)
            for model, gain in gains.items():
                psnr = base + gain + np.random.default_rng([seed, number, round(1000 * (gain + 10))]).normal(0, 0.3)
                l1 = 0.7 * 10 ** (-psnr / 20)
                values = {"psnr_hole": psnr, "l1_hole": l1, "l1": l1 * ratio, "psnr": psnr + 6, "hole_ratio": ratio}
                kept = {name: float(values[name]) for name in names}
                rows.append(Row(image=f"p{number:02}.png", mask=mask, model=model, values=kept, seconds=0.25))
    found = manifest(photos, masks, **protocol)
    order = {key: place for place, key in enumerate(found.keys)}
    return Record(
        folder=Path(folder),
        manifest=found,
        models=tuple(gains),
        measures=measures(names).of_images,
        rows=tuple(sorted(rows, key=lambda row: order[row.image])),
        sets=(),
        failures=(),
        settings={"models": identities or {model: f"sha256:{model}" for model in gains}, "device": "cpu"},
    )


def write(made, folder, *, pictures=0):
    """Write a record as the folder of an evaluation, with pictures of the first photos."""
    folder.mkdir(parents=True)
    made.manifest.write(folder)
    names = [measure.name for measure in made.measures]
    (folder / "settings.json").write_text(json.dumps({**made.settings, "measures": names}))
    write_sets(folder, made.sets)
    write_failures(folder, made.failures)
    write_rows(folder, made.rows, names)
    for image in made.manifest.keys[:pictures]:
        for mask in made.manifest.labels:
            for model in (MASKED, ORIGINAL, *made.models):
                path = picture_path(folder, image=image, mask=mask, model=model)
                path.parent.mkdir(exist_ok=True)
                Image.new("RGB", (8, 8), (len(model) * 20, 90, 30)).save(path)
    return folder


def read_rows(folder):
    """The lines of an evaluation's results, as texts by their column."""
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))
