"""What a detector sees in a picture, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray

from .formats import Format, Outputs, Size
from .formats.base import SCORE_ROUNDING

_MOST_LABELS = 366  # classes looked at where the graph does not say how many there are: Objects365's, from 0 or 1 on
_LISTED = 3


@dataclass(frozen=True, eq=False)
class Sight:
    """The best `scores (classes,)` of each class, and `rows (N, K, 5)`: every box with its best score of any class."""

    scores: FloatArray
    rows: FloatArray

    def text(self, names: Mapping[int, str]) -> str:
        """The classes with the best scores."""
        best = [int(index) for index in np.argsort(-self.scores, kind="stable")[:_LISTED] if self.scores[index] > 0]
        listed = (f"class {index} {names.get(index, '')}".strip() + f" {self.scores[index]:.2f}" for index in best)
        return ", ".join(listed) or "no class at all"


def sight(form: Format, outputs: Outputs, size: Size, count: int | None) -> Sight:
    """Of an answer that has `form` with `count` classes.

    Columns that hold anything but scores of 0 to 1 (points of a pose, logits) count as 0.
    """
    every = [np.nan_to_num(form.read(outputs, size, index)) for index in range(count or _MOST_LABELS)]
    scores = np.stack([rows[..., 4] for rows in every])
    flat = scores.reshape(len(every), -1)
    are_scores = (flat.min(axis=1, initial=0) >= -SCORE_ROUNDING) & (flat.max(axis=1, initial=0) <= 1 + SCORE_ROUNDING)
    scores[~are_scores] = 0
    rows = np.concatenate([every[0][..., :4], scores.max(axis=0)[..., None]], axis=-1)
    return Sight(scores.reshape(len(every), -1).max(axis=1, initial=0), rows)
