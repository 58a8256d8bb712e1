"""What an evaluation writes is what its readers find."""

import csv
import json

import pytest

from inpaint.errors import InpaintError
from inpaint.evaluation.manifest import Listed, Manifest
from inpaint.evaluation.record import (
    Failure,
    Record,
    Row,
    SetRow,
    picture_path,
    write_failures,
    write_rows,
    write_sets,
)

ODD = 'odd, "name"\r\nä\udcff.png'


def manifest(**changed):
    protocol = {"name": "center_64", "version": 1, "size": 64, "seed": 0, "masks": {"center_64": {}}} | changed
    keys = {"a.png": "0" * 16, ODD: "1" * 16}
    photos = (Listed(key=key, picture=each, masks={"center_64": "2" * 12}) for key, each in keys.items())
    return Manifest(protocol, tuple(photos))


@pytest.fixture
def folder(tmp_path):
    manifest().write(tmp_path)
    settings = {"models": {"x": "sha256:1", "y": "sha256:2"}, "measures": ["psnr_hole", "l1"], "device": "cpu"}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    rows = [
        Row(image="a.png", mask="center_64", model="x", values={"psnr_hole": 1 / 3, "l1": 1e-17}, seconds=0.1),
        Row(image=ODD, mask="center_64", model="x", values={"l1": 2.0}, seconds=3e-05),
    ]
    write_rows(tmp_path, rows, ["psnr_hole", "l1"])
    write_sets(tmp_path, [SetRow(measure="fid", mask="center_64", model="x", value=None, n=2)])
    write_failures(tmp_path, [Failure(image=ODD, mask="center_64", model="y", reason="too dark, for me")])
    return tmp_path


def test_rows_come_back_from_the_files_exactly(folder):
    record = Record.read(folder)
    assert [(row.key, dict(row.values), row.seconds) for row in record.rows] == [
        (("a.png", "center_64", "x"), {"psnr_hole": 1 / 3, "l1": 1e-17}, 0.1),
        ((ODD, "center_64", "x"), {"l1": 2.0}, 3e-05),
    ]
    assert record.manifest == manifest()
    assert (record.models, record.manifest.keys, record.manifest.labels) == (("x", "y"), ("a.png", ODD), ("center_64",))
    assert [measure.name for measure in record.measures] == ["psnr_hole", "l1"]
    assert record.sets == (SetRow(measure="fid", mask="center_64", model="x", value=None, n=2),)
    assert record.failures[0].reason == "too dark, for me"


def test_a_column_per_measure_seconds_apart_and_what_was_not_measured_empty(folder):
    with (folder / "results.csv").open(newline="", errors="surrogateescape") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["image", "mask", "model", "psnr_hole", "l1"]
    assert lines[1] == ["a.png", "center_64", "x", "0.3333333333333333", "1e-17"]
    assert lines[2][3:] == ["", "2.0"]
    assert (folder / "timing.csv").read_text(errors="surrogateescape").startswith("image,mask,model,seconds\n")


def test_pictures_are_found_by_the_names_of_photo_mask_and_model(folder):
    record = Record.read(folder)
    assert record.picture("more/d.png", "center_64", "x") is None
    paths = {
        (image, mask, model): picture_path(folder, image=image, mask=mask, model=model)
        for image in ("more/d.png", "more_d.png", ODD)
        for mask in ("center_64", "a+b")
        for model in ("x", "masked")
    }
    assert len(set(paths.values())) == len(paths)
    path = paths["more/d.png", "center_64", "x"]
    path.parent.mkdir()
    path.write_bytes(b"")
    assert record.picture("more/d.png", "center_64", "x") == path
    originals = {picture_path(folder, image="a.png", mask=mask, model="original") for mask in ("center_64", "")}
    assert len(originals) == 1


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("settings.json", None, "is no evaluation: cannot read"),
        ("settings.json", "{", "is no JSON"),
        ("settings.json", '{"version": 2, "models": {}}', "by an earlier version"),
        ("results.csv", None, "holds no finished evaluation"),
        ("results.csv", "what\n", "not the headings of an evaluation"),
        ("results.csv", "image,mask,model,l1\na,b,c\n", "damaged at line 2 (3 cells instead of 4)"),
        ("results.csv", "image,mask,model,l1\na,b,c,nan\n", "'nan' is no finite number"),
        ("results.csv", "image,mask,model,what\n", "unknown measure 'what'"),
        ("manifest.json", None, "cannot read"),
        ("manifest.json", "{}", "is no manifest of an evaluation"),
    ],
)
def test_what_is_no_evaluation_or_damaged_is_told(folder, name, content, text):
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    with pytest.raises(InpaintError) as error:
        Record.read(folder)
    assert text in str(error.value)


def test_a_manifest_that_was_changed_by_hand_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"size": 64', '"size": 65'))
    with pytest.raises(InpaintError, match="was changed: its hash is"):
        Record.read(folder)
