"""Packages that only some need: one message for every one that is absent, and the names that pyproject.toml gives."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from inpaint.errors import MissingDependencyError
from inpaint.system.extras import DISTRIBUTION, PACKAGES, import_optional, install_command, is_installed

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # of packages that are imported by another name


@pytest.mark.parametrize(("extra", "package"), [(extra, one) for extra in PACKAGES for one in PACKAGES[extra]])
def test_an_absent_package_is_said_in_one_line_that_installs_its_extra(extra, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError) as caught:
        import_optional(extra, f"{package}.part", purpose="this work")
    assert str(caught.value) == f"this work needs the package {package}: pip install 'pytorch-inpaint[{extra}]'"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("extra", PACKAGES)
def test_the_command_names_a_distribution_and_an_extra_that_exist_and_bring_the_package(extra):
    assert PROJECT["name"] == DISTRIBUTION
    brought = [one.partition(">")[0].replace("-", "_") for one in PROJECT["optional-dependencies"][extra]]
    assert brought == [DISTRIBUTIONS.get(one, one).replace("-", "_") for one in PACKAGES[extra]]
    assert install_command(extra) == f"pip install '{PROJECT['name']}[{extra}]'"


def test_a_module_of_an_extra_is_imported_when_it_is_there(monkeypatch):
    monkeypatch.setitem(PACKAGES, "for-this-test", ("json",))
    assert is_installed("for-this-test")
    assert import_optional("for-this-test", purpose="this").__name__ == "json"
    assert import_optional("for-this-test", "json.decoder", purpose="this").__name__ == "json.decoder"
    monkeypatch.setitem(PACKAGES, "for-this-test", ("json", "no_such_package"))
    assert is_installed("for-this-test", "json")
    assert not is_installed("for-this-test", "no_such_package")
    assert not is_installed("for-this-test")
