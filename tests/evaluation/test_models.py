"""Labels and identities of the models that are compared."""

import pytest
import torch

from inpaint.errors import UsageError
from inpaint.evaluation.models import Loadable, expanded, identity, label_models, tensors_hash
from inpaint.weights.files import WeightsMetadata, save_weights


def save(path, *, width=8, **tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, tensors, WeightsMetadata(model="pconv", config={"width": width}, roles=("generator",)))


def test_models_are_labeled_by_name_or_folder_and_never_alike(tmp_path):
    for folder in ("a/run", "b/run", "c/other", "c/masked"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.safetensors").write_bytes(b"x")
    one, two, three, four = (str(tmp_path / folder) for folder in ("a/run", "b/run", "c/other", "c/masked"))
    assert label_models(["telea", three]) == {"telea": "telea", "other": three}
    assert label_models([f"{three}/model.safetensors"]) == {"other": f"{three}/model.safetensors"}
    assert label_models([one, two]) == {one: one, two: two}
    assert label_models([four]) == {four: four}  # pictures of that name are no fills
    with pytest.raises(UsageError, match="telea is given twice"):
        label_models(["telea", "mean", "telea"])


def test_the_folder_of_a_sweep_stands_for_its_runs_in_their_order(tmp_path):
    for name in ("10-seed=10", "2-seed=2", "other"):
        save(tmp_path / "sweep" / name / "model.safetensors", w=torch.ones(2))
    (tmp_path / "sweep" / "3-seed=3").mkdir()  # has nothing yet
    runs = expanded(["telea", str(tmp_path / "sweep"), str(tmp_path / "sweep/other"), str(tmp_path / "nowhere")])
    names = [run.rpartition("/")[2] for run in runs]
    assert names == ["telea", "2-seed=2", "10-seed=10", "other", "other", "nowhere"]


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
