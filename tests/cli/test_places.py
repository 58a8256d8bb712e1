"""Files, pipes and names as users give them to the verbs, and what is refused before torch is imported."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpaint.benchmark.tables import read_figures
from inpaint.cli.main import run
from inpaint.models.pluralistic.config import Config
from inpaint.weights import WeightsMetadata, save_weights

HOLE = np.zeros((40, 56), bool)
HOLE[10:20, 15:40] = True
FILL = ["infer", "--model=mean", "--mask=mask.png"]
LISTED = ["evaluate", "--model=mean", "--masks=center", "--size=16"]

REFUSED = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "pytorch_lightning"):
            raise AssertionError("torch is imported")
sys.meta_path.insert(0, NoTorch())
from inpaint.cli.main import run
for line in sys.stdin.read().splitlines():
    try:
        status = run(line.split("\\t"))
    except AssertionError as error:
        status, _ = 99, print(error, file=sys.stderr)
    print(status, file=sys.stderr)
"""


@pytest.fixture
def here(tmp_path, monkeypatch, make_photo):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(make_photo(40, 56)).save("photos/a.png")
    Image.fromarray(HOLE * np.uint8(255)).save("mask.png")
    Image.fromarray(make_photo(40, 56, 1)).save("photo.jpg")
    Path("nowhere").symlink_to("gone")
    os.mkfifo("pipe")
    return tmp_path


@pytest.fixture
def weights(here):
    """The folder of a network that draws at random, without tensors and without discriminators."""
    metadata = WeightsMetadata(model="pluralistic", config=dict(Config.SMALL), roles=("encoder", "generator"))
    (here / "run").mkdir()
    save_weights(here / "run/model.safetensors", {}, metadata)
    return here / "run"


def called(*arguments, stdin=None, encoding=None, **options):
    """Run the command line as a program of its own; output as bytes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if encoding is not None:
        environment["PYTHONIOENCODING"] = encoding
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given, **options}
    words = [sys.executable, "-m", "inpaint", *map(os.fspath, arguments)]
    return subprocess.run(words, env=environment, timeout=300, check=False, **options)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


# Refusals -------------------------------------------------------------------------------------------------------------

BAD = {
    "infer --model tela --image photo.jpg --mask mask.png --output o.png": (2, "unknown model 'tela'"),
    "infer --model gone/run --image photo.jpg --mask mask.png --output o.png": (2, "unknown model 'gone/run'"),
    "infer --model dip --option preset=vaze --image photo.jpg --mask mask.png --output o.png": (2, "preset 'vaze'"),
    "infer --model dip --option budget=soon --image photo.jpg --mask mask.png --output o.png": (2, "got 'soon'"),
    "infer --model telea --option radus=3 --image photo.jpg --mask mask.png --output o.png": (2, "option of telea"),
    "infer --model telea --samples 3 --image photo.jpg --mask mask.png --output o/": (2, "paints one fill"),
    "infer --model telea --sketch mask.png --image photo.jpg --mask mask.png --output o.png": (2, "does not accept"),
    "infer --model telea --device tpu --image photo.jpg --mask mask.png --output o.png": (2, "unknown device 'tpu'"),
    "infer --model telea --image photo.jpg --mask mask.png --output= ": (2, "--output is given an empty value"),
    "infer --model telea --image - --mask - --output o.png": (2, "standard input (-) holds one file"),
    "infer --model telea --image photos --mask mask.png --output -": (2, "standard output (-) takes one photo"),
    "infer --model run --option latnt=mean --image photo.jpg --mask mask.png --output o.png": (2, "'latnt' (did you"),
    "infer --model run --option latent=men --image photo.jpg --mask mask.png --output o.png": (2, "one of drawn, mean"),
    "infer --model run --option dtype=int8 --image photo.jpg --mask mask.png --output o.png": (2, "dtype 'int8'"),
    "infer --model run --samples 3 --top 2 --image photo.jpg --mask mask.png --output o/": (2, "needs scores"),
    "infer --model run --sketch mask.png --image photo.jpg --mask mask.png --output o.png": (2, "does not accept"),
    "infer --model run --weights best --image photo.jpg --mask mask.png --output o.png": (1, "no best.safetensors"),
    "infer --model telea --label none --image photo.jpg --mask mask.png --output o.png": (
        2,
        "the label 'none' is none",
    ),
    "infer --model telea --image photo.jpg --mask mask.png --output nowhere/": (1, "nowhere is not a folder"),
    "infer --model telea --image photo.jpg --mask mask.png --output pipe": (1, "it is a named pipe, not a file"),
    "infer --model telea --image photos --mask mask.png --output /dev/null": (2, "'/dev/null' takes one photo"),
    f"infer --model telea --image photos --mask mask.png --output {'o' * 300}": (1, "its name has 300 bytes"),
    "restore --task inpaint --image photo.jpg --mask mask.png --output o.png --preset vaze": (2, "preset 'vaze'"),
    "restore --task inpaint --image photo.jpg --mask mask.png --output o.png --label none": (2, "the label 'none'"),
    "restore --task inpaint --image photo.jpg --mask mask.png --output o.png --budget -3s": (2, "got '-3s'"),
    "restore --task denoise --image photo.jpg --mask mask.png --output o.png": (2, "takes no mask"),
    "restore --task denoise --image gone.jpg --output o.png": (1, "cannot read 'gone.jpg': no such file"),
    "restore --task denoise --image photo.jpg --output o.png --uncertainty m.gif": (2, "unknown suffix '.gif'"),
    "restore --task denoise --image photo.jpg --output o.png --uncertainty mask.png/m.png": (1, "is not a folder"),
    "restore --task denoise --image photo.jpg --output o.png --trace photos": (1, "Is a directory"),
    "restore --task denoise --image photo.jpg --output o.png --trace photo.jpg": (2, "would overwrite a file"),
    "restore --task denoise --image photo.jpg --output - --trace -": (2, "must be different files"),
    "evaluate --model mean --model tela --data photos --masks center --output out": (2, "unknown model 'tela'"),
    "evaluate --model mean --model mean --data photos --masks center --output out": (2, "mean is given twice"),
    "evaluate --model mean --model run --option latnt=a --data photos --masks center --output out": (2, "'latnt'"),
    "evaluate --model mean --data photos --masks center,center --output out": (2, "each once; got center, center"),
    "evaluate --model mean --data photos --masks paired:photos --output out": (2, "these are for trainings"),
    "evaluate --model mean --data pipe --masks center --output out": (1, "it is a named pipe, not a file"),
    "evaluate --model mean --data gone --masks center --output out": (1, "'gone' does not exist"),
    "evaluate --model mean --data photos --masks centr --output out": (2, "unknown mask 'centr'"),
    "evaluate --model mean --data photos --masks center --output photo.jpg": (1, "photo.jpg is not a folder"),
    "evaluate --model mean --data photos --masks center --output out --count 0": (2, "0 is not in the range x>=1"),
    "evaluate --model mean --data photos --masks center --output out --seed -1": (2, "-1 is not in the range 0<=x<="),
    "masks --output sheet.webp --kind box --count 170": (2, "WebP holds 16383 a side"),
    "masks --output sheet.png --count 1000000000": (2, "pixels wide, and PNG holds 2147483647 a side"),
    "masks --output sheet.png --count 1000000": (2, "pixels in all: take a smaller --count"),
    "masks --folder photo.jpg --kind box": (1, "photo.jpg is not a folder"),
    "shards --input photos --output photo.jpg": (1, "photo.jpg is not a folder"),
    "shards --input gone --output out": (1, "'gone' does not exist"),
    "import-weights --origin mmagic --input gone.pth --output out": (1, "no weights at gone.pth"),
    "import-weights --origin mmagic --input pipe --output out": (1, "pipe is a named pipe, not a file"),
    "import-weights --origin mmagic --input generator= --output out": (2, "--input generator=: names no file"),
    "import-weights --origin mmagic --input photo.jpg --output photo.jpg/run": (1, "photo.jpg is not a folder"),
    "benchmark forward --model deepfil": (2, "unknown model 'deepfil'"),
    "benchmark forward --dtype float8": (2, "unknown dtype 'float8'"),
    "benchmark forward --against float8": (2, "unknown --against 'float8'"),
    "benchmark threads --against float8": (2, "unknown --against 'float8'"),
    "benchmark step --against nosuch=1": (2, "unknown key 'nosuch'"),
    "benchmark table photo.jpg --into photo.jpg": (1, "'photo.jpg' holds no text in UTF-8"),
    "benchmark step --json photos": (1, "cannot write 'photos': Is a directory"),
    "benchmark restore --preset vaze": (2, "unknown preset 'vaze'"),
    "benchmark masks --kind centr": (2, "unknown mask 'centr'"),
    "benchmark masks --json photo.jpg/x.json": (1, "photo.jpg is not a folder"),
    "benchmark data --data gone": (1, "'gone' does not exist"),
}


def test_refusals_come_before_torch_and_leave_nothing(here, weights):
    lines = BAD
    commands = "\n".join("\t".join(line.removesuffix(" ").split(" ")) for line in lines)
    before = sorted(here.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], input=commands, capture_output=True, text=True, timeout=300, check=True
    )
    said = done.stderr.splitlines()
    found = dict(zip(lines, zip(said[1::2], said[::2], strict=True), strict=True))
    wrong = {
        line: found[line]
        for line, (status, text) in lines.items()
        if found[line][0] != str(status) or not found[line][1].startswith("error: ") or text not in found[line][1]
    }
    assert wrong == {}
    assert done.stdout == ""
    assert sorted(here.rglob("*")) == before


# Pipes ----------------------------------------------------------------------------------------------------------------


def test_a_photo_goes_through_by_standard_input_and_output_in_its_own_format(here):
    done = called(*FILL, "--image=-", "--output=-", stdin=(here / "photo.jpg").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\xff\xd8\xff")
    assert run([*FILL, "--image=photo.jpg", "--output=other.jpg"]) == 0
    assert done.stdout == (here / "other.jpg").read_bytes()


def test_a_mask_is_read_from_the_pipe_that_a_shell_opens(here):
    command = (
        f"{sys.executable} -m inpaint {' '.join(FILL[:2])} --image photos/a.png --mask <(cat mask.png) --output o.png"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.partition(" (")[0]) == (0, "wrote o.png"), done.stderr
    assert np.array_equal(pixels("o.png")[~HOLE], pixels("photos/a.png")[~HOLE])


def test_a_photo_without_a_name_needs_one_for_its_result(here):
    done = called(*FILL, "--image=-", "--output=out/", stdin=(here / "photo.jpg").read_bytes())
    assert done.returncode == 2
    assert b"has no name for a file in out" in done.stderr
    assert not (here / "out").exists()


def test_a_list_of_photos_comes_by_standard_input(here):
    done = called(*LISTED, "--data=-", "--output=out", stdin=b"photos/a.png\nphoto.jpg\n")
    assert done.returncode == 0, done.stderr
    assert len((here / "out/results.csv").read_text().splitlines()) == 1 + 2


def test_a_result_goes_into_the_pipe_or_the_device_that_is_named(here):
    fill = f"{sys.executable} -m inpaint {' '.join(FILL)} --image photo.jpg"
    for command in (
        f"{fill} --output >(cat > o.jpg; echo > done); until [ -e done ]; do sleep 0.05; done",
        f"{fill} --output /dev/stdout > p.jpg",
    ):
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=300, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert run([*FILL, "--image=photo.jpg", "--output=q.jpg"]) == 0
    assert (here / "o.jpg").read_bytes() == (here / "p.jpg").read_bytes() == (here / "q.jpg").read_bytes()


def test_figures_and_sheets_go_to_standard_output_alone(here):
    done = called("benchmark", "masks", "--kind=center", "--rounds=1", "--json=-")
    (here / "figures.json").write_bytes(done.stdout)
    assert read_figures(here / "figures.json")["rates"].keys() == {"center"}
    assert b"| center | 256 px |" in done.stderr
    table = called("benchmark", "table", "-", stdin=done.stdout)
    assert b"| center | 256 px |" in table.stdout
    done = called("masks", "--output=-", "--kind=box", "--size=16", "--count=2")
    assert done.stdout.startswith(b"\x89PNG")


def gone():
    """Return a descriptor whose reader has gone away."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_reader_that_goes_away_ends_neither_the_work_nor_the_status(here):
    for number in range(3):
        (here / f"photos/{number}.png").write_text("no photo")
    nobody = gone()
    done = called(*FILL, "--image=photos", "--output=out", "--jobs=1", stdout=nobody, stderr=nobody)
    assert done.returncode == 1  # three have failed
    assert sorted(path.name for path in (here / "out").iterdir()) == ["a.png", "journal.jsonl"]
    for arguments in (
        ["--help"],
        ["masks", "--output=s.png", "--kind=box"],
        [*FILL, "--image=photo.jpg", "--output=-"],
    ):
        done = called(*arguments, stdout=nobody)
        assert (done.returncode, done.stderr) == (0, b"")
    os.close(nobody)
    assert (here / "s.png").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output_is_one_line_and_the_work_is_done(here):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        for arguments in (["--version"], [*FILL, "--image=photo.jpg", "--output=o.png"]):
            done = called(*arguments, stdout=full)
            assert (done.returncode, done.stderr) == (1, b"error: cannot write the output: No space left on device\n")
    assert (here / "o.png").exists()


def test_closed_standard_streams_are_nothing_to_stumble_over(here):
    command = f"{sys.executable} -m inpaint {' '.join(FILL)} --image photo.jpg --output o.png <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], timeout=300, check=False).returncode == 0
    assert pixels("o.png").shape == (40, 56, 3)


@pytest.mark.parametrize("verb", ["evaluate", "shards"])
def test_a_full_disk_behind_a_table_or_an_archive_is_one_line(here, verb):
    if verb == "shards":
        pytest.importorskip("webdataset")
    arguments = LISTED if verb == "evaluate" else ["shards"]
    source = "--data=photos" if verb == "evaluate" else "--input=photos"
    for number in range(30):
        (here / f"photos/{number}.png").write_bytes((here / "photos/a.png").read_bytes())
    done = called(
        *arguments,
        source,
        "--output=out",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)),
    )
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: cannot write 'out/")
    assert lines[0].endswith(": File too large")


# Names ----------------------------------------------------------------------------------------------------------------

ODD = "photo\udcff\udcfe.png"  # two bytes that are no UTF-8


@pytest.fixture
def odd(here):
    """The photo under a name that is no text."""
    try:
        os.rename("photos/a.png", f"photos/{ODD}")  # noqa: PTH104
    except OSError:
        pytest.skip("a file system that takes text only")
    return here


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "shift_jis", "ascii"])
def test_a_name_that_is_no_text_is_filled_and_printed_on_every_code_page(odd, encoding):
    done = called(*FILL, f"--image=photos/{ODD}", "--output=out/", encoding=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (odd / "out" / ODD).exists()
    if encoding != "ascii":  # which click takes for a mistake of the system
        assert done.stdout.partition(b" (")[0] == b"wrote out/photo\xff\xfe.png"


@pytest.mark.slow
def test_photos_under_such_names_are_measured_and_packed(odd):
    done = called(*LISTED, "--data=photos", "--output=out", encoding="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"v | " in done.stdout  # the arrow of the table
    pytest.importorskip("webdataset")
    done = called("shards", "--input=photos", "--output=shards")
    assert done.returncode == 0, done.stderr


def test_a_name_of_the_longest_kind_is_filled(here):
    name = "写" * 80 + ".jfif"  # 245 bytes
    os.rename("photo.jpg", name)  # noqa: PTH104
    done = called(*FILL, f"--image={name}", "--output=out/")
    assert done.returncode == 0, done.stderr
    with Image.open(here / "out" / name) as image:
        assert image.format == "JPEG"
    done = called(*FILL, f"--image={name}", f"--output={'a' * 300}.png")
    assert done.returncode == 1
    assert b"its name has 304 bytes" in done.stderr


# What is no file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def specials(here):
    """A named pipe, a socket and a device among the photos."""
    os.mkfifo("photos/pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("photos/socket.png")
    Path("photos/zero.png").symlink_to("/dev/zero")
    return here


KINDS = {"pipe.png": "a named pipe", "socket.png": "a socket", "zero.png": "a device"}


def test_what_is_no_file_among_photos_is_left_out_with_the_reason(specials):
    done = called(*FILL, "--image=photos", "--output=out")
    assert (done.returncode, done.stdout) == (0, b"1 filled\n")
    for name, kind in KINDS.items():
        assert f"1 {kind.removeprefix('a ')} ({name})".encode() in done.stderr
    done = called(*LISTED, "--data=photos", "--output=results")
    assert len((specials / "results/results.csv").read_text().splitlines()) == 1 + 1
    for name, kind in KINDS.items():
        assert f"1 {kind.removeprefix('a ')} ({name})".encode() in done.stderr


@pytest.mark.parametrize("option", ["image", "mask"])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_file_is_refused_by_name(specials, option, name):
    options = {"image": "photo.jpg", "mask": "mask.png", option: f"photos/{name}"}
    done = called("infer", "--model=mean", "--output=o.png", *(f"--{key}={value}" for key, value in options.items()))
    assert done.returncode == 1
    photo = "photo.jpg: " if option == "mask" and KINDS[name] != "a device" else ""
    assert done.stderr.decode() == f"error: {photo}cannot read 'photos/{name}': it is {KINDS[name]}, not a file\n"


@pytest.mark.parametrize("name", ["list.txt", "shard.tar"])
def test_a_list_or_a_shard_that_is_a_pipe_is_not_waited_for(here, name):
    os.mkfifo(name)
    done = called(*LISTED, f"--data={name}", "--output=out")
    assert done.returncode == 1
    assert b"it is a named pipe, not a file" in done.stderr


def test_an_output_that_is_a_device_stays_one_and_a_pipe_is_refused(specials):
    restore = ["restore", "--task=inpaint", "--image=photo.jpg", "--mask=mask.png", "--iterations=2", "--width=4"]
    assert called(*restore, "--output=o.png", "--trace=/dev/null").returncode == 0
    assert Path("/dev/null").is_char_device()
    done = called(*restore, "--output=photos/pipe.png")
    assert (done.returncode, done.stderr) == (
        1,
        b"error: cannot write 'photos/pipe.png': it is a named pipe, not a file\n",
    )
