"""Metric errors on a real person filmed by four calibrated cameras, estimated by each camera alone.

The clip (pose2sim's Demo_SinglePerson, BSD-3) is downloaded once into the cache, or taken from --data. The ground
truth is triangulated from body landmarks in all four views; benchmarks/multiview.md gives its accuracy. Each camera is
estimated alone, with its calibration, once without and once with the person's height.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smplerx_ros.io.report import Report
    from smplerx_ros.research.evaluation.landmarks2d import Landmarks2D
    from smplerx_ros.research.evaluation.multiview import GroundTruth, Score

_log = logging.getLogger(__name__)

NAME = "multiview"
_COLUMNS = (
    *("camera", "MPJPE mm", "PA-MPJPE mm", "head, feet mm", "distance %", "bias %"),
    *("accel. m/s² (truth)", "followed", "ids"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this benchmark."""
    from smplerx_ros.config.arguments import add_parameters

    parser.add_argument("--data", type=Path, metavar="DIR", help="the unpacked wheel, or Demo_SinglePerson itself")
    parser.add_argument(
        "--landmarks",
        type=Path,
        metavar="FILE",
        help="store the 2-D landmarks of the ground truth in this .npz, and reuse them",
    )
    add_parameters(parser)


def measure(arguments: argparse.Namespace) -> Report:
    """Run the benchmark. Raises SmplerxError if the clip is not available."""
    from smplerx_ros.config.arguments import given_parameters
    from smplerx_ros.io.cache import cache_directory
    from smplerx_ros.io.report import Report
    from smplerx_ros.research.evaluation import pose2sim
    from smplerx_ros.research.evaluation.multiview import reconstruct_ground_truth

    values = given_parameters(arguments)
    if arguments.data is None:
        clip = pose2sim.fetch_clip(cache_directory() / "bench" / f"pose2sim-{pose2sim.VERSION}")
    else:
        clip = pose2sim.clip_folder(arguments.data)
    views = pose2sim.views(clip)
    landmarks = clip_landmarks(clip, arguments.landmarks, int(values.get("threads", 0)) or None)
    truth = reconstruct_ground_truth(list(views.values()), [landmarks[name] for name in views], pose2sim.RATE)
    heights = [float(values["person_height"])] if "person_height" in values else [0.0, pose2sim.PERSON_HEIGHT]
    runs = [_measured(clip, truth, {**values, "person_height": height}) for height in heights]
    text = "\n\n".join([_truth_text(truth), *(_table(run) for run in runs)])
    results = {"truth": _truth_numbers(truth), "runs": runs}
    return Report(f"{NAME}_{runs[0]['backbone']}", results, text)


def clip_landmarks(clip: Path, kept: Path | None, threads: int | None) -> dict[str, Landmarks2D]:
    """Landmarks of the ground truth by camera, read from the file `kept` if it exists, else written to it."""
    import numpy as np
    from tqdm import tqdm

    from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator
    from smplerx_ros.detection.builtin import BuiltinDetector
    from smplerx_ros.research.evaluation import pose2sim
    from smplerx_ros.research.evaluation.landmarks2d import Landmarks2D, track_largest_person

    if kept is not None and kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            return {n: Landmarks2D(arrays[f"{n}_points"], arrays[f"{n}_visibility"]) for n in pose2sim.CAMERAS}
    detector, landmarker = BuiltinDetector("cpu", threads), LandmarkEstimator("cpu", threads)
    found = {}
    for name in pose2sim.CAMERAS:
        images = (frame.image for frame in tqdm(pose2sim.frames(clip, name), desc=f"{name} landmarks", unit="frame"))
        found[name] = track_largest_person(images, detector, landmarker, name)
    if kept is not None:
        arrays = {f"{n}_points": seen.points for n, seen in found.items()}
        arrays |= {f"{n}_visibility": seen.visibility for n, seen in found.items()}
        np.savez_compressed(kept, **arrays)
    return found


def _measured(clip: Path, truth: GroundTruth, values: dict[str, Any]) -> dict[str, Any]:
    """Scores of all cameras for one set of parameters, each with an estimator of its own."""
    from dataclasses import asdict

    from tqdm import tqdm

    from smplerx_ros.body import load_body
    from smplerx_ros.pipeline.estimator import Estimator
    from smplerx_ros.research.evaluation import pose2sim
    from smplerx_ros.research.evaluation.multiview import mean_score, score
    from smplerx_ros.types import Frame

    body = load_body(str(values.get("body_model", "")) or None)
    scores: dict[str, Score] = {}
    about: dict[str, Any] = {}
    for number, name in enumerate(pose2sim.CAMERAS):
        people = []
        with Estimator.from_config(values) as estimator:
            for image in tqdm(pose2sim.frames(clip, name), desc=name, unit="frame"):
                frame = Frame(image.image, truth.views[number].camera, round(image.seconds * 1e9), name)
                result = estimator.process(frame)
                people.append(result.people)
                about = {"backbone": result.backbone, "body_model": result.body_model, "runtime": result.runtime}
        scores[name] = score(truth, number, people, body, pose2sim.RATE)
    return {
        **about,
        "person_height": float(values["person_height"]) or None,
        "cameras": {name: asdict(one) for name, one in scores.items()},
        "mean": mean_score(scores),
    }


def _truth_numbers(truth: GroundTruth) -> dict[str, Any]:
    return {
        "median_reprojection_px": truth.reprojection_error,
        "change_without_camera_m": truth.leave_one_out_change.tolist(),
        "delays_frames": [view.delay for view in truth.views],
        "exchanged_sides_frames": truth.swapped_sides.sum(axis=1).tolist(),
        "bones_mean_and_std_m": truth.bone_lengths,
    }


def _truth_text(truth: GroundTruth) -> str:
    changes = ", ".join(f"{1e3 * change:.0f}" for change in truth.leave_one_out_change)
    spread = [1e3 * std for _, std in truth.bone_lengths.values()]
    return (
        f"Ground truth: median reprojection error {truth.reprojection_error:.1f} px; joints change by {changes} mm if "
        f"one camera is left out;\nstandard deviations of bone lengths over time: {min(spread):.0f} to "
        f"{max(spread):.0f} mm."
    )


def _table(run: dict[str, Any]) -> str:
    height = f"{run['person_height']} m" if run["person_height"] else "not given"
    lines = [
        f"{run['backbone']} on {run['body_model']}, person_height {height}",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|" + "--:|" * (len(_COLUMNS) - 1),
    ]
    for name, row in [*run["cameras"].items(), ("mean", run["mean"])]:
        cells = [f"{1e3 * row[key]:.0f}" for key in ("mpjpe", "pa_mpjpe", "extremities")]
        cells += [f"{100 * row['distance_error']:.1f}", f"{100 * row['distance_bias']:+.1f}"]
        cells += [f"{row['acceleration']:.1f} ({row['truth_acceleration']:.1f})"]
        cells += [f"{row['followed']:g}/{row['frames']:g}", f"{row['identities']:g}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
