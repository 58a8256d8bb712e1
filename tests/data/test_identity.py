"""Photos are told by what their files hold: links, copies, other spellings, changes since a run stopped."""

from __future__ import annotations

import os
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from inpaint.data.config import DataConfig
from inpaint.data.headers import PROBE_BYTES, fingerprint
from inpaint.data.identity import Inventory, content_hashes, copies
from inpaint.data.module import DividedPhotos
from inpaint.data.opening import open_source
from inpaint.errors import DataError


@pytest.fixture
def folder(tmp_path, make_photo):
    """Twelve photos."""
    found = tmp_path / "root"
    found.mkdir()
    for seed in range(12):
        Image.fromarray(make_photo(33, 40, seed)).save(found / f"{seed:02}.png")
    return found


def divided(folder, val=None, before=None, **options) -> DividedPhotos:
    return DividedPhotos(DataConfig(root=str(folder), val=val and str(val), size=32, **options), before=before)


def names(photos: DividedPhotos, which: str) -> list[str]:
    source, indices = (photos.train_source, photos.train) if which == "train" else (photos.val_source, photos.val)
    return [source.name(int(index)) for index in indices]


@pytest.mark.parametrize("how", [os.symlink, os.link, shutil.copyfile], ids=["symlink", "hard link", "copy"])
def test_what_is_validated_on_is_not_trained_on_by_another_name(how, folder, tmp_path, caplog):
    val = tmp_path / "val"
    val.mkdir()
    for name in ("01", "05"):
        how(folder / f"{name}.png", val / f"other-{name}.png")
    photos = divided(folder, val)
    assert {"01.png", "05.png"}.isdisjoint(names(photos, "train"))
    assert len(photos.train) == 10
    assert "2 photos of data.root are in data.val too and not trained on" in caplog.text


def test_a_copy_inside_the_root_is_on_one_side_of_the_split(folder, caplog):
    held_out = names(divided(folder), "val")
    shutil.copyfile(folder / held_out[0], folder / "zz-copy.png")
    photos = divided(folder)
    sides = {"zz-copy.png": [], held_out[0]: []}
    for side in ("train", "val"):
        for name in sides:
            sides[name] += [side] if name in names(photos, side) else []
    assert not {"train", "val"} <= {*sides["zz-copy.png"], *sides[held_out[0]]}


def test_a_validation_folder_of_copies_of_everything_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "val")
    with pytest.raises(DataError, match=r"holds every photo of data\.root"):
        divided(folder, tmp_path / "val")


def test_copies_in_shards_are_found_as_in_folders(folder, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(folder / "03.png", "renamed.png")
    shards, files = open_source(str(tmp_path / "a.tar"), min_px=8), open_source(str(folder), min_px=8)
    found = copies(files, np.arange(12), shards, np.arange(1))
    assert np.flatnonzero(found).tolist() == [3]
    assert content_hashes(shards, [0]) == content_hashes(files, [3])


@pytest.mark.parametrize("size", [0, 10, 3 * PROBE_BYTES, 3 * PROBE_BYTES + 1, 10 * PROBE_BYTES])
def test_a_fingerprint_tells_size_start_middle_and_end_apart(size):
    def of(data: bytes) -> int:
        return fingerprint(lambda start, count: data[start : start + count], len(data))

    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    changed = {size: data + b"\0"}
    for place in {0, size // 2, size - 1} if size else ():
        changed[place] = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    found = {of(data), *(of(each) for each in changed.values())}
    assert len(found) == 1 + len({data, *changed.values()} - {data})
    assert of(data) == of(bytes(data))


def test_files_of_one_size_and_other_content_are_no_copies(tmp_path):
    for name, level in (("a", 1), ("b", 2)):
        Image.new("RGB", (40, 40), (level, level, level)).save(tmp_path / f"{name}.bmp")
    source = open_source(str(tmp_path), min_px=8)
    assert len(set(source.sizes_bytes.tolist())) == 1
    assert not copies(source, np.array([0]), source, np.array([1])).any()


def test_a_list_counts_a_photo_once_however_it_is_spelled(folder, tmp_path):
    (tmp_path / "linked").symlink_to(folder)
    spelled = [
        "root/00.png",
        "./root/00.png",
        f"{folder}/00.png",
        "root/../root/00.png",
        "linked/00.png",
        "root/01.png",
    ]
    (tmp_path / "list.txt").write_text("\n".join(spelled))
    source = open_source(str(tmp_path / "list.txt"), min_px=8)
    assert list(source.names) == ["root/00.png", "root/01.png"]


def test_shards_of_one_name_are_told_by_their_folders(folder, tmp_path):
    for place in ("one/x", "two/x"):
        (tmp_path / place).mkdir(parents=True)
        with tarfile.open(tmp_path / place / "s-0.tar", "w") as tar:
            tar.add(folder / ("00.png" if place == "one/x" else "01.png"), "a.png")
    source = open_source(f"{tmp_path}/*/x/s-*.tar", min_px=8)
    assert [source.name(0), source.name(1)] == ["one/x/s-0.tar/a.png", "two/x/s-0.tar/a.png"]
    (tmp_path / "three").symlink_to(tmp_path / "one")
    assert len(open_source(f"{tmp_path}/*/x/s-*.tar", min_px=8)) == 2


def test_no_photo_of_any_validation_set_is_trained_on(folder, tmp_path):
    (tmp_path / "val").mkdir()
    for name in ("01", "05"):
        shutil.copyfile(folder / f"{name}.png", tmp_path / "val" / f"{name}.png")
    sets = {"held_out": None, "copies": str(tmp_path / "val"), "boxes": {"root": str(tmp_path / "val"), "masks": "box"}}
    photos = DividedPhotos(DataConfig(root=str(folder), val=sets, size=32))
    held_out = names(photos, "val")
    assert held_out == names(divided(folder), "val")
    assert {name: len(one.indices) for name, one in photos.sets.items()} == {"held_out": 3, "copies": 2, "boxes": 2}
    assert {*held_out, "01.png", "05.png"}.isdisjoint(names(photos, "train"))
    assert len(photos.train) == 12 - len({*held_out, "01.png", "05.png"})
    assert (photos.sets["boxes"].masks, photos.sets["copies"].masks) == ("box", "deepfill")


# A run that goes on --------------------------------------------------------------------------------------------------


def stored(photos: DividedPhotos) -> Inventory:
    """Return the inventory as a checkpoint gives it back."""
    found = Inventory.of_state(photos.inventory.state())
    assert found is not None
    return found


def test_photos_that_come_leave_the_validation_set_as_it_is(folder, make_photo, caplog):
    first = divided(folder)
    before = stored(first)
    for seed in range(30):
        Image.fromarray(make_photo(33, 40, 100 + seed)).save(folder / f"new{seed}.png")
    second = divided(folder, before=before)
    second.report_changes()
    assert names(second, "val") == names(first, "val") != names(divided(folder), "val")
    assert len(second.train) == len(first.train) + 30
    assert not second.incomparable
    assert "30 added; validation goes on with the same photos" in caplog.text


def test_photos_that_were_renamed_are_still_the_validation_set(folder):
    first = divided(folder)
    before = stored(first)
    (name, *_) = names(first, "val")
    (folder / name).rename(folder / "zz.png")
    second = divided(folder, before=before)
    assert names(second, "val")[0] == "zz.png"
    assert not second.incomparable


@pytest.mark.parametrize("change", ["removed", "painted over"])
def test_figures_of_two_validation_sets_are_not_compared(change, folder, make_photo, caplog):
    first = divided(folder)
    before = stored(first)
    (name, *_) = names(first, "val")
    (folder / name).unlink()
    if change == "painted over":
        Image.fromarray(make_photo(33, 40, 77)).save(folder / name)
    second = divided(folder, before=before)
    second.report_changes()
    assert second.incomparable
    assert "1 of 3 validation photos of the run is gone or changed" in caplog.text


def test_a_training_photo_that_changed_under_its_name_and_size_is_counted(folder, caplog):
    for path in list(folder.iterdir()):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    first = divided(folder)
    before = stored(first)
    path = folder / names(first, "train")[3]
    content = bytearray(path.read_bytes())
    content[1000:1030] = bytes(30)
    path.write_bytes(content)
    os.utime(folder / names(first, "train")[4], (1, 1))  # the same photo, at another time
    second = divided(folder, before=before)
    second.report_changes()
    assert "the training photos have changed since the run stopped: 1 changed;" in caplog.text
    assert not second.incomparable
    assert not second.unchanged
    assert divided(folder, before=stored(second)).unchanged


@pytest.mark.parametrize("kind", ["folder", "paired"])
def test_masks_of_the_training_that_changed_are_said(kind, folder, tmp_path, caplog):
    (tmp_path / "masks").mkdir()
    for path in folder.iterdir():
        Image.fromarray(np.pad(np.full((13, 20), 255, np.uint8), 10)).save(tmp_path / "masks" / path.name)
    options = {"masks": f"{kind}:{tmp_path}/masks", "val_masks": "center"}
    before = stored(divided(folder, **options))
    divided(folder, before=before, **options).report_changes()
    assert not caplog.text
    Image.fromarray(np.pad(np.full((11, 18), 255, np.uint8), 11)).save(tmp_path / "masks" / "03.png")
    second = divided(folder, before=before, **options)
    second.report_changes()
    assert "the files of data.masks have changed since the run stopped" in caplog.text
    assert not second.incomparable
    assert not second.unchanged


def test_photos_that_moved_as_a_whole_are_the_same(folder, caplog):
    before = stored(divided(folder))
    photos = divided(folder.rename(folder.with_name("moved")), before=before)
    photos.report_changes()
    assert not caplog.text
    assert photos.unchanged


@pytest.mark.parametrize("options", [{"val_seed": 1}, {"val_masks": "center"}])
def test_another_seed_or_other_masks_are_another_validation(options, folder):
    before = stored(divided(folder))
    assert not divided(folder, before=before).incomparable
    assert divided(folder, before=before, **options).incomparable


def test_an_unchanged_folder_of_masks_is_the_same_validation_from_everywhere(folder, tmp_path, monkeypatch):
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 12)).save(tmp_path / "masks" / "m.png")
    monkeypatch.chdir(tmp_path)
    before = stored(divided(folder, masks="folder:masks"))
    assert not divided(folder, masks=f"folder:{tmp_path}/masks", before=before).incomparable
    Image.fromarray(np.pad(np.full((5, 9), 255, np.uint8), 12)).save(tmp_path / "masks" / "m.png")
    assert divided(folder, masks="folder:masks", before=before).incomparable


def test_a_checkpoint_of_an_earlier_version_knows_no_photos(folder):
    assert Inventory.of_state({}) is None
    assert not divided(folder).incomparable


def test_each_validation_set_is_compared_with_itself(folder, tmp_path, make_photo, caplog):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for seed in range(3):
            Image.fromarray(make_photo(33, 40, 50 + seed)).save(tmp_path / name / f"{name}{seed}.png")
    sets = {name: str(tmp_path / name) for name in ("a", "b")}
    before = stored(DividedPhotos(DataConfig(root=str(folder), val=sets, size=32)))
    (tmp_path / "b" / "b1.png").unlink()
    Image.fromarray(make_photo(33, 40, 99)).save(tmp_path / "a" / "new.png")
    config = DataConfig(root=str(folder), val={**sets, "c": {"root": sets["a"], "masks": "box"}}, size=32)
    now = DividedPhotos(config, before=before)
    now.report_changes()
    assert now.incomparable == ["b", "c"]
    assert [len(one.indices) for one in now.sets.values()] == [3, 2, 4]
    assert "1 photo that has come to data.val.a is not validated on" in caplog.text
    assert "1 of 3 validation photos of data.val.b of the run is gone or changed" in caplog.text
