"""What is known about this process and its machine."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from inpaint.system.environment import commit, process_age_s, variable_set

ROOT = Path(__file__).parents[2]


def test_the_age_of_this_process_is_known():
    assert 0 <= process_age_s() < 24 * 3600


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_the_commit_is_that_of_the_checkout_and_marked_where_files_changed():
    asked = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"]]
    head, changed = (subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True) for words in asked)
    assert commit() == head.stdout.strip() + ("+" if changed.stdout else "")


@pytest.mark.parametrize("before", [None, "theirs"])
def test_a_variable_is_as_before_after_the_block(before, monkeypatch):
    monkeypatch.delenv("INPAINT_TEST", raising=False)
    if before is not None:
        monkeypatch.setenv("INPAINT_TEST", before)
    with suppress(ZeroDivisionError), variable_set("INPAINT_TEST", "ours"):
        assert os.environ["INPAINT_TEST"] == "ours"
        raise ZeroDivisionError
    assert os.environ.get("INPAINT_TEST") == before
