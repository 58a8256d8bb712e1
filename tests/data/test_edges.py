"""Edge maps that the data workers deliver beside a sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from inpaint.data.config import DataConfig
from inpaint.data.opening import open_source
from inpaint.data.stream import FixedSamples, SampleStream
from inpaint.images.edges import canny, gray_of
from inpaint.types import Plane


@pytest.fixture
def folder(tmp_path):
    """Two photos with edges."""
    for number, photo in enumerate((data.astronaut(), data.chelsea())):
        Image.fromarray(photo[:200, 100:300]).save(tmp_path / f"{number}.png")
    return tmp_path


def edges(*names, **options):
    """The planes of EdgeConnect's training."""
    makers = {"edges_true": "Edges", "edges_known": "KnownEdges"}
    return [Plane(name=name, make=f"inpaint.images.edges:{makers[name]}", options=options) for name in names]


def stream_of(folder, *, planes=()):
    config = DataConfig(root=str(folder), size=96, masks="box", workers=0)
    source = open_source(str(folder), min_px=16)
    return SampleStream(source, np.arange(2), config, seed=0, planes=planes)


EDGES = edges("edges_true", "edges_known")


def test_edges_are_those_of_the_sample_with_and_without_its_hole(folder):
    for sample in (stream_of(folder, planes=EDGES)[5], stream_of(folder, planes=EDGES)[6]):
        gray = gray_of(np.round(sample["image"].permute(1, 2, 0).numpy() * 255).astype(np.uint8))
        known = sample["mask"][0].numpy() == 0
        assert sample["edges_true"].dtype == torch.float32
        assert np.array_equal(sample["edges_true"][0].numpy() > 0, canny(gray, 2.0))
        assert np.array_equal(sample["edges_known"][0].numpy() > 0, canny(gray, 2.0, known=known))
        assert set(sample["edges_true"].unique().tolist()) == {0.0, 1.0}


def test_edges_do_not_change_the_rest_of_a_sample_and_are_found_only_if_asked_for(folder):
    plain, with_edges = stream_of(folder)[3], stream_of(folder, planes=edges("edges_true"))[3]
    assert with_edges.keys() - plain.keys() == {"edges_true"}
    assert all(torch.equal(with_edges[name], plain[name]) for name in ("image", "mask"))


def test_a_random_sigma_is_a_function_of_the_sample_and_the_validation_keeps_the_fixed_one(folder):
    source = open_source(str(folder), min_px=16)
    indices, config = np.arange(2), DataConfig(root=str(folder), size=96, workers=0)

    def maps(**options):
        stream = stream_of(folder, planes=edges("edges_true", **options))
        return [stream[number]["edges_true"] for number in range(8)]

    drawn, again = maps(range_px=(1, 4)), maps(range_px=(1, 4))
    fixed = {sigma: maps(sigma_px=sigma) for sigma in (1.0, 2.0, 3.0, 4.0)}
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    chosen = [[s for s, other in fixed.items() if torch.equal(other[n], one)] for n, one in enumerate(drawn)]
    assert all(chosen)
    assert len({tuple(which) for which in chosen}) > 1
    validation = [
        FixedSamples(source, indices, config, planes=edges("edges_true", **options))[0]["edges_true"]
        for options in ({"sigma_px": 3.0, "range_px": (1, 4)}, {"sigma_px": 3.0})
    ]
    assert torch.equal(*validation)
