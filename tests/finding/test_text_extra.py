"""The extra `text` beside OpenCV, in an environment of its own."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def call(*words, timeout=900):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=timeout, env=kept)


@pytest.mark.slow
def test_cv2_is_imported_after_the_extra_was_installed_and_is_the_headless_one(tmp_path):
    python = tmp_path / "env/bin/python"
    assert call(sys.executable, "-m", "venv", str(tmp_path / "env")).returncode == 0
    opencv = [each for each in PROJECT["dependencies"] if each.startswith("opencv")]
    pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    for packages in (opencv, PROJECT["optional-dependencies"]["text"]):
        done = call(*pip, *packages)
        if done.returncode and ("connection" in done.stderr.lower() or "No matching distribution" in done.stderr):
            pytest.skip("needs a package index")
        assert done.returncode == 0, done.stderr
    code = (
        "import cv2, numpy, onnxruntime, importlib.metadata as m, importlib.util as u, pathlib\n"
        "assert cv2.resize(numpy.zeros((4, 4), 'u1'), (2, 2)).shape == (2, 2)\n"
        "weights = pathlib.Path(u.find_spec('rapidocr').origin).parent / 'models/PP-OCRv6_det_small.onnx'\n"
        "print(sorted(d.name for d in m.distributions() if d.name.startswith('opencv')), weights.stat().st_size)\n"
    )
    done = call(str(python), "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["['opencv-python-headless']", "9929594"]
