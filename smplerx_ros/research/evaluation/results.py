"""Evaluation results, stored batch by batch so that an interrupted evaluation can resume."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.io.files import ARCHIVE_ERRORS, open_npz, reason
from smplerx_ros.types import PARAM_SIZES, SmplxParams

SETTINGS_FILE = "settings.json"
_FOLDER, _PATTERN = "parts", "part_*.npz"
_ERROR, _PARAM = "error_", "param_"


class Status(IntEnum):
    """Outcome for one person."""

    MEASURED = 0
    NO_IMAGE = 1  # the image cannot be read
    NO_BODY = 2  # no box, a box outside the image, nobody found in it, or a non-finite prediction
    NOT_DETECTED = 3  # no detection matches the person


@dataclass(frozen=True, eq=False)
class Results:
    """Results of n people in m images."""

    images: NDArray[np.int64]  # (m,) numbers of the images
    detections: NDArray[np.int64]  # (m,) estimated people per image
    rows: NDArray[np.int64]  # (n,) of the data set
    status: NDArray[np.int64]  # (n,) Status
    errors: Mapping[str, FloatArray]  # (n,) mm, NaN where not measured
    params: Mapping[str, FloatArray]  # (n, ...) predicted, NaN where not measured

    @classmethod
    def empty(
        cls,
        images: NDArray[np.int64],
        detections: NDArray[np.int64],
        rows: NDArray[np.int64],
        status: Sequence[Status],
    ) -> Results:
        """Return results without measurements; `status (n,)` holds the reasons."""
        unknown = {name: np.full((len(rows), size), np.nan, np.float32) for name, size in PARAM_SIZES.items()}
        return cls(images, detections, rows, np.array(status, np.int64), {}, unknown)

    def measured(self, index: NDArray[np.int64], params: SmplxParams, errors: Mapping[str, FloatArray]) -> Results:
        """Return a copy with `params` and `errors` of the people at `index` filled in."""
        status = self.status.copy()
        status[index] = Status.MEASURED
        all_params = {name: _filled(values, index, getattr(params, name)) for name, values in self.params.items()}
        blank = np.full(len(self.rows), np.nan)
        all_errors = {name: _filled(blank, index, values) for name, values in errors.items()}
        return Results(self.images, self.detections, self.rows, status, all_errors, all_params)


class ResultStore:
    """Folder with the results of one evaluation.

    Args:
        folder: The folder; created if missing.
        settings: Everything on which the results depend, serializable as JSON.

    Raises:
        ConfigError: If the folder holds results of other settings.
        InputError: If it cannot be written to.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder / _FOLDER
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._check(folder / SETTINGS_FILE, json.loads(json.dumps(settings)))
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to ({error.strerror})") from error

    def _check(self, path: Path, settings: dict[str, Any]) -> None:
        if not path.is_file():
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
            unfinished.replace(path)
            return
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); choose another --out") from error
        other = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
        if other:
            changes = "; ".join(f"{name} was {before.get(name)!r}, is {settings.get(name)!r}" for name in other)
            raise ConfigError(f"{path}: holds the results of another evaluation ({changes}); choose another --out")

    def write(self, part: Results) -> None:
        """Store the results of a batch atomically.

        Raises:
            InputError: If the file cannot be written.
        """
        path = self._folder / f"part_{int(part.images[0]):08d}.npz"
        entries: dict[str, Any] = {
            "images": part.images,
            "detections": part.detections,
            "rows": part.rows,
            "status": part.status,
            **{_ERROR + name: values for name, values in part.errors.items()},
            **{_PARAM + name: values for name, values in part.params.items()},
        }
        unfinished = path.with_suffix(".tmp")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **entries)
            unfinished.replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error

    def read(self) -> list[Results]:
        """Return the stored results.

        Raises:
            InputError: If a file is damaged.
        """
        return [_read(path) for path in sorted(self._folder.glob(_PATTERN))]


def concatenate(parts: list[Results]) -> Results:
    """Concatenate results, sorted by row; metrics that one lacks because nobody in it was measured are NaN."""
    names = sorted({name for part in parts for name in part.errors})
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")

    def column(name: str) -> FloatArray:
        columns = [part.errors.get(name, np.full(len(part.rows), np.nan)) for part in parts]
        return np.asarray(np.concatenate(columns)[order])

    return Results(
        images=np.concatenate([part.images for part in parts]),
        detections=np.concatenate([part.detections for part in parts]),
        rows=rows[order],
        status=np.concatenate([part.status for part in parts])[order],
        errors={name: column(name) for name in names},
        params={name: np.concatenate([part.params[name] for part in parts])[order] for name in PARAM_SIZES},
    )


def _read(path: Path) -> Results:
    try:
        with open_npz(path) as npz:
            return Results(
                images=npz["images"],
                detections=npz["detections"],
                rows=npz["rows"],
                status=npz["status"],
                errors={name.removeprefix(_ERROR): npz[name] for name in npz.files if name.startswith(_ERROR)},
                params={name: npz[_PARAM + name] for name in PARAM_SIZES},
            )
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: damaged ({reason(error)}); delete it to measure its images again") from error


def _filled(values: FloatArray, index: NDArray[np.int64], new: FloatArray) -> FloatArray:
    filled = values.copy()
    filled[index] = new
    return filled
