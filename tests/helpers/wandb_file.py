"""What W&B has recorded offline, read from its file: LevelDB's log format around protocol buffers."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK_BYTES = 32768
HEADER = struct.Struct("<IHB")  # checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last part of a record
FILE_HEADER_BYTES = 7


@dataclass
class Recorded:
    """One W&B run: its options, the rows of its history, what is said of its metrics, and its summary."""

    name: str = ""
    group: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Recorded:
        """Read the only offline run of a run folder."""
        from wandb.proto import wandb_internal_pb2 as protocol

        (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        found = cls()
        for content in _records(file.read_bytes()):
            record = protocol.Record.FromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                found.name, found.group = record.run.display_name, record.run.run_group
                found.tags = list(record.run.tags)
                found.config |= _items(record.run.config.update)
            elif kind == "config":
                found.config |= _items(record.config.update)
            elif kind == "history":
                found.history.append(_items(record.history.item))
            elif kind == "summary":
                found.summary |= _items(record.summary.update)
            elif kind == "metric":
                metric = record.metric
                best = [name for name in ("min", "max") if getattr(metric.summary, name)]
                found.metrics[metric.name or metric.glob_name] = {"axis": metric.step_metric, "best": best}
        return found


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log."""
    position, parts = FILE_HEADER_BYTES, b""
    while position + HEADER.size <= len(content):
        left = BLOCK_BYTES - position % BLOCK_BYTES
        if left < HEADER.size:
            position += left
            continue
        _, length, kind = HEADER.unpack_from(content, position)
        position += HEADER.size
        parts += content[position : position + length]
        position += length
        if kind in (1, 4):
            yield parts
            parts = b""
