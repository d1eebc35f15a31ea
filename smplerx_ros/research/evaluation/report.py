"""Summary of an evaluation, beside the paper's."""

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

# AGORA's errors that people who were missed raise, and of what they are made.
_NORMALIZED = {"nmve": "pve", "nmve_body": "pve_body", "nmje": "mpjpe"}
_NAMES = {
    **{"pve": "PVE (MVE)", "pa_pve": "PA-PVE", "pve_hands": "PVE hands", "pa_pve_hands": "PA-PVE hands"},
    **{"pve_face": "PVE face", "pa_pve_face": "PA-PVE face", "pve_body": "PVE body without hands and face"},
    **{"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE, 14 joints", "pa_mpjpe_hands": "PA-MPJPE hands, 21 joints"},
    **{"nmve": "NMVE", "nmve_body": "B-NMVE", "nmje": "NMJE"},
}


@dataclass(frozen=True)
class Summary:
    """What came out of an evaluation; errors are means over people, mm."""

    errors: Mapping[str, float]
    counted: Mapping[str, int]  # people in each mean
    people: int
    status: Mapping[str, int]  # people by what became of them
    f1: float  # 1 where boxes of the truth were used and everybody was estimated


def summarize(loaded: LoadedSet, results: Results) -> Summary:
    """Of all results of a set."""
    errors, counted = {}, {}
    for name, values in results.errors.items():
        known = values[np.isfinite(values)]
        counted[name] = len(known)
        errors[name] = float(known.mean()) if len(known) else float("nan")
    measured = int(np.sum(results.status == Status.MEASURED))
    f1 = f1_score(measured, int(results.detections.sum()), len(results.rows))
    for name, source in _NORMALIZED.items():
        if name in loaded.spec.measures and source in errors:
            errors[name], counted[name] = f1_normalized(errors[source], f1), counted[source]
    status = {kind.name.lower(): int(np.sum(results.status == kind)) for kind in Status}
    return Summary(errors, counted, len(results.rows), status, f1)


def markdown_table(loaded: LoadedSet, found: Summary) -> str:
    """The set's measures in Markdown: here, in the paper, and over how many people."""
    lines = [
        "| measure | mm | paper, mm | people |",
        "|---|--:|--:|--:|",
    ]
    for name in loaded.spec.measures:
        value, number = found.errors.get(name, float("nan")), found.counted.get(name, 0)
        cells = [_NAMES[name], _figure(value), _figure(loaded.spec.paper.get(name, float("nan"))), str(number)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def notes(loaded: LoadedSet, found: Summary, about: Mapping[str, Any]) -> list[str]:
    """What a reader of the table must know."""
    lines = []
    lost = {name: number for name, number in found.status.items() if number and name != "measured"}
    if lost:
        lines.append(
            "Not measured: " + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in lost.items())
        )
    if "nmve" in loaded.spec.measures:
        lines.append(f"F1 {found.f1:.3f}; the paper's figures are of the test split, measured by AGORA's server.")
    if not about.get("vertex_sets_comparable", True):
        lines.append(
            f"Hands, face and 14 joints are sets of our own ({about['vertex_sets']}): not comparable with the paper's."
        )
    if str(about["body_model"]).startswith("standin"):
        lines.append("The body is the stand-in, not SMPL-X: no figure is comparable with the paper's.")
    if loaded.spec.paper:
        lines.append("The paper's figures are those of the best model it reports for the set, whatever you ran.")
    return lines


def write_samples(path: Path, loaded: LoadedSet, results: Results) -> None:
    """A row per person: image, what became of them, every measure in mm. Raises InputError."""
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
    """The same with predicted parameters, as arrays in an `.npz`. Raises InputError."""
    entries: dict[str, Any] = {"row": results.rows, "status": results.status, **results.params, **results.errors}
    try:
        np.savez_compressed(path, **entries)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _figure(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}"
