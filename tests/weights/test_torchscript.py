"""TorchScript archives: their tensors come out by name, their programs are never run, and damage is told."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from inpaint.weights.torchscript import ScriptError, script_tensors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.register_buffer("half_precision", torch.arange(4).half().view(2, 2).T)
        self.sizes, self.names, self.rates = [1, 2], ["a", "b"], {"x": 0.5}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) * self.rates["x"] + len(self.names) + self.sizes[0]


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(Inner(), nn.ReLU())
        self.shared = self.model[0].conv.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Outer().eval()


def archive(network, how):
    made = torch.jit.script(network) if how == "script" else torch.jit.trace(network, torch.zeros(1, 2, 8, 8))
    kept = io.BytesIO()
    torch.jit.save(made, kept)
    kept.seek(0)
    return kept


@pytest.mark.parametrize("how", ["script", "trace"])
def test_tensors_are_those_that_running_the_archive_would_give(network, how):
    file = archive(network, how)
    found = script_tensors(file)
    file.seek(0)
    expected = torch.jit.load(file).state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def replaced(file, change, compression=zipfile.ZIP_STORED):
    """Return the archive with its description changed."""
    with zipfile.ZipFile(file) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    (name,) = (name for name in entries if name.endswith("/data.pkl"))
    entries[name] = change(entries[name])
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", compression) as new:
        for each, content in entries.items():
            new.writestr(each, content)
    return kept


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (pickle.dumps(Evil(), protocol=2), "it calls (builtins|__builtin__).print"),
        (pickle.dumps(np.float64(1), protocol=2), "it calls numpy"),
        (pickle.dumps(Evil(), protocol=4), "the instruction MEMOIZE"),
        (b"\x80\x02cos\nsystem\n)\x81.", "it makes a os.system"),
        (b"\x80\x02c__torch__\nA\n)\x81", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"", "damaged"),
    ],
)
def test_descriptions_that_do_more_than_hold_tensors_are_refused(network, program, said, capsys):
    with pytest.raises(ScriptError, match=said):
        script_tensors(replaced(archive(network, "trace"), lambda _: program))
    assert capsys.readouterr().out == ""


def test_a_module_that_holds_itself_is_refused(network):
    itself = (
        b"\x80\x02c__torch__\nA\n)\x81}(X\x04\x00\x00\x00selfc__torch__\nA\n)\x81q\x00}X\x01\x00\x00\x00xh\x00sbub."
    )
    with pytest.raises(ScriptError, match="more than 100 levels"):
        script_tensors(replaced(archive(network, "trace"), lambda _: itself))


def test_damage_anywhere_is_told_or_harmless(network):
    whole = archive(network, "trace").getvalue()
    rng, told = np.random.default_rng(0), 0
    for place in rng.integers(0, len(whole), 200).tolist():
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        try:
            script_tensors(io.BytesIO(bytes(content)))
        except ScriptError:
            told += 1
    assert told > 20


def test_numbers_beyond_the_stored_ones_are_refused(network):
    def enlarged(program):
        assert program.count(b"K\x36") == 1  # 54 numbers of the convolution
        return program.replace(b"K\x36", b"K\x37")

    with pytest.raises(ScriptError, match="bytes, not 220"):
        script_tensors(replaced(archive(network, "trace"), enlarged))


def test_compressed_files_which_could_grow_without_limit_are_refused(network):
    packed = replaced(archive(network, "trace"), lambda program: program, zipfile.ZIP_DEFLATED)
    with pytest.raises(ScriptError, match="is compressed, as PyTorch never writes it"):
        script_tensors(packed)


def test_lists_that_hold_each_other_twice_are_refused_before_they_are_walked(network):
    doubled = b"".join(b"]q" + bytes([level + 1]) + 2 * (b"h" + bytes([level]) + b"a") for level in range(60))
    with pytest.raises(ScriptError, match="more than 1000000 values"):
        script_tensors(replaced(archive(network, "trace"), lambda _: b"\x80\x02]q\x00" + doubled + b"."))


def test_tensors_that_repeat_a_number_too_often_are_refused(network):
    class Repeated(nn.Module):
        def __init__(self, times):
            super().__init__()
            self.register_buffer("x", torch.zeros(1).expand(times))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.x[:1]

    assert script_tensors(archive(Repeated(7), "script"))["x"].shape == (7,)
    with pytest.raises(ScriptError, match="stands in 1 numbers"):
        script_tensors(archive(Repeated(2**30), "script"))
