"""What a comparison leaves in W&B, read from the file that W&B itself has recorded offline."""

import json
import sys

import pytest

from evaluations import record, write
from inpaint.errors import InpaintError
from inpaint.evaluation.outcomes import outcome
from inpaint.evaluation.record import Record
from inpaint.evaluation.upload import upload
from wandb_records import read_offline


@pytest.mark.slow
def test_one_run_holds_summary_tables_pictures_and_the_manifest_and_says_how_to_upload(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = write(record({"x": 0.0, "y": 1.0}, photos=9), tmp_path / "one", pictures=3)
    made = outcome(Record.read(folder))
    (line,) = upload(made, project="faces", folder=tmp_path, command="inpaint compare one", pictures=2)
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert line == f"W&B recorded offline; upload with: wandb sync {file.parent}"
    config, summary, history, artifacts = read_offline(file)
    hash_ = made.record.manifest.hash
    assert (config["manifest"], config["models"], config["facts"]["command"]) == (
        hash_,
        ["x", "y"],
        "inpaint compare one",
    )
    assert summary["manifest"] == hash_
    assert summary["thick/psnr_hole/y"] == pytest.approx(made.summary.column("thick", "psnr_hole")["y"].mean)
    (logged,) = history
    assert logged["images.nrows"] == 18
    assert logged["entries.nrows"] == len(made.summary.entries)
    (evaluation,) = (each for each in artifacts if each.type == "evaluation")
    assert evaluation.name == f"evaluation-{hash_}"
    files = {each.path for each in evaluation.manifest.contents}
    assert files == {"manifest.json", "summary.csv", "summary.json", "table.md"}
    (images,) = (each for each in artifacts if each.name.endswith("-images"))
    pictures = [each.path for each in images.manifest.contents if each.path.endswith(".png")]
    assert len(pictures) == 2 * 4  # of two photos: masked, both fills, original
    table = json.loads((file.parent / "files" / logged["images.path"]).read_text())
    assert table["columns"][:6] == ["image", "mask", "model", "masked", "filled", "original"]
    psnr = table["columns"].index("psnr_hole")
    assert [row[psnr] for row in table["data"]] == [row.values["psnr_hole"] for row in made.record.rows]


def test_a_missing_wandb_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InpaintError, match="W&B failed: "):
        upload(outcome(record({"x": 0.0}, photos=3)), project="faces", folder=tmp_path)
