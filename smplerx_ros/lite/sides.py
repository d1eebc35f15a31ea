"""Left stays left: undo the exchanges of sides that the body network makes for single frames.

Where legs pass each other in profile, or a back looks like a chest, BlazePose sometimes exchanges left and right and
takes it back a frame later. Between two frames close in time limbs move little, so that labels follow the nearest
limb of the frame before; after `MAX_HELD` seconds the network is believed, since then the start was wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .topology import BODY_POINTS

if TYPE_CHECKING:
    from .landmarks import BodyLandmarks

MAX_ELAPSED = 0.12  # seconds: a walker's legs change places within a quarter of a second
MAX_HELD = 0.6  # seconds
MIN_MOVE = 0.04  # of the region's side, mean over a group: what moves less is no exchange
MAX_RATIO = 0.5  # the exchanged labels must explain the frame this much better


def _pairs(names: str) -> NDArray[np.intp]:
    return np.array([[BODY_POINTS.index(f"{side}_{name}") for side in ("left", "right")] for name in names.split()])


_FACE = np.array([[1, 4], [2, 5], [3, 6], [7, 8], [9, 10]])
GROUPS = (
    np.vstack([_FACE, _pairs("shoulder elbow wrist pinky index thumb")]),
    _pairs("hip knee ankle heel foot_index"),
)


def keep_sides(current: BodyLandmarks, previous: BodyLandmarks, elapsed: float) -> BodyLandmarks:
    """`current` with sides exchanged above or below the waist where `previous`, `elapsed` seconds ago, asks for it."""
    order = np.arange(len(current.points))
    held = []
    move = current.points[:, :2] - previous.points[:, :2]
    for pairs, before in zip(GROUPS, previous.held, strict=True):
        kept = np.linalg.norm(move[pairs], axis=2).mean()
        changed = np.linalg.norm(current.points[pairs[:, ::-1], :2] - previous.points[pairs, :2], axis=2).mean()
        exchange = kept > MIN_MOVE * current.roi[2] and changed < MAX_RATIO * kept and before < MAX_HELD
        if exchange:
            order[pairs] = pairs[:, ::-1]
        held.append(before + elapsed if exchange else 0.0)
    first = order[: len(current.visibility)]
    return replace(
        current,
        points=current.points[order],
        visibility=current.visibility[first],
        presence=current.presence[first],
        world=current.world[first],
        held=tuple(held),
    )
