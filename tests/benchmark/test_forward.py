"""What is timed, and what it is compared with."""

import pytest
import torch

from inpaint.benchmark.forward import build, peak_bytes
from inpaint.benchmark.settings import Setting, compared_settings
from inpaint.errors import UsageError

OWN = Setting(model="deepfill")


def test_what_is_timed_and_its_reference_paint_the_same_image():
    network, plain = (build(Setting(model="deepfill", kind=kind, dtype="float64")) for kind in ("network", "reference"))
    image = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.zeros(1, 1, 32, 40, dtype=torch.float64)
    mask[..., 8:20, 10:30] = 1
    with torch.inference_mode():
        got, expected = network(image, mask)["raw"], plain(image, mask)["raw"]
    assert expected.std() > 0.1
    assert torch.allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("against", "name", "changed"),
    [
        ("reference", "reference, float32", {"kind": "reference"}),
        ("port", "port, float32", {"kind": "port"}),
        ("compiled", "network, float32, compiled", {"compile": True}),
        ("bfloat16", "network, bfloat16", {"dtype": "bfloat16"}),
    ],
)
def test_a_comparison_changes_one_thing(against, name, changed):
    settings = compared_settings(OWN, against)
    assert list(settings) == ["network, float32", name]
    own, other = settings.values()
    assert own == OWN
    assert {key: value for key, value in vars(other).items() if value != vars(own)[key]} == changed


def test_plain_arithmetic_is_never_compiled_and_nothing_is_compared_with_itself():
    compiled = Setting(model="deepfill", compile=True)
    assert not compared_settings(compiled, "port")["port, float32"].compile
    assert not compared_settings(compiled, "eager")["network, float32"].compile
    assert list(compared_settings(OWN, None)) == ["network, float32"]
    for against in ("float32", "eager"):
        with pytest.raises(UsageError, match=f"--against {against} is what is measured already"):
            compared_settings(OWN, against)
    with pytest.raises(
        UsageError, match=r"unknown --against 'portt' .did you mean 'port'.*; valid: bfloat16, compiled"
    ):
        compared_settings(OWN, "portt")


def test_a_dtype_that_the_device_does_not_have_is_refused():
    with pytest.raises(UsageError, match="unknown dtype 'float8'"):
        build(Setting(model="deepfill", dtype="float8"))
    with pytest.raises(UsageError, match="tf32 needs a GPU"):
        build(Setting(model="deepfill", dtype="tf32"))


@pytest.mark.slow
def test_the_peak_memory_grows_with_the_image():
    small, large = (peak_bytes(Setting(model="deepfill", size=size)) for size in (16, 512))
    assert 50e6 < small < large
