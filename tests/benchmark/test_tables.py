"""Tables of speed, and that those of docs/speed.md come from the figures beside it."""

import json
from pathlib import Path

import pytest

from inpaint.benchmark.tables import replaced, tables
from inpaint.cli.benchmark import MARKER
from inpaint.cli.main import run
from inpaint.errors import UsageError

ROOT = Path(__file__).parents[2]
HARDWARE = {"cpu": "A Processor", "accelerators": [{"device": "cuda:0", "name": "A GPU", "memory_bytes": 1}]}
FORWARD = {
    "benchmark": "forward",
    "settings": {
        "network, float32": {"model": "deepfill", "part": None, "size": 512, "batch": 1, "device": "cpu"},
        "port, float32": {},
    },
    "timings": {"network, float32": {"median_ms": 1234.4}, "port, float32": {"median_ms": 4000.6}},
    "peak_bytes": {"network, float32": 700_000_000, "port, float32": None},
    "ratio": {"median": 3.254},
    "hardware": HARDWARE,
    "torch_threads": 2,
}


def test_a_pass_is_one_row_with_its_ratio():
    head, line, row = tables([FORWARD]).strip().split("\n")
    assert row == (
        "| deepfill | 512 px, batch 1 | A Processor, 2 threads | float32 | port, float32 | 1,234 | 4,001 | 3.25 | 700 |"
    )
    assert head.count("|") == line.count("|") == row.count("|")


def test_a_step_on_a_gpu_names_the_gpu_and_the_share_of_convolutions():
    trainer = {"precision": "bf16-mixed", "channels_last": True, "compile": False}
    step = {
        "benchmark": "step",
        "settings": {"this": {"model": "pconv", "size": 256, "loop": {"batch_size": 16, "trainer": trainer}}},
        "timings": {"this": {"median_ms": 40.0}},
        "images_per_s": {"this": 400.0},
        "shares": {"this": {"convolution": 0.754}},
        "peak_bytes": {"this": None},
        "device": "cuda",
        "hardware": HARDWARE,
        "torch_threads": 2,
    }
    head, line, row = tables([step]).strip().split("\n")
    assert row == "| pconv | 256 px, batch 16 | A GPU | bf16-mixed, channels_last |  | 40 |  |  | 400.00 | 75% |  |"
    assert head.count("|") == line.count("|") == row.count("|")


def test_figures_of_nobody_are_refused():
    with pytest.raises(UsageError, match="unknown benchmark 'None'"):
        tables([{}])


def test_only_what_lies_between_the_lines_is_replaced():
    text = "a\n<!-- speed -->\nold\n<!-- end of speed -->\nb\n"
    assert replaced(text, "speed", "new") == "a\n<!-- speed -->\n\nnew\n<!-- end of speed -->\nb\n"
    assert replaced(replaced(text, "speed", "x"), "speed", "new") == replaced(text, "speed", "new")
    with pytest.raises(UsageError, match="no lines '<!-- speed -->'"):
        replaced("a\nb\n", "speed", "new")


def test_the_command_prints_the_table_or_puts_it_into_a_file(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps(FORWARD))
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n<!-- {MARKER} -->\n<!-- end of {MARKER} -->\nend\n")
    assert run(["benchmark", "table", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().out == tables([FORWARD])
    assert run(["benchmark", "table", str(tmp_path / "a.json"), "--into", str(page)]) == 0
    assert tables([FORWARD]) in page.read_text()
    assert page.read_text().endswith("end\n")
    (tmp_path / "b.json").write_text("[]")
    assert run(["benchmark", "table", str(tmp_path / "b.json")]) == 2
    assert "b.json holds no figures" in capsys.readouterr().err


def test_the_tables_of_the_page_are_those_of_the_figures_in_docs():
    figures = [json.loads(path.read_text()) for path in sorted((ROOT / "docs" / "benchmarks").glob("*.json"))]
    assert figures
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert replaced(text, MARKER, tables(figures)) == text


def restored(quality, **more):
    timing = {"median_ms": 100.4}
    each = {"fast": [24.0, 26.0], "published": [24.5, 25.0]}
    if not quality:
        each = {"fast": timing, "published": {"median_ms": 250.6}, "ratio": 2.4961}
    return {"size": 256, "quality": quality, "presets": {"vase": each}, "hardware": HARDWARE, **more}


@pytest.mark.parametrize(
    ("quality", "row"),
    [
        (False, "| vase | 256 px | A Processor, 2 threads | 100 | 251 | 2.50 |"),
        (True, "| vase | 256 px | A Processor, 2 threads | 2 | 25.00 | 24.75 | +0.25 |"),
    ],
)
def test_restorations_have_tables_of_their_time_and_of_their_quality(quality, row):
    figures = restored(quality, benchmark="restore", device="cpu", torch_threads=2)
    head, line, found = tables([figures]).strip().split("\n")
    assert found == row
    assert head.count("|") == line.count("|") == row.count("|")


def test_figures_of_restorations_that_did_not_name_themselves_are_tabled_too():
    hardware = {**HARDWARE, "torch_threads": 1}
    assert "| vase | 256 px | A Processor, 1 thread |" in tables([restored(False) | {"hardware": hardware}])


def test_every_benchmark_has_its_table_in_one_text(tmp_path):
    text = tables([FORWARD, restored(True, torch_threads=2), restored(False, torch_threads=2)])
    assert [line.split(" | ")[0] for line in text.split("\n") if line.endswith(" |") and "ms" in line] == [
        "| network",
        "| iteration of",
    ]
    assert "| hole PSNR of |" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**FORWARD, "timings": {}}, "lacks what figures of `benchmark forward` hold ('network, float32')"),
        ({**restored(True), "presets": {"vase": {"fast": [], "published": []}}}, "of `benchmark restore --quality`"),
        ({"benchmark": "stepp", "hardware": HARDWARE}, "unknown benchmark 'stepp' (did you mean 'step'?)"),
        ({"results": []}, "holds no figures of a benchmark"),
    ],
)
def test_a_file_that_lacks_something_is_named_with_what_it_lacks(tmp_path, capsys, content, message):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    assert run(["benchmark", "table", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}")
    assert message in error
    assert error.count("\n") == 1
