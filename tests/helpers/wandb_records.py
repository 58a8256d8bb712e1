"""What W&B has recorded offline, read from its own file."""

import json
from pathlib import Path

HEADER, BLOCK, FRAME = 7, 32768, 7
FULL, FIRST, LAST = 1, 2, 4


def frames(file):
    """Yield the records of a file in the log format of LevelDB: frames of CRC, length and type within blocks."""
    data, place, parts = Path(file).read_bytes(), HEADER, b""
    while place + FRAME <= len(data):
        left = BLOCK - place % BLOCK
        if left < FRAME:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        part = data[place + FRAME : place + FRAME + length]
        place += FRAME + length
        parts = part if kind in (FULL, FIRST) else parts + part
        if kind in (FULL, LAST):
            yield parts


def read_offline(file):
    """Return configuration, last summary, what was logged, and the artifacts of an offline run, run-ID.wandb.

    Keys of nested values are joined by dots.
    """
    from wandb.proto import wandb_internal_pb2

    config, summary, history, artifacts = {}, {}, [], []
    for data in frames(file):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "summary":
            summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
        elif kind == "history":
            history.append({_key(item): json.loads(item.value_json) for item in record.history.item})
        elif kind == "artifact":
            artifacts.append(record.artifact)
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            artifacts.append(record.request.log_artifact.artifact)
    return config, summary, history, artifacts


def _key(item):
    return item.key or ".".join(item.nested_key)
