"""The best score of each class in a detector's output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from smplerx_ros.arrays import FloatArray

from .formats import Format, Outputs, Size
from .formats.base import SCORE_ROUNDING

_MAX_LABELS = 366  # classes to read if their number is unknown: those of Objects365, from 0 or 1 on
_LISTED = 3


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Best scores by class, and by box."""

    scores: FloatArray  # (classes,)
    rows: FloatArray  # (N, K, 5) every box with its best score of any class

    def describe(self, names: Mapping[int, str]) -> str:
        """List the classes with the best scores."""
        best = [int(index) for index in np.argsort(-self.scores, kind="stable")[:_LISTED] if self.scores[index] > 0]
        listed = (f"class {index} {names.get(index, '')}".strip() + f" {self.scores[index]:.2f}" for index in best)
        return ", ".join(listed) or "no class at all"


def class_scores(form: Format, outputs: Outputs, size: Size, count: int | None) -> ClassScores:
    """Compute the best scores in outputs of format `form` with `count` classes.

    Columns whose values are not all in 0..1, such as keypoints or logits, count as 0.
    """
    every = [np.nan_to_num(form.read(outputs, size, index)) for index in range(count or _MAX_LABELS)]
    scores = np.stack([rows[..., 4] for rows in every])
    flat = scores.reshape(len(every), -1)
    are_scores = (flat.min(axis=1, initial=0) >= -SCORE_ROUNDING) & (flat.max(axis=1, initial=0) <= 1 + SCORE_ROUNDING)
    scores[~are_scores] = 0
    rows = np.concatenate([every[0][..., :4], scores.max(axis=0)[..., None]], axis=-1)
    return ClassScores(scores.reshape(len(every), -1).max(axis=1, initial=0), rows)
