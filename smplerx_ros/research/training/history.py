"""Training log: JSON lines beside the snapshots, and TensorBoard if it is installed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

HISTORY = "history.jsonl"


class History:
    """Writes metrics by step.

    Args:
        directory: Of the run.
        step: Step at which a run resumes; later records are removed. 0 starts a new log.
    """

    def __init__(self, directory: Path, step: int = 0) -> None:
        self._path = directory / HISTORY
        kept = [record for record in read_history(directory) if record["step"] <= step] if step else []
        self._path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self._board = _summary_writer(directory, step)

    def add(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Append the values after `step` steps; `group` is "train" or "validation"."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "group": group, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Flush and close the TensorBoard writer."""
        if self._board is not None:
            self._board.close()


def read_history(directory: Path) -> list[dict[str, Any]]:
    """Return all records of a run, oldest first; a partial last line (of an interrupted run) is ignored."""
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
