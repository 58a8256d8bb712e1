"""The most memory that work takes, in a process of its own."""

import sys

import pytest

from inpaint.benchmark.memory import own_process_peak
from inpaint.errors import InpaintError


def test_the_peak_is_that_of_the_work_in_a_process_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "a_module.py").write_text(
        "import torch\n\n\n"
        "def hungry(setting):\n"
        "    assert torch.get_num_threads() == 1\n"
        "    if setting['bytes'] < 0:\n        raise ValueError('no such size')\n"
        "    print('something else')\n"
        "    torch.ones(setting['bytes'], dtype=torch.uint8)\n"
        "    return torch.device('cpu')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    from a_module import hungry

    small, large = (own_process_peak(hungry, {"bytes": count}, what="it") for count in (1, 200_000_000))
    assert small > 50e6
    assert large - small == pytest.approx(200e6, rel=0.2)
    with pytest.raises(InpaintError, match="measuring the memory of it failed: ValueError: no such size"):
        own_process_peak(hungry, {"bytes": -1}, what="it")


def test_work_without_torch_is_measured_without_it(monkeypatch, tmp_path):
    (tmp_path / "b_module.py").write_text(
        "import sys\n\n\ndef light(setting):\n    assert 'torch' not in sys.modules\n    bytearray(setting['bytes'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setitem(sys.modules, "torch", None)
    from b_module import light

    small, large = (own_process_peak(light, {"bytes": count}, what="it") for count in (1, 200_000_000))
    assert large - small == pytest.approx(200e6, rel=0.2)
