"""AGORA submission: one pickle per person with SMPL-X parameters and 2-D joints, packed into one ZIP archive.

Format: https://github.com/pixelite1201/agora_evaluation.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.body import BodyModel
from smplerx_ros.errors import InputError
from smplerx_ros.types import EYE_POSES, PARAM_SIZES, SmplxParams

from .predictors import Prediction

WIDTH, HEIGHT = 3840, 2160  # resolution of the images to which the server expects the joints to refer
ARCHIVE = "predictions.zip"
FOLDER = "predictions"  # inside the archive


def person_entry(prediction: Prediction, body: BodyModel, image_size: tuple[int, int]) -> dict[str, Any]:
    """Build the submission entry of one person.

    Args:
        prediction: The estimated person.
        body: Body model that the parameters refer to.
        image_size: Height and width in pixels of the image in which the person was estimated.

    Returns:
        `params` as `(1, n)` arrays and `joints (1, 144, 2)` in pixels of the full-resolution image.
    """
    scale = [WIDTH / image_size[1], HEIGHT / image_size[0]]
    joints = prediction.pixels(body.landmarks144(prediction.params)[0]) * scale
    params = {name: _without_nan_eyes(prediction.params, name) for name in PARAM_SIZES}
    return {"params": params, "joints": joints[None].astype(np.float32)}


def write_submission(folder: Path, image: str, people: list[dict[str, Any]]) -> None:
    """Write `{image}_personId_{k}.pkl` for each person of an image.

    Raises:
        InputError: If `folder` cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k, person in enumerate(people):
            (folder / f"{Path(image).stem}_personId_{k}.pkl").write_bytes(pickle.dumps(person, protocol=4))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error


def pack_submission(folder: Path) -> Path:
    """Pack all person files in `folder` into one ZIP archive and return its path."""
    path = folder / ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*_personId_*.pkl")):
            archive.write(file, f"{FOLDER}/{file.name}")
    return path


def _without_nan_eyes(params: SmplxParams, name: str) -> NDArray[np.float32]:
    """Return the parameter as `(1, n)`; an eye pose that was not estimated (NaN) becomes zero."""
    value = np.asarray(getattr(params, name), np.float32)
    return np.nan_to_num(value)[None] if name in EYE_POSES else value[None]
