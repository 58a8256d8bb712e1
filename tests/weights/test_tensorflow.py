import io

import numpy as np
import torch
import torch.nn.functional as F

from inpaint.weights.tensorflow import as_variables, from_variables, is_archive, read_archive, write_archive


def test_a_kernel_is_turned_so_that_torch_convolves_as_tensorflow_does():
    rng = np.random.default_rng(0)
    kernel, image = rng.normal(size=(3, 2, 4, 5)), rng.normal(size=(6, 7, 4))
    expected = sum(image[i : i + 4, j : j + 6] @ kernel[i, j] for i in range(3) for j in range(2))  # (4, 6, 5)
    weight = from_variables({"conv/kernel": torch.from_numpy(kernel)})["conv.weight"]
    got = F.conv2d(torch.from_numpy(image).permute(2, 0, 1)[None], weight)[0].permute(1, 2, 0)
    assert np.allclose(got.numpy(), expected, rtol=0, atol=1e-13)


def test_variables_come_back_under_their_names():
    rng = np.random.default_rng(0)
    shapes = {"a/b/kernel": (3, 3, 2, 4), "a/b/bias": (4,), "a/b/kernel_sn/u": (1, 4), "c/kernel": (1, 1, 2, 2)}
    variables = {name: torch.from_numpy(rng.normal(size=shape)) for name, shape in shapes.items()}
    tensors = from_variables(variables)
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "a/b.weight": (4, 2, 3, 3),
        "a/b.bias": (4,),
        "a/b.weight_u": (4, 1),
        "c.weight": (2, 2, 1, 1),
    }
    again = as_variables(tensors)
    assert again.keys() == variables.keys()
    assert all(torch.equal(again[name], value) for name, value in variables.items())


def test_an_archive_that_is_written_is_one_of_numpys(tmp_path):
    arrays = {"generator/conv/kernel": np.arange(6.0).reshape(1, 2, 3).T, "step": np.int64(7)}
    content = io.BytesIO()
    write_archive(content, arrays)
    (tmp_path / "archive").write_bytes(content.getvalue())
    assert is_archive(tmp_path / "archive")
    with np.load(tmp_path / "archive") as archive:
        assert all(np.array_equal(archive[name], value) for name, value in arrays.items())
    assert np.array_equal(read_archive(tmp_path / "archive")["step"], arrays["step"])
    torch.save({"a": torch.ones(2)}, tmp_path / "checkpoint")
    assert not is_archive(tmp_path / "checkpoint")
