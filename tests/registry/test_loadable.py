"""What tells one model from another of its name."""

import torch

from inpaint.registry.loadable import Loadable, identity, tensors_hash
from inpaint.weights.files import WeightsMetadata, save_weights


def save(path, *, width=8, **tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, tensors, WeightsMetadata(model="pconv", config={"width": width}, roles=("generator",)))


def test_the_identity_of_a_model_is_that_of_its_tensors_whatever_file_holds_them(tmp_path):
    a, b = torch.arange(6.0).reshape(2, 3), torch.tensor(3)
    save(tmp_path / "one/model.safetensors", a=a, b=b)
    save(tmp_path / "two/model.safetensors", b=b, a=a.clone())
    first = identity(str(tmp_path / "one"))
    assert first.startswith("sha256:")
    assert first == identity(str(tmp_path / "two")) == Loadable(spec=str(tmp_path / "one")).identity()
    save(tmp_path / "two/model.safetensors", a=a + 1e-6, b=b)
    assert identity(str(tmp_path / "two")) != first
    save(tmp_path / "two/model.safetensors", width=16, a=a, b=b)
    assert identity(str(tmp_path / "two")) != first  # another architecture
    assert identity(str(tmp_path / "one"), {"dtype": "bfloat16"}) == f"{first} dtype=bfloat16"
    assert identity("telea") == "telea"


def test_tensors_are_told_by_name_type_shape_and_value():
    base = {"a": torch.zeros(4), "b": torch.zeros(())}
    others = (
        {"a": torch.zeros(4), "c": torch.zeros(())},
        {"a": torch.zeros(2, 2), "b": torch.zeros(())},
        {"a": torch.zeros(4, dtype=torch.int32), "b": torch.zeros(())},
        {"a": torch.zeros(4), "b": torch.ones(())},
        {"a": torch.zeros(4, dtype=torch.bfloat16), "b": torch.zeros(())},
    )
    assert len({tensors_hash(each) for each in (base, *others)}) == 6
    assert tensors_hash(dict(reversed(base.items()))) == tensors_hash(base)
