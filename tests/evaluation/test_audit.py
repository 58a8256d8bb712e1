"""Near-duplicates between training and test photos are listed and shown."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from inpaint.data import likeness
from inpaint.errors import DataError, InputError
from inpaint.evaluation import audit as auditing
from inpaint.evaluation.audit import audit


def scene(seed):
    """Return smooth colors at random, (120, 160, 3): no two seeds look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC))


@pytest.fixture
def places(tmp_path):
    """Training photos a to d; the test photos are new, save for one that is d mirrored, smaller and re-compressed."""
    train, test = tmp_path / "train", tmp_path / "test"
    (test / "more").mkdir(parents=True)
    train.mkdir()
    for seed, name in enumerate("abcd"):
        Image.fromarray(scene(seed)).save(train / f"{name}.png")
    Image.fromarray(scene(10)).save(test / "new.png")
    copy = Image.fromarray(np.ascontiguousarray(scene(3)[:, ::-1])).resize((120, 90))
    copy.save(test / "more" / "old.jpg", quality=60)
    return str(train), str(test)


def test_the_list_and_the_sheet_hold_the_pairs(places, tmp_path):
    steps = []
    found = audit(*places, output=tmp_path / "deep" / "out", progress=steps.append)
    (pair,) = found.duplicates
    assert (pair.test, pair.train, pair.mirrored) == ("more/old.jpg", "d.png", True)
    assert (found.train, found.test, found.skipped) == (4, 2, 0)
    with (tmp_path / "deep" / "out" / "duplicates.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["test", "train", "distance", "mirrored"],
            ["more/old.jpg", "d.png", str(pair.distance), "true"],
        ]
    with Image.open(found.sheet) as sheet:
        assert min(sheet.size) > 150
    assert [step.done for step in steps][-1] == steps[-1].total == 6


def test_without_pairs_there_is_no_sheet_also_not_an_old_one(places, tmp_path):
    assert audit(*places, output=tmp_path / "out").sheet
    found = audit(*places, output=tmp_path / "out", most=0)
    assert (found.duplicates, found.sheet) == ((), None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["duplicates.csv"]


def test_a_second_audit_looks_at_new_photos_only_and_finds_the_same(places, tmp_path, monkeypatch):
    first = audit(*places, output=tmp_path / "out")
    calls = []
    monkeypatch.setattr(auditing, "view_hashes", lambda photo: calls.append(photo) or likeness.view_hashes(photo))
    assert audit(*places, output=tmp_path / "out").duplicates == first.duplicates
    assert calls == []
    Image.open(tmp_path / "train" / "a.png").rotate(180).save(tmp_path / "train" / "a.png")
    assert audit(*places, output=tmp_path / "out").duplicates == first.duplicates
    assert len(calls) == 1


def test_photos_that_cannot_be_decoded_are_named_and_counted(places, tmp_path, caplog):
    path = tmp_path / "train" / "b.png"
    path.write_bytes(path.read_bytes()[:-2000])
    found = audit(*places, output=tmp_path / "out")
    assert (found.train, found.skipped) == (3, 1)
    assert "b.png" in caplog.text


def test_no_photos_and_a_distance_beyond_the_bits_are_refused(places, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no photos"):
        audit(places[0], str(tmp_path / "empty"), output=tmp_path / "out")
    with pytest.raises(InputError, match="257"):
        audit(*places, output=tmp_path / "out", most=257)
