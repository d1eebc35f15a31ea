"""Body models of an evaluation: the neutral one for predictions, and gendered ones for the ground truth."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.errors import ModelFileError

NEUTRAL = "neutral"
_LETTERS = {"n": "neutral", "m": "male", "f": "female"}


class BodyModels:
    """SMPL-X models in a folder (`SMPLX_{NEUTRAL,MALE,FEMALE}.npz`), loaded on first use.

    Args:
        folder: The folder, or None to use the embedded stand-in for every gender.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._load = cache(self._read)

    @property
    def neutral(self) -> BodyModel:
        """The model with which predictions are posed."""
        return self._load(NEUTRAL)

    def for_gender(self, gender: str) -> BodyModel:
        """Return the model for "male", "female", "neutral" or their first letters.

        Raises:
            ModelFileError: If the gender is unknown or its file is missing.
        """
        name = _LETTERS.get(gender.strip().lower()[:1])
        if name is None:
            raise ModelFileError(f"body model: gender {gender!r} is none of {', '.join(_LETTERS.values())}")
        return self._load(name)

    def _read(self, gender: str) -> BodyModel:
        if self.folder is None:
            return load_body()
        return load_body(self.folder / f"SMPLX_{gender.upper()}.npz")
