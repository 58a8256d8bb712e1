"""Packages that only some need: one message for every one that is absent, and the names that pyproject.toml gives."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from inpaint.errors import MissingDependencyError
from inpaint.system.extras import DISTRIBUTION, PACKAGES, import_optional, install_command, is_installed

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("extra", PACKAGES)
def test_an_absent_package_is_said_in_one_line_that_installs_its_extra(extra, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGES[extra], None)
    with pytest.raises(MissingDependencyError) as caught:
        import_optional(extra, purpose="this work")
    assert str(caught.value) == (
        f"this work needs the package {PACKAGES[extra]}: pip install 'pytorch-inpaint[{extra}]'"
    )
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("extra", PACKAGES)
def test_the_command_names_a_distribution_and_an_extra_that_exist_and_bring_the_package(extra):
    assert PROJECT["name"] == DISTRIBUTION
    (brought,) = PROJECT["optional-dependencies"][extra]
    assert brought.partition(">")[0] == PACKAGES[extra]
    assert install_command(extra) == f"pip install '{PROJECT['name']}[{extra}]'"


def test_a_module_of_an_extra_is_imported_when_it_is_there(monkeypatch):
    monkeypatch.setitem(PACKAGES, "for-this-test", "json")
    assert is_installed("for-this-test")
    assert import_optional("for-this-test", purpose="this").__name__ == "json"
    assert import_optional("for-this-test", "json.decoder", purpose="this").__name__ == "json.decoder"
    monkeypatch.setitem(PACKAGES, "for-this-test", "no_such_package")
    assert not is_installed("for-this-test")
