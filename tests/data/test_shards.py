"""Tar shards: what goes in comes out, through an index that notices changes."""

from __future__ import annotations

import gc
import io
import pickle
import sys
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from inpaint.data import shards
from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.data.opening import open_source
from inpaint.data.packing import plan_shards
from inpaint.data.stream import SampleStream
from inpaint.errors import DataError, InputError, MissingDependencyError, UsageError
from inpaint.images.reading import read_rgb

pytest.importorskip("webdataset", reason="the extra `shards` is not installed")


def pack(root, folder, *, count=3, shard_bytes=10**9, seed=0):
    plan = plan_shards(str(root), folder, shard_bytes=shard_bytes, shard_count=count, seed=seed, min_px=16)
    return list(plan.write(folder))


def read_all(source):
    """Return {name of the file: pixels} of all photos."""
    return {source.name(index).split("/", 1)[-1]: source.read(index) for index in range(len(source))}


def tar_of(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def png(height=20, width=24, value=90, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, (width, height), value if mode == "L" else (value, 0, 0)).save(file, format="PNG")
    return file.getvalue()


def test_photos_survive_the_way_into_shards_and_back(photo_folder, tmp_path):
    Image.open(photo_folder / "a.png").save(photo_folder / "e.f.JPG", format="JPEG")
    written = pack(photo_folder, tmp_path / "shards", count=2)
    assert [(shard.path.name, shard.photos, shard.done) for shard in written] == [
        ("shard-000000.tar", 2, 2),
        ("shard-000001.tar", 2, 4),
        ("shard-000002.tar", 1, 5),
    ]
    source = open_source(str(tmp_path / "shards"), min_px=16)
    found = read_all(source)
    assert sorted(found) == ["a.png", "b.png", "c.png", "e_f.jpg", "more/d.png"]
    for name, file in zip(sorted(found), ["a.png", "b.png", "c.png", "e.f.JPG", "more/d.png"], strict=True):
        assert np.array_equal(found[name], read_rgb(photo_folder / file))
    assert source.groups.tolist() == [0, 0, 1, 1, 2]
    for index in range(5):
        assert source.sizes_px[index].tolist() == list(source.read(index).shape[:2])


def test_other_programs_read_our_shards(photo_folder, tmp_path):
    from webdataset.tariterators import group_by_keys, tar_file_expander

    pack(photo_folder, tmp_path / "shards", count=10)
    with (tmp_path / "shards" / "shard-000000.tar").open("rb") as stream:
        samples = list(group_by_keys(tar_file_expander([{"url": "shard", "stream": stream}])))
    assert sorted(sample["__key__"] for sample in samples) == ["a", "b", "c", "more/d"]
    by_key = {sample["__key__"]: sample["png"] for sample in samples}
    assert by_key["more/d"] == (photo_folder / "more" / "d.png").read_bytes()


def test_a_shard_is_closed_before_it_grows_too_large(write_photos, tmp_path):
    folder = write_photos(6)
    largest = max(path.stat().st_size for path in folder.iterdir())
    pack(folder, tmp_path / "shards", count=None, shard_bytes=2 * largest)
    source = open_source(str(tmp_path / "shards"), min_px=16)
    sums = np.bincount(source.groups, weights=source.sizes_bytes)
    assert len(sums) >= 3
    assert sums.max() <= 2 * largest


def test_the_same_photos_give_the_same_shards_and_the_seed_mixes_them(write_photos, tmp_path):
    folder = write_photos(6)
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        pack(folder, tmp_path / name, count=6, seed=seed)
    first, second, third = (
        (tmp_path / name / "shard-000000.tar").read_bytes() for name in ("first", "second", "third")
    )
    assert first == second
    assert first != third


def test_names_that_would_collide_as_keys_stay_apart(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(["a.png", "a.bmp", "a.b.png", "a_b.png"]):
        Image.new("RGB", (20, 20), (number * 50, 0, 0)).save(folder / name)
    pack(folder, tmp_path / "shards", count=10)
    found = read_all(open_source(str(tmp_path / "shards"), min_px=16))
    assert len(found) == 4
    assert sorted(int(pixels[0, 0, 0]) for pixels in found.values()) == [0, 50, 100, 150]
    assert len({name.split(".")[0] for name in found}) == 4


def test_sketches_travel_with_their_photos(write_photos, tmp_path):
    folder = write_photos(3)
    lines = (np.random.default_rng(0).random((40, 45)) < 0.3).astype(np.uint8) * 255
    Image.fromarray(lines).save(folder / "p01_edge.png")
    pack(folder, tmp_path / "shards")
    source = open_source(str(tmp_path / "shards"), min_px=16)
    assert len(source) == 3
    numbers = {source.name(index).split("/")[1]: index for index in range(3)}
    assert np.array_equal(source.read_companion(numbers["p01.png"]), lines)
    with pytest.raises(InputError, match=r"p00\.png' has no member"):
        source.read_companion(numbers["p00.png"])


@pytest.mark.parametrize("root", ["{}", "{}/shard-*.tar", "{}/shard-000001.tar"])
def test_shards_are_named_by_folder_pattern_or_file(write_photos, tmp_path, root):
    pack(write_photos(7), tmp_path / "shards")
    source = open_source(root.format(tmp_path / "shards"), min_px=16)
    assert len(source) == (3 if "000001" in root else 7)


def test_foreign_shards_are_indexed_in_the_cache_and_their_other_members_left_alone(tmp_path, monkeypatch):
    tar = tmp_path / "train.tar"
    tar_of(tar, {"x/1.png": png(), "x/1.cls": b"7", "x/1.json": b"{}", "2.PNG": png(30, 31), "3.png": b"broken"})
    built = []
    real = shards.build_index
    monkeypatch.setattr(shards, "build_index", lambda path: built.append(path) or real(path))
    for _ in range(2):
        source = open_source(str(tar), min_px=16)
        assert [source.name(index) for index in range(len(source))] == ["train.tar/2.PNG", "train.tar/x/1.png"]
        assert source.sizes_px.tolist() == [[30, 31], [20, 24]]
        assert [(skip.name, skip.problem) for skip in source.skipped] == [("train.tar/3.png", "not an image")]
    assert len(built) == 1
    assert list(tmp_path.glob("*.index")) == []


def test_an_index_is_rebuilt_when_its_tar_changes(write_photos, tmp_path):
    pack(write_photos(2), tmp_path / "shards")
    tar = tmp_path / "shards" / "shard-000000.tar"
    tar_of(tar, {"new.png": png(50, 51)})
    source = open_source(str(tmp_path / "shards"), min_px=16)
    assert [source.name(index) for index in range(len(source))] == ["shard-000000.tar/new.png"]
    assert source.read(0).shape == (50, 51, 3)


def test_a_tar_cut_short_keeps_what_is_whole_and_names_the_rest(tmp_path):
    tar = tmp_path / "cut.tar"
    tar_of(tar, {"1.png": png(), "2.png": png(300, 310)})
    data = tar.read_bytes()
    tar.write_bytes(data[: 1024 + 512 + 600])
    source = open_source(str(tar), min_px=16)
    assert [source.name(index) for index in range(len(source))] == ["cut.tar/1.png"]
    assert [(skip.name, skip.problem) for skip in source.skipped] == [("cut.tar/2.png", "the tar ends before it")]


def test_a_file_that_is_no_tar_is_skipped_and_alone_an_error(write_photos, tmp_path):
    pack(write_photos(2), tmp_path / "shards")
    (tmp_path / "shards" / "zzz.tar").write_bytes(b"this is no tar" * 100)
    source = open_source(str(tmp_path / "shards"), min_px=16)
    assert len(source) == 2
    assert [skip.name for skip in source.skipped] == ["zzz.tar"]
    with pytest.raises(DataError, match=r"holds no usable photo; 1 found: zzz\.tar: not a readable tar"):
        open_source(str(tmp_path / "shards" / "zzz.tar"), min_px=16)


def test_training_reads_shards_as_it_reads_files(write_photos, tmp_path):
    pack(write_photos(8), tmp_path / "shards")
    data = InpaintData(
        DataConfig(root=str(tmp_path / "shards"), size=32, masks="box", workers=2, window=2),
        batch_size=3,
        max_iterations=4,
        seed=0,
    )
    batches = list(data.train_dataloader())
    for batch in batches:
        for row, number in enumerate(batch["number"].tolist()):
            assert torch.equal(batch["image"][row], data.stream[number]["image"])
    assert not set(data.stream.indices) & set(data.validation.indices)


def test_a_pass_stays_within_windows_of_shards(write_photos, tmp_path):
    pack(write_photos(12), tmp_path / "shards")
    source = open_source(str(tmp_path / "shards"), min_px=16)
    config = DataConfig(root=str(tmp_path / "shards"), size=32, masks="box", window=2)
    stream = SampleStream(source, np.arange(12), config, seed=0)
    order = stream.order.permutation(0)
    assert sorted(order.tolist()) == list(range(12))
    halves = [set(source.groups[order[:6]].tolist()), set(source.groups[order[6:]].tolist())]
    assert [len(half) for half in halves] == [2, 2]
    assert not halves[0] & halves[1]


def test_handles_are_few_and_do_not_travel(write_photos, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_OPEN_TARS", 2)
    pack(write_photos(5), tmp_path / "shards", count=1)
    source = open_source(str(tmp_path / "shards"), min_px=16)
    first = [source.read(index) for index in range(5)]
    assert len(source.handles.open) == 2
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy.handles.open) == 0
    assert all(np.array_equal(copy.read(index), first[index]) for index in range(5))


def test_a_tar_that_disappears_during_training_is_an_input_error(write_photos, tmp_path):
    pack(write_photos(1), tmp_path / "shards")
    source = open_source(str(tmp_path / "shards"), min_px=16)
    (tmp_path / "shards" / "shard-000000.tar").unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        source.read(0)


def test_writing_shards_without_webdataset_names_the_extra(write_photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset.writer", None)
    message = r"^writing shards needs the package webdataset: pip install 'pytorch-inpaint\[shards\]'$"
    with pytest.raises(MissingDependencyError, match=message):
        pack(write_photos(1), tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_a_folder_with_tars_is_not_written_into(write_photos, tmp_path):
    folder = write_photos(2)
    pack(folder, tmp_path / "shards")
    with pytest.raises(UsageError, match="holds tar files already"):
        pack(folder, tmp_path / "shards")
    with pytest.raises(UsageError, match="is tar shards already"):
        pack(tmp_path / "shards", tmp_path / "again")


# Links, and patterns with braces --------------------------------------------------------------------------------------


def linked_tar(path, files, links):
    """Write files {name: data} and links {name: (type, target)} into a tar, in the order of their names."""
    with tarfile.open(path, "w") as archive:
        for name in sorted({**files, **links}):
            info = tarfile.TarInfo(name)
            if name in files:
                info.size = len(files[name])
                archive.addfile(info, io.BytesIO(files[name]))
            else:
                info.type, info.linkname = links[name]
                archive.addfile(info)


def test_links_inside_a_tar_are_read_as_what_they_lead_to(tmp_path):
    files = {"./b/two.png": png(value=40), "b/edge.bin": png(value=50), "b/two.edge.png": png(value=7, mode="L")}
    links = {
        "./a/hard.png": (tarfile.LNKTYPE, "./b/two.png"),  # before what it leads to
        "a/soft.png": (tarfile.SYMTYPE, "../b/two.png"),
        "c/chain.png": (tarfile.LNKTYPE, "a/soft.png"),
        "c/plain.jfif": (tarfile.SYMTYPE, "../b/edge.bin"),
        "c/chain.edge.png": (tarfile.LNKTYPE, "b/two.edge.png"),
    }
    linked_tar(tmp_path / "a.tar", files, links)
    source = open_source(str(tmp_path / "a.tar"), min_px=8)
    found = {name: int(image[0, 0, 0]) for name, image in read_all(source).items()}
    assert found == {"./a/hard.png": 40, "./b/two.png": 40, "a/soft.png": 40, "c/chain.png": 40, "c/plain.jfif": 50}
    assert not source.skipped
    chained = [source.name(index) for index in range(len(source))].index("a.tar/c/chain.png")
    assert source.read_companion(chained)[0, 0] == 7


def test_links_that_lead_nowhere_and_members_that_are_no_files_are_skipped_with_the_reason(tmp_path):
    links = {
        "gone.png": (tarfile.LNKTYPE, "not/there.png"),
        "loop.png": (tarfile.SYMTYPE, "pool.png"),
        "pool.png": (tarfile.SYMTYPE, "loop.png"),
        "outside.jpg": (tarfile.SYMTYPE, "../../secret.jpg"),
        "pipe.png": (tarfile.FIFOTYPE, ""),
        "folder.png": (tarfile.DIRTYPE, ""),
        "pipe": (tarfile.FIFOTYPE, ""),
    }
    linked_tar(tmp_path / "a.tar", {"good.png": png()}, links)
    source = open_source(str(tmp_path / "a.tar"), min_px=8)
    assert list(read_all(source)) == ["good.png"]
    problems = {skip.name.removeprefix("a.tar/"): skip.problem for skip in source.skipped}
    assert problems.pop("pipe.png") == "not a file"
    assert problems.keys() == {"gone.png", "loop.png", "pool.png", "outside.jpg"}
    assert problems["gone.png"] == "a link to 'not/there.png', which the tar does not hold"
    assert all("which the tar does not hold" in problem for problem in problems.values())


def test_an_index_that_was_written_without_links_is_made_anew(tmp_path, monkeypatch):
    linked_tar(tmp_path / "a.tar", {"b.png": png()}, {"a.png": (tarfile.LNKTYPE, "b.png")})
    with monkeypatch.context() as earlier:
        earlier.setattr(shards, "_INDEX_VERSION", 1)
        shards.write_index(tmp_path / "a.tar")
    assert len(open_source(str(tmp_path / "a.tar"), min_px=8)) == 2


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("train-{0000..0002}.tar", [0, 1, 2]),
        ("train-{0000,0002}.tar", [0, 2]),
        ("train-000{0,{1..2}}.tar", [0, 1, 2]),
        ("train-{0000..0003..2}.tar", [0, 2]),
        ("train-0000.tar::train-{0002..0003}.tar", [0, 2, 3]),
        ("train-{0003..0002}.tar", [3, 2]),
    ],
)
def test_patterns_with_braces_name_the_tars_that_webdataset_reads(tmp_path, monkeypatch, pattern, numbers):
    from webdataset.shardlists import expand_urls

    monkeypatch.chdir(tmp_path)
    for number in range(4):
        tar_of(tmp_path / f"train-{number:04d}.tar", {f"{number}.png": png(value=number)})
    assert [str(tar) for tar in shards.shard_files(pattern)] == expand_urls(pattern)
    source = open_source(pattern, min_px=8)
    assert [int(source.read(index)[0, 0, 0]) for index in range(len(source))] == numbers


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("train-{0..2}.tar", r"'train-\{0\.\.2\}\.tar': 1 of 3 tars are not there, the first is train-2\.tar"),
        ("train-{0..1.tar", "has a brace without its other half"),
        ("train-{0..1}.zip", "does not exist"),
    ],
)
def test_a_pattern_with_braces_that_does_not_fit_says_what_is_missing(tmp_path, monkeypatch, pattern, text):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        tar_of(tmp_path / f"train-{number}.tar", {"a.png": png()})
    with pytest.raises(DataError, match=text):
        open_source(pattern, min_px=8)


def test_a_tar_whose_name_has_braces_is_a_tar(tmp_path):
    tar_of(tmp_path / "a{1}.tar", {"a.png": png()})
    assert len(open_source(str(tmp_path / "a{1}.tar"), min_px=8)) == 1


def test_writing_that_is_interrupted_leaves_no_tar_and_no_complaint(photo_folder, tmp_path, monkeypatch, capfd):
    plan = plan_shards(str(photo_folder), tmp_path / "out", shard_bytes=10**9, shard_count=None, seed=0, min_px=16)
    calls = []

    def interrupted(packing, photo, keys):
        calls.append(photo)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return sample(packing, photo, keys)

    sample = type(plan)._sample
    monkeypatch.setattr(type(plan), "_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(plan.write(tmp_path / "out"))
    gc.collect()
    assert list((tmp_path / "out").iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_tar_of_several_names_is_read_once(write_photos, tmp_path):
    pack(write_photos(2), tmp_path / "shards")
    tar = tmp_path / "shards/shard-000000.tar"
    (tmp_path / "shards/again.tar").hardlink_to(tar)
    (tmp_path / "shards/link.tar").symlink_to(tar)
    assert len(open_source(str(tmp_path / "shards"), min_px=16)) == 2
