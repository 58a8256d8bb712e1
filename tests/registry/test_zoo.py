"""Public weights: the rows, and fetching, verifying and converting a stand-in from a server on this machine."""

import hashlib
import io
import json
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

import inpaint
from file_server import file_server
from inpaint.errors import UsageError, WeightsError, WriteError
from inpaint.evaluation.models import expanded, label_models
from inpaint.models.lama.config import Config
from inpaint.models.options import adapter_options
from inpaint.registry import conversion, loadable, table, zoo
from inpaint.registry.initial import started_from
from inpaint.registry.loading import described, load, options_of
from inpaint.system.locks import FolderLock
from inpaint.weights.files import read_metadata
from inpaint.weights.public import ARCHIVE, NAME, Digest, PublicWeights, Publisher
from lively_lama import network_and_file, sample

ROWS = list(zoo.public_weights().values())
PUBLISHER = Publisher(
    origin="advimman", page="https://example.org/page", weights_license="of a stand-in", code_license="MIT"
)


# The rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_names_a_file_that_an_importer_of_its_model_takes(row):
    assert NAME.fullmatch(row.name)
    assert row.name not in table.names()
    assert row.url.startswith("https://")
    assert Path(row.file).suffix in (".pt", ".pth", ".ckpt")
    assert row.model in conversion.ORIGINS[row.publisher.origin]
    assert row.digest is None or set(row.digest.value) <= set("0123456789abcdef")
    assert row.digest is None or row.digest.kind == "sha256" or len(row.digest.value) == 32
    formats = [entry for entry in conversion.formats() if entry.origin == row.publisher.origin]
    assert row.switches <= set().union(*(entry.switches for entry in formats if entry.model == row.model))
    for text in (row.good_for, row.use, row.publisher.weights_license, row.publisher.code_license):
        assert text
        assert "\n" not in text


def test_names_and_addresses_are_given_once():
    listed = [row for entry in table.models().values() if (row_list := _rows(entry)) for row in row_list]
    for what in ("name", "url"):
        values = [getattr(row, what) for row in listed]
        assert sorted(set(values)) == sorted(values)
    assert {row.name for row in listed} == {row.name for row in ROWS}


def _rows(entry):
    try:
        return entry.module("zoo").ROWS
    except ModuleNotFoundError:
        return ()


def test_digits_at_the_end_of_a_file_s_name_are_those_of_its_hash():
    """As mmagic's program for publishing names its files."""
    for row in ROWS:
        if row.publisher.origin == "mmagic":
            assert row.digest == Digest("sha256", Path(row.file).stem.rpartition("-")[2])


def test_the_rows_are_read_without_torch_and_numpy():
    code = (
        "import sys\nfrom inpaint.registry import zoo\nassert zoo.public_weights()\n"
        "sys.exit(str(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.strip() == ""


# A stand-in ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stand_in():
    """A network, and the checkpoint of a public program that holds it."""
    network, _, entries = network_and_file(Config(blocks=1, width=4, discriminator={"width": 4}))
    file = io.BytesIO()
    torch.save({"state_dict": {name: value for name, value in entries.items() if name.startswith("generator.")}}, file)
    return network, file.getvalue()


@pytest.fixture
def server(monkeypatch, tmp_path, stand_in):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(zoo, "download", partial(zoo.download, sleep=lambda seconds: None))
    with file_server() as running:
        running.files["stand-in.pt"] = stand_in[1]
        yield running


@pytest.fixture
def offer(monkeypatch, server, stand_in):
    """`offer(...)` puts a row with these changes into the zoo, and nothing else."""

    def make(**changes):
        content = stand_in[1]
        row = PublicWeights(
            name="stand-in",
            model="lama",
            publisher=PUBLISHER,
            url=server.url("stand-in.pt"),
            form=ARCHIVE,
            size_bytes=len(content),
            digest=Digest("sha256", hashlib.sha256(content).hexdigest()),
            good_for="tests",
            use="whatever tests do",
        )
        row = replace(row, **changes)
        monkeypatch.setattr(zoo, "public_weights", lambda: {row.name: row})
        return row

    return make


def test_a_name_is_fetched_converted_and_used(offer, server, stand_in, tmp_path, caplog):
    row = offer()
    image, mask = sample(64, 96)
    with torch.no_grad():
        expected = stand_in[0](image, mask)["raw"]
    fill = load("stand-in", device="cpu", dtype="float64")
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=0, atol=1e-12)
    assert len(server.asked) == 1
    assert "fetching stand-in.pt" in caplog.text
    assert "stand-in: license of the weights: of a stand-in; results: whatever tests do" in caplog.text
    folder = tmp_path / "home" / "weights" / "stand-in"
    assert sorted(path.name for path in folder.iterdir()) == [
        "LICENSE.txt",
        "config.yaml",
        "model.safetensors",
        "source.json",
    ]
    note = (folder / "LICENSE.txt").read_text()
    assert "License of the weights: of a stand-in" in note
    assert "What may be done with the results: whatever tests do" in note
    assert row.digest.value in note
    assert read_metadata(folder / "model.safetensors").source_sha256 == row.digest.value


def test_later_uses_ask_no_network_and_say_nothing(offer, server, caplog):
    offer()
    first = zoo.weights_at("stand-in")
    server.files.clear()
    caplog.clear()
    assert zoo.weights_at("stand-in") == first
    assert load("stand-in", device="cpu").name == "lama"
    assert described("stand-in").name == "lama"
    assert len(server.asked) == 1
    assert "fetching" not in caplog.text
    assert "whatever tests do" not in caplog.text


@pytest.mark.parametrize("kind", ["md5", "digits"])
def test_other_kinds_of_hashes_verify_as_well(kind, offer, stand_in):
    right = {
        "md5": Digest("md5", hashlib.md5(stand_in[1]).hexdigest()),
        "digits": Digest("sha256", hashlib.sha256(stand_in[1]).hexdigest()[:8]),
    }[kind]
    offer(digest=right)
    assert zoo.weights_at("stand-in").is_file()
    offer(digest=replace(right, value="0" * len(right.value)))
    with pytest.raises(WeightsError, match="is not the file of stand-in"):
        zoo.weights_at("stand-in")


def test_a_wrong_hash_says_both_and_removes_the_download(offer, stand_in, tmp_path):
    offer(digest=Digest("sha256", "0" * 64))
    with pytest.raises(WeightsError) as caught:
        zoo.weights_at("stand-in")
    found = hashlib.sha256(stand_in[1]).hexdigest()
    assert f"is not the file of stand-in (SHA-256: {'0' * 64}; it has {found}), and was removed" in str(caught.value)
    assert "import-weights --origin advimman" in str(caught.value)
    assert not list(tmp_path.glob("home/**/*.pt"))
    assert not zoo.is_here(zoo.row_named("stand-in"))


def test_a_web_page_in_place_of_the_file_is_told_as_such(offer, server, tmp_path):
    offer(size_bytes=None)
    server.files["stand-in.pt"] = b"<!DOCTYPE html><html>Sign in</html>"
    with pytest.raises(WeightsError, match="it is a web page, as a server sends in place of a download"):
        zoo.weights_at("stand-in")


def test_a_file_without_a_stated_hash_is_remembered_and_another_one_refused(offer, server, stand_in):
    row = offer(digest=None, size_bytes=None)
    weights = zoo.weights_at("stand-in")
    record = json.loads((weights.parent / "source.json").read_text())
    assert record["sha256"] == hashlib.sha256(stand_in[1]).hexdigest()
    weights.unlink()
    server.files["stand-in.pt"] = stand_in[1] + b"\0"
    with pytest.raises(WeightsError, match=f"SHA-256 of the first download: {record['sha256']}; it has "):
        zoo.weights_at("stand-in")
    server.files["stand-in.pt"] = stand_in[1]
    assert zoo.weights_at("stand-in") == weights
    assert zoo.is_here(row)


def test_a_row_that_means_another_file_now_is_fetched_anew(offer, server):
    offer()
    zoo.weights_at("stand-in")
    _, _, entries = network_and_file(Config(blocks=2, width=4, discriminator={"width": 4}))
    file = io.BytesIO()
    torch.save({"state_dict": entries}, file)
    server.files["stand-in.pt"] = file.getvalue()
    offer(digest=Digest("sha256", hashlib.sha256(file.getvalue()).hexdigest()), size_bytes=len(file.getvalue()))
    assert read_metadata(zoo.weights_at("stand-in")).config["blocks"] == 2


# Broken downloads ----------------------------------------------------------------------------------------------------


def test_a_download_that_breaks_off_goes_on_within_a_call_and_after_it(offer, server, stand_in):
    offer()
    server.cuts = [1000, *[0] * 5]
    with pytest.raises(WeightsError, match="the connection was closed too early"):
        zoo.weights_at("stand-in")
    server.asked.clear()
    assert zoo.weights_at("stand-in").is_file()
    assert server.asked == [("stand-in.pt", "bytes=1000-")]


def test_a_beginning_of_another_file_is_found_out_and_fetched_anew(offer, server, stand_in, tmp_path, caplog):
    offer()
    left = tmp_path / "home" / "weights" / "stand-in" / "download" / "stand-in.pt"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"\1" * 1000)
    assert zoo.weights_at("stand-in").is_file()
    assert "what an earlier download left is of another file" in caplog.text
    assert server.asked == [("stand-in.pt", "bytes=1000-"), ("stand-in.pt", "")]


def test_a_download_that_was_killed_before_its_conversion_is_not_repeated(offer, server, stand_in, tmp_path):
    offer(size_bytes=None)
    left = tmp_path / "home" / "weights" / "stand-in" / "download" / "stand-in.pt"
    left.parent.mkdir(parents=True)
    left.write_bytes(stand_in[1])
    assert zoo.weights_at("stand-in").is_file()
    assert server.asked == []
    assert not left.parent.exists()


def test_an_announced_size_that_is_not_the_row_s_is_refused(offer, tmp_path):
    offer(size_bytes=1234)
    with pytest.raises(WeightsError, match=r"announces [\d,]+ bytes, the file has 1,234; fetch http"):
        zoo.weights_at("stand-in")
    assert not (tmp_path / "home").exists()


def test_too_little_space_is_said_before_a_byte_is_fetched(offer, server, monkeypatch, stand_in):
    offer()
    usage, size = namedtuple("usage", "total used free"), len(stand_in[1])
    # Enough for the file, but not for its conversion beside it.
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(10**9, 10**9 - size, size))
    with pytest.raises(WriteError, match="MB are needed there"):
        zoo.weights_at("stand-in")
    assert [path.name for path in zoo.folder_of(zoo.row_named("stand-in")).parent.glob("**/*")] == []


def test_a_file_of_another_model_is_refused(offer):
    offer(model="pconv")
    with pytest.raises(WeightsError, match="holds weights of lama, not of pconv"):
        zoo.weights_at("stand-in")
    assert not zoo.is_here(zoo.row_named("stand-in"))


# Without a network ---------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(offer):
    with file_server() as gone:
        pass
    return offer(url=gone.url("stand-in.pt"))


def test_offline_the_file_to_fetch_and_its_place_are_said(offline, tmp_path):
    with pytest.raises(WeightsError) as caught:
        load("stand-in")
    said, place = str(caught.value), tmp_path / "home" / "weights" / "stand-in" / "stand-in.pt"
    assert said.startswith("cannot fetch stand-in.pt for stand-in: ")
    assert f"fetch {offline.url} ({offline.size_bytes:,} bytes, SHA-256: {offline.digest.value}) elsewhere" in said
    assert said.endswith(f"and put it at {place}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"chonk": 2}, "unknown option of models with weights 'chonk'"),
        ({"chunk": 0}, "chunk"),
        ({"dtype": "float8"}, "unknown dtype 'float8'"),
        ({"weights": "best"}, "'stand-in' has one file of weights, nothing to choose from"),
        ({"strategy": "cropp"}, "strategy"),
    ],
)
def test_wrong_options_are_told_before_anything_is_fetched(offline, options, told):
    for function in (load, described):
        with pytest.raises(UsageError, match=told):
            function("stand-in", **options)


def test_the_options_of_public_weights_are_known_without_them(offline, stand_in):
    known = options_of("stand-in")
    place = zoo.folder_of(offline) / "stand-in.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(stand_in[1])
    assert known == options_of(str(zoo.weights_at("stand-in")))


@pytest.mark.parametrize("name", sorted({row.model for row in ROWS}))
def test_a_model_takes_the_same_options_whatever_its_architecture(name):
    """For public weights, what is inside is known only when they are here."""
    config = table.config_class(name)
    small, usual = config.model_validate(config.SMALL).capabilities(), config().capabilities()
    assert adapter_options(small) is adapter_options(usual)
    assert small.refinable == usual.refinable


def test_a_placed_file_is_verified_converted_and_left_alone(offline, stand_in):
    place = zoo.folder_of(offline) / "stand-in.pt"
    place.parent.mkdir(parents=True)
    assert zoo.to_fetch("stand-in") == offline.url
    place.write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"stand-in\.pt is not the file of stand-in .*; replace or remove it"):
        zoo.weights_at("stand-in")
    place.write_bytes(stand_in[1])
    assert zoo.to_fetch("stand-in") is None
    assert load("stand-in", device="cpu").name == "lama"
    assert place.read_bytes() == stand_in[1]


def test_a_file_that_another_program_fetched_into_torch_hub_s_folder_is_used(offline, stand_in, tmp_path):
    kept = tmp_path / "torch" / "hub" / "checkpoints" / "stand-in.pt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"\1" * len(stand_in[1]))
    with pytest.raises(WeightsError, match="cannot fetch"):
        zoo.weights_at("stand-in")
    kept.write_bytes(stand_in[1])
    assert zoo.weights_at("stand-in").is_file()
    assert kept.is_file()


def test_without_a_home_directory_the_variable_is_named(offer, monkeypatch):
    def refuse():
        raise RuntimeError("Could not determine home directory.")

    row = offer()
    for name in ("INPAINT_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(Path, "home", refuse)
    with pytest.raises(WeightsError, match="set INPAINT_HOME to a folder"):
        zoo.weights_at("stand-in")
    assert not zoo.is_here(row)


# Several at once -----------------------------------------------------------------------------------------------------

WAITER = """
import sys
from inpaint.registry import zoo
from inpaint.weights.public import PublicWeights, Publisher, Digest
row = PublicWeights(name="stand-in", model="lama", publisher=Publisher(origin="advimman", page="", weights_license="",
    code_license=""), url=sys.argv[1], digest=Digest("sha256", sys.argv[2]), good_for="", use="")
zoo.public_weights = lambda: {"stand-in": row}
print(zoo.weights_at("stand-in"))
print("torch" in sys.modules)
"""


def test_of_two_processes_one_fetches_and_the_other_waits(offer, server):
    row = offer()
    server.held.clear()
    here = []
    fetching = threading.Thread(target=lambda: here.append(zoo.weights_at("stand-in")))
    fetching.start()
    assert server.heard.wait(20)
    command = [sys.executable, "-c", WAITER, row.url, row.digest.value]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as other:
        told = other.stderr.readline()
        server.held.set()
        out, _ = other.communicate(timeout=60)
    fetching.join(60)
    assert told.startswith("stand-in is in use by process ")
    assert told.endswith("which fetches it: waiting\n")
    assert out.split() == [str(here[0]), "False"]
    assert len(server.asked) == 1


def test_a_process_that_never_ends_is_named_with_its_lock(offer, monkeypatch):
    row = offer()
    lock = FolderLock(zoo.folder_of(row) / "fetch.lock")
    lock.acquire()
    monkeypatch.setattr(zoo, "LONGEST_WAIT_S", -1.0)
    with pytest.raises(WeightsError, match=r"is in use by process \d+ .* remove .*fetch\.lock"):
        zoo.weights_at("stand-in")
    lock.release()


# Names among other places --------------------------------------------------------------------------------------------


def test_a_name_wins_over_a_path_and_a_path_is_written_as_such(offer, tmp_path, monkeypatch):
    offer()
    monkeypatch.chdir(tmp_path)
    Path("stand-in").mkdir()
    assert zoo.weights_at("stand-in").parent == tmp_path / "home" / "weights" / "stand-in"
    with pytest.raises(WeightsError, match="not the folder of a run"):
        zoo.weights_at("./stand-in")


def test_initial_weights_are_given_by_name(offer):
    offer()
    assert started_from("stand-in", {"name": "lama"}).width == 4


def test_results_are_told_apart_by_what_the_weights_hold(offer):
    offer()
    assert loadable.identity("stand-in") == loadable.identity(str(zoo.weights_at("stand-in")))
    assert loadable.identity("stand-in").startswith("sha256:")


def test_an_evaluation_calls_it_by_its_name(offer, tmp_path, monkeypatch):
    offer()
    monkeypatch.chdir(tmp_path)
    Path("stand-in").mkdir()
    assert label_models(expanded(["stand-in", "telea"])) == {"stand-in": "stand-in", "telea": "telea"}


def test_what_is_unknown_is_answered_with_the_nearest_name():
    with pytest.raises(UsageError, match=r"unknown model 'lama-place' \(did you mean 'lama-places'\?\)"):
        inpaint.load("lama-place")
    with pytest.raises(UsageError, match=r"'lama' needs weights: .* public weights \(lama-places, "):
        inpaint.load("lama")
    with pytest.raises(UsageError, match=r"unknown public weights 'telea'"):
        zoo.row_named("telea")
