"""`inpaint models`, and the names of public weights elsewhere on the command line."""

import hashlib
import json

import pytest
from click.shell_completion import ShellComplete

from inpaint.cli.main import inpaint, run
from inpaint.registry import zoo
from inpaint.weights.public import Record

DIGEST = "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9"  # as several public programs state it


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("INPAINT_HOME", str(tmp_path / "home"))


def shown(capsys, *arguments):
    assert run(["models", *arguments]) == 0
    return capsys.readouterr().out


def install(name):
    """Put a conversion there as if it had been fetched."""
    row = zoo.row_named(name)
    folder = zoo.folder_of(row)
    folder.mkdir(parents=True)
    sha256 = row.digest.value.ljust(64, "0")
    Record(url=row.url, size_bytes=5, sha256=sha256, md5=hashlib.md5(b"").hexdigest()).write(folder / "source.json")
    (folder / "model.safetensors").write_bytes(b"")


def test_the_table_has_a_line_for_everything_and_says_what_is_here(capsys):
    install("pconv-places")
    head, *lines = shown(capsys).splitlines()
    assert head.split()[:4] == ["name", "model", "size", "here"]
    assert [line.split()[0] for line in lines] == list(zoo.public_weights())
    cells = {line.split()[0]: line for line in lines}
    assert cells["lama-places"].split()[1:5] == ["lama", "206", "MB", "no"]
    assert cells["pconv-places"].split()[1:4] == ["pconv", "unknown", "yes"]
    assert max(map(len, lines)) <= 120


def test_one_name_shows_everything_that_is_known(capsys):
    text = shown(capsys, "lama-places")
    for part in ("big-lama.pt", "205,669,692", f"SHA-256 {DIGEST}", "TorchScript", "https://github.com/advimman/lama"):
        assert part in text
    assert "Apache-2.0" in text
    assert "no; --model lama-places fetches it" in text
    assert "SHA-256, first 8 digits 10d15793" in shown(capsys, "deepfill-places")


def test_json_holds_the_same_for_programs(capsys):
    install("lama-places")
    facts = json.loads(shown(capsys, "--json"))
    assert [each["name"] for each in facts] == list(zoo.public_weights())
    (here,) = json.loads(shown(capsys, "--installed", "--json"))
    assert here == json.loads(shown(capsys, "lama-places", "--json"))
    assert here["hash"] == {"kind": "SHA-256", "value": DIGEST}
    assert (here["size_bytes"], here["installed"]) == (205_669_692, True)


def test_what_is_here_is_listed_alone(capsys):
    assert "none is here yet" in shown(capsys, "--installed")
    install("lama-places")
    assert [line.split()[0] for line in shown(capsys, "--installed").splitlines()[1:]] == ["lama-places"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lama-place"], "unknown public weights 'lama-place' (did you mean 'lama-places'?)"),
        (["lama-places", "--installed"], "--installed belongs to the list"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    assert run(["models", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_names_are_listed_by_info_and_completed_by_shells(capsys):
    assert run(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["public_weights"] == list(zoo.public_weights())
    complete = ShellComplete(inpaint, {}, "inpaint", "_INPAINT_COMPLETE")
    for verb in ("infer", "evaluate", "app"):
        found = [item.value for item in complete.get_completions([verb, "--model"], "lama-")]
        assert found == ["lama-places", "lama-anime"]
    (path,) = complete.get_completions(["infer", "--model"], "checkpoints/")
    assert (path.type, path.value) == ("file", "checkpoints/")


def test_offline_a_fill_says_in_one_line_what_to_fetch(monkeypatch, tmp_path, capsys, photo_folder):
    row = zoo.row_named("lama-places")

    def unreachable(*_, **__):
        raise zoo.DownloadError("Name or service not known")

    monkeypatch.setattr(zoo, "download", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = ["infer", "--model", "lama-places", "--image", str(photo_folder / "a.png"), "--box", "2,2,9,9"]
    assert run([*words, "--output", str(tmp_path / "filled.png")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "error: cannot fetch big-lama.pt for lama-places: Name or service not known; fetch https://"
    )
    assert error.endswith(f"put it at {zoo.folder_of(row) / 'big-lama.pt'}")
    assert not (tmp_path / "filled.png").exists()
