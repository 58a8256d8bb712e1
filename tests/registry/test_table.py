"""The table of names: what is in it, what other packages add, and what it costs to read it."""

import subprocess
import sys

import pytest

from inpaint.errors import UsageError
from inpaint.registry import table

CONFIG = '''
from typing import ClassVar

from inpaint.options import ModelConfig
from inpaint.types import Capabilities, Plane

DEPTH = Plane(name="depth", read="inpaint.images.planes:read_edges", summary="How far everything is.")


class Config(ModelConfig):
    """Nothing to choose."""

    PLANES: ClassVar = (DEPTH,)

    def capabilities(self):
        return Capabilities(trained=True, planes=(DEPTH,))
'''


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Install a package that registers the model "depth_fill", and one that wants the name of ours."""
    package = tmp_path / "depth_fill"
    package.mkdir()
    (package / "__init__.py").write_text('"""fills by depth"""\n')
    (package / "config.py").write_text(CONFIG)
    installed = tmp_path / "depth_fill-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: depth-fill\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[inpaint.models]\ndepth_fill = depth_fill\ndeepfill = depth_fill\n")
    monkeypatch.syspath_prepend(tmp_path)
    table.outside_models.cache_clear()
    yield
    table.outside_models.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "depth_fill"]:
        del sys.modules[name]


def test_every_name_has_a_summary_of_one_line_and_capabilities():
    entries = {**table.inpainters(), **table.style_models(), **table.FILLS}
    assert {*table.inpainters(), *table.FILLS} == set(table.names())
    for name, entry in entries.items():
        assert entry.summary
        assert "\n" not in entry.summary
        assert table.capabilities(name).trained == (name in table.models())


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"unknown model 'deepfil' \(did you mean 'deepfill'\?\)"):
        table.model_entry("deepfil")


def test_a_package_registers_a_model_by_an_entry_point(outside):
    assert table.models()["depth_fill"].summary == "fills by depth"
    assert table.config_class("depth_fill").__module__ == "depth_fill.config"
    assert table.capabilities("depth_fill").guidance.keys() == {"depth"}
    assert table.planes()["depth"].summary == "How far everything is."


def test_names_of_ours_are_not_taken_by_other_packages(outside):
    assert table.models()["deepfill"].package == "inpaint.models.deepfill"


def test_the_table_and_all_planes_are_read_without_torch_numpy_or_pillow():
    code = (
        "import sys\nfrom inpaint.registry import table\n"
        "table.planes(), [table.capabilities(name) for name in table.names()]\n"
        "heavy = {'torch', 'numpy', 'PIL', 'cv2', 'lightning'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
