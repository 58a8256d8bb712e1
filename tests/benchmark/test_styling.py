import json

import pytest

from inpaint.benchmark import styling
from inpaint.benchmark.styling import Setting, evaluation
from inpaint.cli.main import run
from inpaint.nn import vgg


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A network of few channels."""
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))


def test_both_compute_the_same_losses_of_the_same_layers():
    ours = evaluation(Setting(kind="float32", height=32, width=48))
    published = evaluation(Setting(kind="published", height=32, width=48))
    assert float(ours().loss.detach()) > 0
    assert float(published().detach()) > 0
    first, second = ours(), ours()
    assert float(first.loss.detach()) != float(second.loss.detach()), "what is known already is not measured"


def test_figures_are_written_and_make_a_table(tmp_path, capsys):
    place = tmp_path / "style.json"
    words = ["benchmark", "style", "--width=32", "--rounds=1", "--no-memory", "--against=published"]
    assert run([*words, f"--json={place}"]) == 0
    assert "times as fast" in capsys.readouterr().out
    found = json.loads(place.read_text())
    assert set(found["timings"]) == {"inpaint, float32", "published"}
    assert run(["benchmark", "table", str(place)]) == 0
    assert "| 32 x 32 px |" in capsys.readouterr().out


def test_memory_alone_is_that_of_a_process_of_its_own(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(
        styling, "own_process_peak", lambda work, setting, *, what: seen.append(setting) or 3_000_000_000
    )
    assert run(["benchmark", "style", "--width=64", "--height=32", "--rounds=0"]) == 0
    assert capsys.readouterr().out == "inpaint, float32, 64 x 32: 3.00 GB\n"
    assert seen == [{"kind": "float32", "height": 32, "width": 64}]
