import subprocess
import sys
from pkgutil import resolve_name

import numpy as np
import pytest

from inpaint.blending.table import BLENDERS
from inpaint.errors import UsageError


def test_pasting_puts_the_source_s_colors_into_the_mask():
    source, target = np.random.default_rng(0).random((2, 4, 6, 3), dtype=np.float32)
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:4] = True
    completed = BLENDERS.load("paste").blend(source, target, mask).completed
    assert np.array_equal(completed, np.where(mask[..., None], source, target))


@pytest.mark.parametrize("name", BLENDERS)
def test_every_method_is_called_by_its_name_in_the_table(name):
    assert resolve_name(BLENDERS[name].factory).name == name
    assert BLENDERS[name].summary
    assert BLENDERS.options(name) == resolve_name(BLENDERS[name].options)()


def test_what_there_is_not_is_refused():
    with pytest.raises(UsageError, match=r"unknown method 'past' \(did you mean 'paste'\?\)"):
        BLENDERS.load("past")
    with pytest.raises(UsageError, match="unknown option of paste 'width'"):
        BLENDERS.load("paste", width=3)
    with pytest.raises(UsageError, match="unknown device 'cuda:99'"):
        BLENDERS.load("paste", device="cuda:99")  # which it would not use


def test_options_are_checked_without_torch():
    code = (
        "import sys; from inpaint.blending.table import BLENDERS; "
        "[BLENDERS.options(name) for name in BLENDERS]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
