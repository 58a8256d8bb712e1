"""Labels of the models that are compared."""

import pytest
import torch

from inpaint.errors import UsageError
from inpaint.evaluation.models import expanded, label_models
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
