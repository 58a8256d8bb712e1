import sys
from types import SimpleNamespace

import pytest

from blocking import run_without
from inpaint.errors import InpaintError, MissingDependencyError, UsageError, WeightsError
from inpaint.runtime.options import RuntimeOptions
from inpaint.runtime.session import CPU, CUDA, Session, providers_of
from made_graphs import write_network, write_pipeline


@pytest.mark.parametrize(
    ("device", "wanted", "expected"),
    [
        ("auto", None, [CPU]),
        ("cpu", None, [CPU]),
        ("cuda", None, [(CUDA, {"device_id": 0}), CPU]),
        ("cuda:1", None, [(CUDA, {"device_id": 1}), CPU]),
        ("auto", (CUDA,), [CUDA]),
    ],
)
def test_the_device_or_the_caller_says_what_computes(device, wanted, expected):
    assert providers_of(device, wanted, available=[CUDA, CPU]) == expected


@pytest.mark.parametrize(
    ("device", "wanted", "complaint"),
    [
        ("cuda", None, r"unknown device 'cuda'.*; valid: auto, cpu for an ONNX file"),
        ("mps", None, r"unknown device 'mps'.*valid: auto, cpu"),
        ("gpu", None, "unknown device 'gpu'"),
        ("auto", ("CPU",), r"unknown provider of ONNX Runtime 'CPU'.*valid: CPUExecutionProvider"),
        ("auto", (), "name at least one of CPUExecutionProvider"),
        ("cuda", (CPU,), "choose one"),
    ],
)
def test_what_cannot_compute_is_refused_with_what_can(device, wanted, complaint):
    with pytest.raises(UsageError, match=complaint):
        providers_of(device, wanted, available=[CPU])


@pytest.mark.parametrize("content", [b"", b"no graph", b"PK\x03\x04"])
def test_a_file_that_cannot_be_opened_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"ONNX Runtime cannot open .*model\.onnx: .+") as error:
        Session(path)
    assert "\n" not in str(error.value)


def test_a_graph_that_fails_is_said_in_one_line(tmp_path):
    session = Session(write_pipeline(tmp_path / "model.onnx"))
    with pytest.raises(InpaintError, match=r"model\.onnx failed in ONNX Runtime: .+") as error:
        session.run({})
    assert "\n" not in str(error.value)


def test_memory_that_runs_out_is_told_as_such(tmp_path, monkeypatch):
    session = Session(write_network(tmp_path / "model.onnx"))

    class Small:
        def run(self, *_):
            raise RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 1")

    monkeypatch.setattr(session, "_session", Small())
    with pytest.raises(MemoryError):
        session.run({})


def test_without_onnx_runtime_one_line_installs_it_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"^filling with model.onnx needs .*: pip install onnxruntime$"):
        Session(write_network(tmp_path / "model.onnx"))


def test_a_provider_that_does_not_start_is_not_replaced_in_silence(tmp_path, monkeypatch):
    started = SimpleNamespace(get_providers=lambda: [CPU])
    monkeypatch.setattr("inpaint.runtime.session._memory_is_limited", lambda runtime: False)
    made = {"SessionOptions": SimpleNamespace, "InferenceSession": lambda *_, **__: started}
    monkeypatch.setitem(
        sys.modules, "onnxruntime", SimpleNamespace(get_available_providers=lambda: [CUDA, CPU], **made)
    )
    for chosen in ({"device": "cuda"}, {"options": RuntimeOptions(providers=(CUDA, CPU))}):
        with pytest.raises(UsageError, match=f"could not start {CUDA} here"):
            Session(tmp_path / "model.onnx", **chosen)


def test_a_graph_that_takes_more_memory_than_is_free_is_painted_smaller(tmp_path):
    code = """
import numpy as np
from inpaint.runtime import session
session.available_memory_bytes = lambda: 80 * 2**20
from inpaint.registry.loading import load

hole = np.zeros((1, 2048, 2048, 1), np.float32)
hole[:, 8:-8, 8:-8] = 1
model = load(sys.argv[1], strategy="crop", memory="8GB", threads=1)
(fill,) = model.fill_arrays(np.full((1, 2048, 2048, 3), 0.5, np.float32), hole)
print(fill.strategy, np.ptp(fill.completed) < 1e-4)
"""
    done = run_without([], code, str(write_network(tmp_path / "model.onnx")))
    assert "memory ran out, reduced to 0.5" in done.stdout, done.stderr
    assert done.stdout.endswith("True\n")
