"""Devices by name, and what they are called in tables."""

import pytest
import torch

from inpaint.errors import UsageError
from inpaint.system.devices import accelerators, device_name, resolve_device


@pytest.fixture
def machine(monkeypatch):
    """`machine(gpus, mps=...)` pretends that torch sees so many GPUs."""

    class Properties:
        name, total_memory = "Imaginary 3000", 5 * 2**30

    def pretend(gpus, *, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: Properties())
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: Properties.name)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


def test_the_automatic_device_exists():
    assert torch.zeros(1, device=resolve_device("auto")).item() == 0
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize(
    ("gpus", "mps", "first"), [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda"), (2, True, "cuda")]
)
def test_the_automatic_device_is_the_first_accelerator_there_is(machine, gpus, mps, first):
    machine(gpus, mps=mps)
    assert resolve_device() == resolve_device("auto") == torch.device(first)


def test_a_device_that_does_not_exist_here_is_refused_with_those_that_do(machine):
    machine(2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match=r"unknown device 'cuda:2'.*valid: auto, cpu, cuda, cuda:0, cuda:1$"):
        resolve_device("cuda:2")
    machine(0)
    for name in ("cuda", "mps", "gpu", ""):
        with pytest.raises(UsageError, match=f"unknown device '{name}'.*valid: auto, cpu$"):
            resolve_device(name)


def test_gpus_are_listed_and_named_by_their_model(machine):
    machine(2)
    assert [each["device"] for each in accelerators()] == ["cuda:0", "cuda:1"]
    assert accelerators()[0] == {"device": "cuda:0", "name": "Imaginary 3000", "memory_bytes": 5 * 2**30}
    assert device_name(torch.device("cuda", 1)) == "cuda (Imaginary 3000)"
    assert device_name(torch.device("cpu")) == "cpu"
    machine(0)
    assert accelerators() == []
