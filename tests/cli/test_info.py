import json
import os
import platform

import pytest
import torch
from click.testing import CliRunner

from inpaint.cli.info import command
from inpaint.system import environment


def show(*arguments):
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_table_fits_one_screen_and_names_versions_and_the_processor():
    text = show()
    assert len(text.splitlines()) <= 48
    assert max(map(len, text.splitlines())) <= 160
    assert f"torch                   {torch.__version__.split('+')[0]}" in text
    assert platform.python_version() in text
    assert environment.cpu_name() in text
    assert "telea" in text


def test_json_holds_the_same_and_the_devices_of_torch():
    report = json.loads(show("--json"))
    assert report["versions"]["torch"] == torch.__version__.split("+")[0]
    assert len(report["hardware"]["accelerators"]) == torch.cuda.device_count()
    assert report["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert report["hardware"]["memory_bytes"] > 2**27
    extras = {
        "tensorboard",
        "shards",
        "hub",
        "formats",
        "app",
        "evaluate",
        "export",
        "offline-features",
        "text",
        "ray",
        "edges",
    }
    assert extras | {"wandb login"} == set(report["features"])


def test_gpus_are_listed_with_their_memory(monkeypatch):
    class Properties:
        name = "Imaginary 3000"
        total_memory = 5 * 2**30

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: Properties())
    text = show()
    assert "cuda:1" in text
    assert "Imaginary 3000, 5.0 GiB" in text


def test_a_missing_package_is_reported_and_no_error(monkeypatch):
    monkeypatch.setattr(environment, "is_installed", lambda extra: False)
    monkeypatch.setattr(environment, "_PACKAGES", ("torch", "no-such-package"))
    text = show()
    assert "no-such-package  missing" in text
    for extra in ("tensorboard", "shards", "hub", "evaluate", "offline-features"):
        assert f"no (pip install 'pytorch-inpaint[{extra}]')" in text


@pytest.mark.parametrize(
    ("variables", "lines", "expected"),
    [
        ({}, "", False),
        ({"WANDB_API_KEY": "x"}, "", True),
        ({}, "machine api.wandb.ai login user password x", True),
        ({"WANDB_BASE_URL": "https://wandb.example.org"}, "machine api.wandb.ai login user password x", False),
        ({}, "this is no netrc", False),
    ],
)
def test_a_wandb_login_is_found_where_wandb_keeps_it(monkeypatch, tmp_path, variables, lines, expected):
    (tmp_path / "netrc").write_text(lines)
    (tmp_path / "netrc").chmod(0o600)
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (environment.features()["wandb login"] is None) is expected
