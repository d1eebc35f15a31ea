"""What a training tells: lines of JSON beside its snapshots, and TensorBoard where that is installed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

HISTORY = "history.jsonl"


class History:
    """Records of numbers by step. What was recorded at or after `step`, where a run resumes, is forgotten."""

    def __init__(self, directory: Path, step: int = 0) -> None:
        self._path = directory / HISTORY
        kept = [record for record in read_history(directory) if record["step"] <= step] if step else []
        self._path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self._board = _summary_writer(directory, step)

    def add(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Numbers after `step` steps; `group` is "train" or "validation"."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "group": group, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Writes what is left."""
        if self._board is not None:
            self._board.close()


def read_history(directory: Path) -> list[dict[str, Any]]:
    """All records of a run, oldest first; none where there is no file. Half a line, of a killed run, is none."""
    path = directory / HISTORY
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def _summary_writer(directory: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.warning("no TensorBoard logs: pip install tensorboard")
        return None
    return SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1 if step else None)
