import re

import numpy as np

from evaluations import record, write
from inpaint.evaluation.merging import merge, refusals
from inpaint.evaluation.record import Record


def test_models_of_two_evaluations_of_the_same_come_into_one_record_in_the_order_of_photos():
    one, other = record({"x": 0.0}, folder="one"), record({"y": 1.0, "z": 2.0}, folder="other")
    (made,) = merge([one, other])
    assert made.models == ("x", "y", "z")
    assert made.manifest == one.manifest
    assert [row.key for row in made.rows] == [
        (f"p{n:02}.png", "thick", model) for n in range(20) for model in ("x", "y", "z")
    ]
    assert {row.values["psnr_hole"] for row in made.rows if row.model == "y"} == {
        row.values["psnr_hole"] for row in other.rows if row.model == "y"
    }
    assert refusals([one, other]) == []
    assert made.settings["models"] == {"x": "sha256:x", "y": "sha256:y", "z": "sha256:z"}


def test_a_changed_mask_photo_or_protocol_is_refused_in_one_table_with_the_first_difference():
    one = record({"x": 0.0}, folder="one")
    for other, difference in (
        (record({"x": 0.0}, photos=21, folder="other"), "photo p20.png is new"),
        (record({"x": 0.0}, version=2, folder="other"), "protocol.version was 1, is 2 now"),
        (record({"x": 0.0}, seed=0, size=128, folder="other"), "protocol.size was 64, is 128 now"),
    ):
        assert len(merge([one, other])) == 2
        (line,) = refusals([one, record({"y": 0.0}, folder="again"), other])
        hashes = re.findall(r"[0-9a-f]{16}", line)
        assert hashes == [one.manifest.hash, other.manifest.hash]
        assert hashes[0] != hashes[1]
        assert line.startswith("not in one table: 'one' has manifest ")
        assert line.endswith(difference)


def test_evaluations_that_share_some_kinds_of_masks_compare_in_those():
    one, other = record({"x": 0.0}, masks=("a", "b")), record({"y": 0.0}, masks=("b", "c"))
    found = {made.manifest.labels: made.models for made in merge([one, other])}
    assert found == {("a",): ("x",), ("b",): ("x", "y"), ("c",): ("y",)}
    assert refusals([one, other]) == []
    shared = next(made for made in merge([one, other]) if made.manifest.labels == ("b",))
    assert shared.manifest.hash == one.manifest.hashes["b"]
    assert {row.mask for row in shared.rows} == {"b"}


def test_the_same_weights_are_one_model_with_the_measures_of_both():
    one = record({"x": 0.0}, names=("psnr_hole", "hole_ratio"))
    other = record({"x": 0.0}, names=("l1_hole", "hole_ratio"))
    (made,) = merge([one, other])
    assert made.models == ("x",)
    assert [measure.name for measure in made.measures] == ["psnr_hole", "hole_ratio", "l1_hole"]
    assert all(row.values.keys() == {"psnr_hole", "l1_hole", "hole_ratio"} for row in made.rows)
    assert len(made.rows) == 20


def test_other_weights_of_the_same_label_are_told_apart_by_the_folder():
    one = record({"x": 0.0, "telea": 0.0}, folder="mine/one")
    other = record({"x": 1.0, "telea": 0.0}, folder="theirs/one", identities={"x": "sha256:2", "telea": "sha256:telea"})
    (made,) = merge([one, other])
    assert made.models == ("one/x", "telea", "2/one/x")
    means = [np.mean([row.values["psnr_hole"] for row in made.rows if row.model == model]) for model in made.models]
    assert means[2] > means[0] + 0.5


def test_pictures_stay_in_the_folder_that_each_model_comes_from(tmp_path):
    folders = [
        write(record({"x": 0.0}, identities={"x": "1"}), tmp_path / "one", pictures=2),
        write(record({"x": 1.0}, identities={"x": "2"}), tmp_path / "two", pictures=3),
    ]
    (made,) = merge([Record.read(folder) for folder in folders])
    assert made.picture("p01.png", "thick", "two/x").parent == tmp_path / "two" / "pictures"
    assert made.picture("p01.png", "thick", "one/x").parent == tmp_path / "one" / "pictures"
    assert made.picture("p02.png", "thick", "masked").parent == tmp_path / "two" / "pictures"
    assert made.picture("p03.png", "thick", "original") is None


def test_an_evaluation_by_itself_stays_what_it_is():
    made = record({"x": 0.0, "y": 1.0})
    assert merge([made]) == [made]
