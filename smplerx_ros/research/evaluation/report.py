"""Summary of an evaluation beside the published results, as a Markdown table, CSV and NumPy arrays."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smplerx_ros.errors import InputError

from .datasets import LoadedSet
from .matching import f1_normalized, f1_score
from .results import Results, Status

# AGORA's errors normalized by F1, and the errors from which they are computed.
_NORMALIZED = {"nmve": "pve", "nmve_body": "pve_body", "nmje": "mpjpe"}
_NAMES = {
    **{"pve": "PVE (MVE)", "pa_pve": "PA-PVE", "pve_hands": "PVE hands", "pa_pve_hands": "PA-PVE hands"},
    **{"pve_face": "PVE face", "pa_pve_face": "PA-PVE face", "pve_body": "PVE body without hands and face"},
    **{"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE, 14 joints", "pa_mpjpe_hands": "PA-MPJPE hands, 21 joints"},
    **{"nmve": "NMVE", "nmve_body": "B-NMVE", "nmje": "NMJE"},
}


@dataclass(frozen=True)
class Summary:
    """Results of an evaluation, averaged over people."""

    errors: Mapping[str, float]  # mm, by metric
    counted: Mapping[str, int]  # people in each mean
    people: int
    status: Mapping[str, int]  # people by Status
    f1: float  # of the detections; 1 if ground-truth boxes were used and everybody was estimated


def summarize(loaded: LoadedSet, results: Results) -> Summary:
    """Average the results of a data set."""
    errors, counted = {}, {}
    for name, values in results.errors.items():
        finite = values[np.isfinite(values)]
        counted[name] = len(finite)
        errors[name] = float(finite.mean()) if len(finite) else float("nan")
    measured = int(np.sum(results.status == Status.MEASURED))
    f1 = f1_score(measured, int(results.detections.sum()), len(results.rows))
    for name, source in _NORMALIZED.items():
        if name in loaded.spec.metrics and source in errors:
            errors[name], counted[name] = f1_normalized(errors[source], f1), counted[source]
    status = {kind.name.lower(): int(np.sum(results.status == kind)) for kind in Status}
    return Summary(errors, counted, len(results.rows), status, f1)


def markdown_table(loaded: LoadedSet, found: Summary) -> str:
    """Format the data set's metrics as a Markdown table: measured, published, and number of people."""
    lines = [
        "| metric | mm | paper, mm | people |",
        "|---|--:|--:|--:|",
    ]
    for name in loaded.spec.metrics:
        value, number = found.errors.get(name, float("nan")), found.counted.get(name, 0)
        cells = [_NAMES[name], _figure(value), _figure(loaded.spec.paper.get(name, float("nan"))), str(number)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def notes(loaded: LoadedSet, found: Summary, metadata: Mapping[str, Any]) -> list[str]:
    """Return the caveats that belong below the table, from the evaluation's metadata."""
    lines = []
    lost = {name: number for name, number in found.status.items() if number and name != "measured"}
    if lost:
        lines.append(
            "Not measured: " + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in lost.items())
        )
    if "nmve" in loaded.spec.metrics:
        lines.append(f"F1 {found.f1:.3f}; the published results are those of AGORA's server on the test split.")
    if not metadata.get("vertex_sets_comparable", True):
        lines.append(
            f"Hands, face and 14 joints are defined by {metadata['vertex_sets']}: not comparable with the paper's."
        )
    if str(metadata["body_model"]).startswith("standin"):
        lines.append("The body model is the stand-in, not SMPL-X: no result is comparable with the paper's.")
    if loaded.spec.paper:
        lines.append(
            "The published results are those of the paper's best model for the set, whichever one was run here."
        )
    return lines


def write_samples(path: Path, loaded: LoadedSet, results: Results) -> None:
    """Write a CSV row per person: image, status, and every metric in mm.

    Raises:
        InputError: If the file cannot be written.
    """
    names = sorted(results.errors)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "image", "status", *names])
            for i, row in enumerate(results.rows):
                values = [results.errors[name][i] for name in names]
                cells = ["" if np.isnan(value) else f"{value:.4f}" for value in values]
                status = Status(int(results.status[i])).name.lower()
                writer.writerow([int(row), loaded.people.image_paths[int(row)], status, *cells])
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def write_results(path: Path, results: Results) -> None:
    """Write status, predicted parameters and metrics of every person as arrays in an `.npz` file.

    Raises:
        InputError: If the file cannot be written.
    """
    entries: dict[str, Any] = {"row": results.rows, "status": results.status, **results.params, **results.errors}
    try:
        np.savez_compressed(path, **entries)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _figure(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}"
