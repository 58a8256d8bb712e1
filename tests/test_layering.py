"""Which room may import which, read from the source: the one place where the list of layers stands."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "inpaint"

# Bottom to top. A room (a file or folder of the package) may import itself and rooms of lower lines; two rooms of one
# line may not import each other.
LAYERS = (
    ("types", "errors"),
    ("arguments", "options", "seeds"),
    ("system",),
    ("images",),
    ("finding",),
    ("weights",),
    ("nn",),
    ("masks",),
    ("fills",),
    ("classical", "runtime"),
    ("losses",),
    ("metrics",),
    ("data",),
    ("optimize",),
    ("training",),
    ("dip", "blending", "style"),
    ("models",),
    ("strategies",),
    ("registry",),
    ("evaluation",),
    ("pipeline",),
    ("benchmark",),
    ("config",),
    ("app",),
    ("export",),
    ("cli",),
    ("__main__",),
)
# Arrows between rooms of one line that are meant: (from, to).
SIBLINGS: set[tuple[str, str]] = set()
# Models know the adapter beside them and no other model.
SHARED_BY_MODELS = (
    "any_style",
    "base",
    "discriminators",
    "feedforward",
    "image_transform",
    "options",
    "patch_gan",
    "sampling",
    "style_config",
    "styling",
)

LIGHTNING = ("lightning", "pytorch_lightning", "lightning_fabric")


class Import(NamedTuple):
    """One module that one line asks for; names are dotted, ours begin with "inpaint"."""

    file: Path
    line: int
    importer: str
    imported: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.importer} -> {self.imported}"


@cache
def read_imports(package: Path) -> list[Import]:
    """Return every import of every module: under TYPE_CHECKING, inside functions, and import_module with a literal."""
    found = []
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        importer = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        enclosing = parts[:-1]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
            for name in _asked_for(node, enclosing, package):
                found.append(Import(file.relative_to(package.parent), getattr(node, "lineno", 0), importer, name))
    return found


def _asked_for(node: ast.AST, enclosing: tuple[str, ...], package: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = enclosing[: len(enclosing) - node.level + 1] if node.level else ()
        module = ".".join([*base, *([node.module] if node.module else [])])
        return [_submodule_or_module(module, alias.name, package) for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def _submodule_or_module(module: str, name: str, package: Path) -> str:
    """Return what `from module import name` depends on: `module.name` where that is a module or the package's face."""
    if module.split(".")[0] != package.name:
        return module
    folder = package.parent.joinpath(*module.split("."))
    is_module = (folder / name).is_dir() or (folder / f"{name}.py").is_file()
    return f"{module}.{name}" if is_module or module == package.name else module


def forbidden_arrows(package: Path) -> list[str]:
    """Return one line for every import that points upward, sideways, at the package's face, or at an unknown room."""
    level = {room: number for number, line in enumerate(LAYERS) for room in line}
    found = []
    for arrow in read_imports(package):
        source, target = arrow.importer.split("."), arrow.imported.split(".")
        if target[0] != package.name or len(source) == 1:
            continue  # somebody else's package; the face (inpaint/__init__.py) may show what it likes
        if arrow.imported == f"{package.name}.__version__":
            continue
        room, other = source[1], target[1] if len(target) > 1 else ""
        if room not in level:
            found.append(f"{arrow} (room '{room}' stands in no layer)")
        elif other not in level:
            found.append(f"{arrow} (the package's face: import the room that holds it)")
        elif room == other:
            if room == "models" and _crosses_models(source, target):
                found.append(f"{arrow} (one model may not import another)")
        elif level[other] > level[room]:
            found.append(f"{arrow} (upward)")
        elif level[other] == level[room] and (room, other) not in SIBLINGS:
            found.append(f"{arrow} (sideways)")
    return found


def _crosses_models(source: list[str], target: list[str]) -> bool:
    model, other = (source[2:3] or [""])[0], (target[2:3] or [""])[0]
    if other in SHARED_BY_MODELS or not other:
        return False
    return model != other


def forbidden_lightning(package: Path) -> list[str]:
    """Return one line for every import of Lightning outside training/, data/ and models/*/training.py."""
    found = []
    for arrow in read_imports(package):
        if arrow.imported.split(".")[0] not in LIGHTNING:
            continue
        parts = arrow.importer.split(".")
        if parts[1] in ("training", "data") or (parts[1] == "models" and parts[3:] == ["training"]):
            continue
        found.append(f"{arrow} (Lightning belongs in training/, data/ and models/*/training.py)")
    return found


def test_imports_only_point_down():
    arrows = forbidden_arrows(PACKAGE)
    assert not arrows, "\n".join(["forbidden imports:", *arrows])


def test_only_training_and_data_import_lightning():
    arrows = forbidden_lightning(PACKAGE)
    assert not arrows, "\n".join(["forbidden imports:", *arrows])


def test_every_room_stands_in_exactly_one_layer():
    rooms = [room for line in LAYERS for room in line]
    assert len(rooms) == len(set(rooms))
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there - set(rooms) == {"__init__"}


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("types.py", "import inpaint.masks.brush", "types.py:1: inpaint.types -> inpaint.masks.brush (upward)"),
        ("nn/gate.py", "\nfrom inpaint.masks import a", "gate.py:2: inpaint.nn.gate -> inpaint.masks (upward)"),
        ("options.py", "from . import seeds", "inpaint.options -> inpaint.seeds (sideways)"),
        ("nn/__init__.py", "from .. import cli", "__init__.py:1: inpaint.nn -> inpaint.cli (upward)"),
        (
            "nn/gate.py",
            "if TYPE_CHECKING:\n    from inpaint.data import a",
            "gate.py:2: inpaint.nn.gate -> inpaint.data",
        ),
        ("masks/a.py", "def f():\n    from inpaint import registry", "inpaint.masks.a -> inpaint.registry (upward)"),
        ("nn/a.py", "importlib.import_module('inpaint.cli.main')", "inpaint.nn.a -> inpaint.cli.main (upward)"),
        ("cli/a.py", "from inpaint import load", "inpaint.cli.a -> inpaint.load (the package's face"),
        ("cli/a.py", "import inpaint", "inpaint.cli.a -> inpaint (the package's face"),
        ("attic/a.py", "import inpaint.errors", "room 'attic' stands in no layer"),
        ("models/b/network.py", "from inpaint.models.a.network import N", "(one model may not import another)"),
        ("models/feedforward.py", "from inpaint.models.a.network import N", "(one model may not import another)"),
    ],
)
def test_a_forbidden_import_is_named_with_file_line_and_arrow(tmp_path, file, text, complaint):
    for folder in ("cli", "nn", "masks", "data", "models/a"):
        (tmp_path / "inpaint" / folder).mkdir(parents=True)
    for module in ("registry", "cli/main", "models/a/network"):
        (tmp_path / "inpaint" / f"{module}.py").write_text("")
    target = tmp_path / "inpaint" / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    assert len(arrows := forbidden_arrows(tmp_path / "inpaint")) == 1
    assert complaint in arrows[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("__init__.py", "from inpaint.cli import main"),
        (
            "cli/a.py",
            "from inpaint import __version__\nimport inpaint.errors\nfrom inpaint.cli.b import c\nimport torch",
        ),
        ("models/a/training.py", "from inpaint.models.a.network import N\nfrom inpaint.models.feedforward import F"),
        ("models/a/training.py", "from inpaint.training import gan"),
    ],
)
def test_imports_downward_and_within_a_room_are_allowed(tmp_path, file, text):
    target = tmp_path / "inpaint" / file
    target.parent.mkdir(parents=True)
    target.write_text(text)
    assert forbidden_arrows(tmp_path / "inpaint") == []


@pytest.mark.parametrize(
    ("file", "forbidden"),
    [("models/a/network.py", True), ("registry.py", True), ("models/a/training.py", False), ("data/module.py", False)],
)
def test_lightning_outside_its_rooms_is_found(tmp_path, file, forbidden):
    target = tmp_path / "inpaint" / file
    target.parent.mkdir(parents=True)
    target.write_text("def f():\n    from pytorch_lightning.loggers import Logger")
    assert bool(forbidden_lightning(tmp_path / "inpaint")) is forbidden


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = "{'torch', 'pytorch_lightning', 'lightning', 'cv2', 'skimage', 'albumentations', 'wandb'}"


def test_importing_the_package_and_every_help_page_imports_nothing_heavy():
    code = f"""
import sys, inpaint, inpaint.cli.main as face
from click.testing import CliRunner
def heavy(): return sorted({HEAVY} & set(sys.modules))
print("import inpaint", heavy())
for verb in ("", *face.VERBS):
    result = CliRunner().invoke(face.inpaint, [*verb.split(), "--help"])
    assert result.exit_code == 0, (verb, result.output, result.exception)
    print("help", verb, heavy())
"""
    lines = run_python(code).splitlines()
    assert len(lines) >= 3
    assert [line for line in lines if not line.endswith("[]")] == []
