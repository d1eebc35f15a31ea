"""Results on disk as they come: a killed evaluation goes on where it was."""

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
    """What became of a person."""

    MEASURED = 0
    NO_IMAGE = 1  # the image cannot be read
    NO_BODY = 2  # no box, or it lies outside the image; nobody was found in it, or a body that is no numbers
    NOT_DETECTED = 3  # no detection matches the person


@dataclass(frozen=True, eq=False)
class Results:
    """Results of some images: `rows (n,)` of the set, and `m` images by their number."""

    images: NDArray[np.int64]  # (m,)
    detections: NDArray[np.int64]  # (m,) people found; with boxes of the truth their number
    rows: NDArray[np.int64]  # (n,)
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
        """Nobody measured; `status`: why not."""
        unknown = {name: np.full((len(rows), size), np.nan, np.float32) for name, size in PARAM_SIZES.items()}
        return cls(images, detections, rows, np.array(status, np.int64), {}, unknown)

    def measured(self, index: NDArray[np.int64], params: SmplxParams, errors: Mapping[str, FloatArray]) -> Results:
        """With the results of the people at `index`."""
        status = self.status.copy()
        status[index] = Status.MEASURED
        known = {name: _placed(values, index, getattr(params, name)) for name, values in self.params.items()}
        blank = np.full(len(self.rows), np.nan)
        found = {name: _placed(blank, index, values) for name, values in errors.items()}
        return Results(self.images, self.detections, self.rows, status, found, known)


class ResultStore:
    """The folder of one evaluation."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Raises ConfigError where the folder holds results of other settings, InputError if it cannot be written."""
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
            raise ConfigError(f"{path}: holds another evaluation ({changes}); choose another --out")

    def write(self, part: Results) -> None:
        """Keeps a part: all of it or nothing. Raises InputError."""
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
        """The parts so far. Raises InputError for a damaged one."""
        return [_read(path) for path in sorted(self._folder.glob(_PATTERN))]


def concatenate(parts: list[Results]) -> Results:
    """All parts as one, by row; measures that a part does not have (nobody in it was measured) are NaN in it."""
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


def _placed(values: FloatArray, index: NDArray[np.int64], some: FloatArray) -> FloatArray:
    filled = values.copy()
    filled[index] = some
    return filled
