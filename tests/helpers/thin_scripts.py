"""The thin files of scripts/, as a user calls them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def help_without_torch(verb: str) -> str:
    """Return what `scripts/VERB.py --help` prints, and assert that it imports neither torch nor NumPy."""
    script = Path(__file__).parents[2] / "scripts" / f"{verb}.py"
    code = (
        "import sys, runpy\n"
        f"sys.argv = [{str(script)!r}, '--help']\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
