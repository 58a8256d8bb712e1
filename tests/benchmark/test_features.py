"""Gradients of a VGG by several ways."""

import pytest
import torch

from inpaint.benchmark.features import WAYS, Setting, compare, style_gradient
from inpaint.cli.main import run
from inpaint.nn import vgg


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))


def test_all_ways_compute_the_same_gradient():
    setting = Setting(network="vgg19", height=40, width=32, rounds=0, threads=1)
    whole, checkpointed, strips = (style_gradient(setting, way) for way in WAYS)
    assert torch.equal(whole, checkpointed)
    torch.testing.assert_close(strips, whole, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))


def test_times_and_peaks_are_printed(monkeypatch, capsys):
    asked = []

    def peak(work, setting, *, what):
        asked.append(setting)
        return 5_000_000_000

    monkeypatch.setattr("inpaint.benchmark.features.own_process_peak", peak)
    options = ["--width", "32", "--height", "40", "--threads", "1", "--rounds", "1", "--ways", "whole,strips"]
    assert run(["benchmark", "features", *options]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "| vgg19, 32 x 40, 1 threads | s | peak GB |"
    assert [line.split("|")[1].strip() for line in out[2:]] == ["whole", "strips"]
    assert all(line.endswith("| 5.0 |") for line in out[2:])
    assert [setting["way"] for setting in asked] == ["whole", "strips"]


def test_without_rounds_only_the_memory_is_measured(monkeypatch):
    monkeypatch.setattr("inpaint.benchmark.features.own_process_peak", lambda work, setting, *, what: 1)
    monkeypatch.setattr("inpaint.benchmark.features.style_gradient", lambda *_: pytest.fail("computes"))
    (found,) = compare(["strips"], Setting(network="vgg16", height=40, width=32, rounds=0, threads=1))
    assert (found.timing, found.peak_bytes) == (None, 1)


def test_another_way_is_refused(capsys):
    assert run(["benchmark", "features", "--ways", "strip"]) == 2
    assert "unknown way 'strip' (did you mean 'strips'?)" in capsys.readouterr().err
