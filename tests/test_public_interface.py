import pickle
import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.util import find_spec

import pytest

import inpaint
from inpaint import errors
from inpaint.errors import InpaintError


def test_every_public_name_can_be_reached_and_is_documented():
    for name in inpaint.__all__:
        value = getattr(inpaint, name)
        assert name == "__version__" or value.__doc__


def test_all_lists_exactly_what_is_visible():
    code = "import inpaint, inspect; print([n for n, v in vars(inpaint).items() if not inspect.ismodule(v)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    names = {name for name in ast_list(done.stdout) if not name.startswith("_") or name == "__version__"}
    late = {"blend", "fill", "list_models", "load", "stylize"}
    assert names - {"annotations", "TYPE_CHECKING", "import_module"} | late == set(inpaint.__all__)


def ast_list(text):
    import ast

    return ast.literal_eval(text)


def test_the_names_that_appear_late_are_the_functions_of_their_rooms():
    from inpaint import pipeline
    from inpaint.registry.loading import load
    from inpaint.registry.table import list_models

    assert inpaint.load is load
    assert inpaint.fill is pipeline.fill
    assert inpaint.blend is pipeline.blend
    assert inpaint.list_models is list_models


def test_no_name_of_the_top_level_is_a_submodule_s():
    """Importing the submodule would put it in the function's place."""
    clashing = [name for name in inpaint.__all__ if find_spec(f"inpaint.{name}") is not None]
    assert clashing == []


def test_models_are_listed_with_what_they_can_do_and_without_torch():
    code = "import sys, inpaint; print(inpaint.list_models()['dip'].stochastic, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "False"]
    found = inpaint.list_models()
    assert {"deepfill", "telea", "dip"} <= found.keys()
    assert found["deepfill"].trained
    assert not found["telea"].trained


def test_tab_completion_knows_the_names_that_appear_late():
    assert set(inpaint.__all__) <= set(dir(inpaint))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'inpaint' has no attribute 'fil'"):
        inpaint.fil  # noqa: B018


def test_the_version_is_the_installed_one():
    assert inpaint.__version__ == version("pytorch-inpaint")


def test_the_console_command_is_the_main_of_the_command_line():
    (command,) = (point for point in entry_points(group="console_scripts") if point.name == "inpaint")
    assert command.value == "inpaint.cli.main:main"


def test_every_error_of_ours_has_a_documented_exit_status():
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(value, errors.InpaintError) for value in classes)
    assert {value.exit_status for value in classes if issubclass(value, errors.UsageError)} == {2}
    assert {value.exit_status for value in classes if not issubclass(value, errors.UsageError)} == {1}


def test_an_unknown_name_gets_a_suggestion_and_the_valid_names():
    assert errors.unknown("model", "tele", ["ns", "telea"]) == (
        "unknown model 'tele' (did you mean 'telea'?); valid: ns, telea"
    )
    assert errors.unknown("model", "xyz", ["ns", "telea"]) == "unknown model 'xyz'; valid: ns, telea"


def test_every_error_can_be_sent_to_another_process():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InpaintError)]
    assert len(kinds) > 5
    for kind in kinds:
        error = kind("why", iteration=3) if kind is errors.DivergedError else kind("why")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (kind, "why", vars(error))
