"""Opening a run of W&B, for whoever records in one: online with a login, else offline."""

from __future__ import annotations

import importlib
import logging
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

START_S = 60  # wait for the server at the start
FINISH_S = 300  # wait for the last uploads
OFFLINE = ("offline", "dryrun")


def start_wandb(
    *, log: logging.Logger, denied: str, mode: str = "auto", resumes: bool = False, **options: Any
) -> tuple[Any, Path | None]:
    """Begin a run of W&B.

    Args:
        log: Told why it records offline.
        denied: What to do where one may not write to a project, for the message.
        mode: auto (online with a login, else offline), online, offline or disabled; W&B's own variable wins.
        resumes: Go on with the run of the id in `options`, where it can be reached.
        options: What `wandb.init` takes.

    Returns:
        The run, and the folder it records into where it records offline.

    Raises:
        Exception: Anything that W&B raises.
    """
    wandb = importlib.import_module("wandb")
    mode = os.environ.get("WANDB_MODE") or mode
    if mode == "auto":
        mode = "online" if _logged_in(wandb) else "offline"
    try:
        session = _open(wandb, mode, resumes, options)
    except Exception as error:
        if mode != "online":
            raise
        reason = " ".join(str(error).split())[:300]
        if re.search(r"permission|denied|forbidden|not found|\b40[34]\b", reason, re.IGNORECASE):
            place = "/".join(filter(None, (options.get("entity"), options.get("project"))))
            log.warning(
                "W&B lets you write to no project '%s', recording offline: %s, or ask their owner: %s",
                place,
                denied,
                reason,
            )
        else:
            log.warning("W&B cannot be reached, recording offline: %s", reason)
        mode = "offline"
        session = _open(wandb, mode, resumes, options)
    return session, Path(session.dir).parent if mode in OFFLINE else None


def upload_line(folders: Sequence[Path]) -> str:
    """Return how to upload what was recorded offline."""
    return "W&B recorded offline; upload with: " + shlex.join(["wandb", "sync", *map(str, folders)])


def _open(wandb: Any, mode: str, resumes: bool, options: dict[str, Any]) -> Any:
    # The console belongs to the progress bar, and some of these exist in newer releases only.
    limits = {"console": "off", "quiet": True, "init_timeout": START_S, "finish_timeout": FINISH_S}
    known = getattr(wandb.Settings, "model_fields", limits)
    return wandb.init(
        mode=mode,
        resume="allow" if resumes and mode == "online" else None,
        settings=wandb.Settings(**{name: value for name, value in limits.items() if name in known}),
        **options,
    )


def _logged_in(wandb: Any) -> bool:
    """Ask W&B for a login without letting it prompt."""
    try:
        return bool(wandb.login(prompt=False, verify=False))
    except TypeError:
        return bool(wandb.api.api_key)  # releases that cannot be told not to prompt
