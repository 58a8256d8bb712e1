"""Rules of the house that a reader of the code relies on, read from the source.

Nothing optional is looked up by name, modules do not import each other in a circle, a model is named in its own folder
and in the table alone, and the words are those of the field in American spelling.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from inpaint.registry.table import MODELS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "inpaint"

# What an object of somebody else may or may not have: (file, name), each with its reason.
FOREIGN_ATTRIBUTES = {
    ("inpaint/images/reading.py", "n_frames"): "Pillow: formats of one frame have none",
    ("inpaint/system/tracking.py", "model_fields"): "W&B: settings are a pydantic model in newer releases only",
}

# Where names of models mean something else, or stand in an example to be typed.
MODEL_NAMES_ALLOWED = {
    ("inpaint/masks/", name): "kinds of masks are called after the papers that they come from" for name in MODELS
} | {
    **{("inpaint/evaluation/protocols.py", name): "kinds of masks, as above" for name in MODELS},
    ("inpaint/data/config.py", "deepfill"): "the kind of mask that a training draws by default",
    ("inpaint/cli/train.py", "deepfill"): "examples to be typed",
    ("inpaint/cli/export.py", "migan"): "the interface of a pipeline, after the program that has it",
    ("inpaint/weights/graphs.py", "migan"): "the interface of a published file, which other programs expect",
    ("inpaint/cli/benchmark.py", "deepfill"): "the kind of mask that samples are measured with by default",
    **{
        ("inpaint/style/", name): "transforms of features are called after the papers that they come from"
        for name in ("adain", "wct")
    },
}

# Words of our own, and the field's words for the same.
WORDS = {
    r"opinions?": "DiscriminatorOutput, logits",
    r"judg(e|es|ed|ing|ment|ments)": "discriminate, discriminator",
    r"perception": "feature extractor",
    r"enliven\w*": "randomize_weights",
    r"rehears\w*": "dry_run_step",
    r"misfit": "masked MSE, objective",
    r"own_mask": "blind",
    r"one_core": "thread_safe",
    r"traits": "capabilities",
    r"playing|starting": "initial, first",
    r"persons?": "user, caller",
}
BRITISH = (
    r"[a-z]*colour[a-z]*|grey[a-z]*|[a-z]*neighbour[a-z]*|[a-z]*centre[ds]?|licences?|[a-z]*behaviour[a-z]*|[a-z]*favour[a-z]*|[a-z]*honour[a-z]*"
    r"|(normal|initial|optim|regular|organ|summar|recogn|serial|quant|minim|maxim|parametr|random|synchron)is(e|es|ed|er"
    r"|ers|ing|ation|ations)|labell(ed|ing)|modell(ed|ing)|travell(ed|ing)|cancell(ed|ing)|catalogues?|centerd"
)
FOREIGN_FILES = "vgg_normalised"  # spelled so by those who publish them


def sources(*folders: str) -> list[Path]:
    """Return the Python files below the folders of the checkout."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def listed(found: list[str]) -> str:
    return "\n".join(["", *found])


# Optional hooks -------------------------------------------------------------------------------------------------------


def literal_lookups(source: str) -> list[tuple[int, str]]:
    """Return (line, name) of every `getattr` whose name is written out."""
    if "getattr" not in source:  # most files need not be parsed
        return []
    return [
        (node.lineno, node.args[1].value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"
        if len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    ]


def test_nothing_optional_is_looked_up_by_name():
    found = {
        (relative(path), name): f"{relative(path)}:{line}: getattr(..., {name!r}): give the base class a default"
        for path in sources("inpaint")
        for line, name in literal_lookups(path.read_text(encoding="utf-8"))
    }
    own = [text for key, text in found.items() if key not in FOREIGN_ATTRIBUTES]
    assert not own, listed(own)
    assert [key for key in FOREIGN_ATTRIBUTES if key not in found] == [], "exceptions that nobody needs any more"


# Circles --------------------------------------------------------------------------------------------------------------


def imports_of(path: Path, package: Path) -> set[str]:
    """Return the dotted names that a module asks for when it is imported, or for its types."""
    here = path.relative_to(package.parent).with_suffix("").parts[:-1]
    found, todo = set[str](), list[ast.AST](ast.parse(path.read_text(encoding="utf-8")).body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue  # asked for later
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        else:
            todo += ast.iter_child_nodes(node)
    return found


def circle(package: Path) -> list[str]:
    """Return modules that import each other in a circle, the first of them again at the end; [] if there are none."""
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }
    graph = {name: (imports_of(path, package) & paths.keys()) - {name} for name, path in paths.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_modules_do_not_import_each_other_in_a_circle():
    assert not circle(PACKAGE), " -> ".join(circle(PACKAGE))


# Names of models ------------------------------------------------------------------------------------------------------


def named_models(source: str, models: list[str]) -> list[tuple[int, str]]:
    """Return (line, model) for every identifier and text that names a model, docstrings and EXAMPLES left out."""
    pattern = re.compile(rf"(?<![a-z])({'|'.join(models)})(?![a-z])", re.IGNORECASE)
    if pattern.search(source) is None:
        return []
    tree = ast.parse(source)
    prose = {
        line
        for node in ast.walk(tree)
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "EXAMPLES")
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return [
        (token.start[0], match.group(1).lower())
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type != tokenize.COMMENT and token.start[0] not in prose
        for match in pattern.finditer(token.string)
    ]


def test_a_model_is_named_in_its_folder_and_in_the_table_alone():
    found = []
    for path in sources("inpaint"):
        name = relative(path)
        if name.startswith(("inpaint/models/", "inpaint/registry/")):
            continue
        allowed = {model for prefix, model in MODEL_NAMES_ALLOWED if name.startswith(prefix)}
        named = named_models(path.read_text(encoding="utf-8"), list(MODELS))
        found += [f"{name}:{line}: {model}" for line, model in named if model not in allowed]
    assert not found, listed(found)


def test_a_model_names_no_other_model():
    found = []
    for model in MODELS:
        others = [other for other in MODELS if other != model]
        for path in sources(f"inpaint/models/{model}"):
            found += [f"{relative(path)}:{n}: {m}" for n, m in named_models(path.read_text(encoding="utf-8"), others)]
    assert not found, listed(found)


# Words ----------------------------------------------------------------------------------------------------------------


def matches(pattern: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, word) for every word, or part of an identifier, that matches the whole pattern."""
    word = re.compile(rf"(?<![A-Za-z])({pattern})(?![a-z])", re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # DiscriminatorOutput is two words
    for match in word.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(0)


def test_the_field_s_words_are_used():
    any_word = "|".join(WORDS)
    found = [
        f"{relative(path)}:{line}: {word}: say {next(WORDS[one] for one in WORDS if re.fullmatch(one, word, re.I))}"
        for path in sources("inpaint", "scripts")
        for line, word in matches(any_word, path.read_text(encoding="utf-8"))
    ]
    assert not found, listed(found)


def test_the_spelling_is_american():
    pages = [*sources("inpaint", "scripts", "tests"), *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    found = [
        f"{relative(path)}:{line}: {word}"
        for path in [*pages, *ROOT.glob("configs/**/*.yaml")]
        if path != Path(__file__)
        for line, word in matches(BRITISH, path.read_text(encoding="utf-8").replace(FOREIGN_FILES, ""))
    ]
    assert not found, listed(found)


# The rules themselves -------------------------------------------------------------------------------------------------


def test_a_lookup_by_a_written_name_is_found_and_a_computed_one_is_not():
    source = 'getattr(x, "name", None)\ngetattr(x, name)\nx.getattr("name")\ndef f():\n    getattr(y, "other")\n'
    assert literal_lookups(source) == [(1, "name"), (5, "other")]


def test_circles_are_found_also_those_of_types_but_not_those_inside_functions(tmp_path):
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from __future__ import annotations\nfrom house import b\n")
    (package / "b.py").write_text("def f():\n    from house.a import x\n")
    assert circle(package) == []
    (package / "b.py").write_text("if TYPE_CHECKING:\n    from house.a import x\n")
    assert set(circle(package)) == {"house.a", "house.b"}
    (package / "b.py").write_text("try:\n    from .a import x\nexcept ImportError:\n    pass\n")
    assert set(circle(package)) == {"house.a", "house.b"}


def test_models_are_found_in_code_and_text_but_not_in_docstrings_comments_and_examples():
    source = '"""One of pconv."""\nEXAMPLES = """\n  train model=pconv\n"""\nx = load("pconv")  # pconv\npconvs = 2\n'
    assert named_models(source, ["pconv"]) == [(5, "pconv")]
    assert named_models("a = 'my pconv'\npconv_size = 3\n", ["pconv"]) == [(1, "pconv"), (2, "pconv")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the judge said", ["judge"]),
        ("class PatchJudge:", ["Judge"]),
        ("_judge_apart", ["judge"]),
        ("judgehood, misjudge", []),
        ("a colorful gray neighbor", []),
        ("COLOUR_grey, neighbours", ["COLOUR", "grey", "neighbours"]),
        ("Normalised otherwise", ["Normalised"]),
    ],
)
def test_words_are_found_in_prose_and_in_identifiers(text, words):
    patterns = (r"judg(e|es|ed|ing|ment|ments)", BRITISH)
    assert sorted(word for pattern in patterns for _, word in matches(pattern, text)) == sorted(words)
