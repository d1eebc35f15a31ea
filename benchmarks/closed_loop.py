"""End-to-end test of training on a CPU: render people, train a tiny network, evaluate it, and run it on a clip.

    python benchmarks/closed_loop.py [--out out/closed_loop] [--pictures docs/images]

A tiny network with SMPLer-X's architecture is trained from scratch on rendered people and evaluated on other rendered
people; the trained bundle then estimates a rendered clip. Each step is one of the package's commands. What exists in
OUT is reused, and an interrupted training resumes. The benchmark shows that the parts work together; the network itself
is of no use on real images.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smplerx_ros.body import BodyModel, load_body
from smplerx_ros.cli import main as smplerx
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.io.report import command_line, machine, write_report
from smplerx_ros.io.video import VideoWriter
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.research.evaluation.humandata import read_humandata
from smplerx_ros.research.evaluation.mesh_errors import MM, PELVIS, joint_aligned_distances
from smplerx_ros.research.synthetic.clip import ClipFrame, random_clip
from smplerx_ros.research.synthetic.generate import ANNOTATIONS
from smplerx_ros.research.synthetic.scene import SceneOptions
from smplerx_ros.research.training.history import read_history
from smplerx_ros.types import PARAM_SIZES, Frame, Person, SmplxParams
from smplerx_ros.visualization.overlay import draw_people

Image = NDArray[np.uint8]

CONFIG = Path(__file__).parent / "closed_loop.yaml"
TURN_DEG = 75.0  # people roughly face the camera: minutes of training are not enough for views from behind
CLOTHES = "suit"  # limbs are identified by their colours, for the same reason
IMAGE_SIZE = 256  # pixels, width and height
TRAIN_SEED, HELD_OUT_SEED, CLIP_SEED = 0, 1, 4
HELD_OUT = 100  # people
CLIP = SceneOptions(width=480, height=480, turn_deg=TURN_DEG, clothes=CLOTHES)
CLIP_FRAMES, CLIP_RATE = 90, 15.0
SHEET_FRAMES = 6  # in the contact sheet


def synthesize(out: Path, samples: int, seed: int, processes: int) -> None:
    """Render a data set, unless it exists."""
    if (out / "humandata.npz").is_file():
        return
    options = {"samples": samples, "seed": seed, "processes": processes, "turn-deg": TURN_DEG}
    options |= {"width": IMAGE_SIZE, "height": IMAGE_SIZE, "clothes": CLOTHES}
    run("synthesize", "--out", str(out), *(f"--{name}={value}" for name, value in options.items()))


def run(*arguments: str) -> None:
    """Run one of the package's commands; exit if it fails."""
    print(f"$ python -m smplerx_ros {' '.join(arguments)}", flush=True)
    code = smplerx(arguments)
    if code:
        sys.exit(code)


def mean_pose_error(body: BodyModel, train: SmplxParams, held_out: SmplxParams) -> float:
    """Return the PVE, mm, on `held_out` of a constant prediction, the mean of `train`: the baseline to beat."""
    means: dict[str, NDArray[Any]] = {}
    for name, size in PARAM_SIZES.items():
        values = getattr(train, name)
        if name.endswith(("pose", "orient")):
            rotations = values.reshape(len(values), -1, 3).swapaxes(0, 1)
            means[name] = np.concatenate([Rotation.from_rotvec(joint).mean().as_rotvec() for joint in rotations])
        else:
            means[name] = values.mean(axis=0)
        assert means[name].shape == (size,)
    mean = SmplxParams(**{name: value[None] for name, value in means.items()})
    found, truth = body.vertices(mean), body.vertices(held_out)
    distances = joint_aligned_distances(found, truth, body.joints(mean)[:, PELVIS], body.joints(held_out)[:, PELVIS])
    return float(MM * distances.mean())


def people_of(folder: Path) -> SmplxParams:
    """Return the parameters of all people in a rendered data set."""
    return read_humandata(folder / ANNOTATIONS).smplx_params()


@dataclass(frozen=True)
class Followed:
    """A frame of the clip with the estimate and the overlay."""

    truth: ClipFrame
    person: Person | None
    overlay: Image


def follow(body: BodyModel, bundle: Path) -> list[Followed]:
    """Estimate a rendered clip with the bundle; boxes come from the ground truth."""
    values = {"backbone": "tiny", "weights": str(bundle), "detector": "topic", "threads": 1}
    followed = []
    with Estimator.from_config(values) as estimator:
        for shot in random_clip(body, CLIP, CLIP_SEED, CLIP_FRAMES, CLIP_RATE):
            low, high = _extent(body, shot)
            stamp = round(shot.seconds * 1e9)
            frame = Frame(shot.image, shot.camera, stamp, detections=(Box(*low, *high),))
            people = estimator.process(frame)
            overlay = draw_people(shot.image, people.people, body, people.camera)
            followed.append(Followed(shot, people.people[0] if people.people else None, overlay))
    return followed


def _extent(body: BodyModel, shot: ClipFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    pixels = shot.camera.project(body.vertices(shot.params)[0])
    border = [shot.camera.width - 1, shot.camera.height - 1]
    return pixels.min(axis=0).clip(0, border), pixels.max(axis=0).clip(0, border)


def clip_errors(body: BodyModel, followed: list[Followed]) -> dict[str, float]:
    """Compute mean errors over the frames with an estimate: pelvis-aligned, and in the image relative to the height."""
    seen = [shot for shot in followed if shot.person is not None]
    metres, relative = [], []
    for shot in seen:
        assert shot.person
        joints, truth = shot.person.joints[:22], body.joints(shot.truth.params)[0, :22]
        metres.append(np.linalg.norm((joints - joints[0]) - (truth - truth[0]), axis=1).mean())
        low, high = _extent(body, shot.truth)
        pixels = shot.truth.camera.project(truth) - shot.person.joints_image[:22]
        relative.append(np.linalg.norm(pixels, axis=1).mean() / (high - low)[1])
    return {
        "frames": len(followed),
        "frames with the person": len(seen),
        "body joints from the pelvis, mm": round(1e3 * float(np.mean(metres))),
        "body joints in the image, percent of the person's height": round(100 * float(np.mean(relative)), 1),
    }


def contact_sheet(followed: list[Followed]) -> Image:
    """Arrange some frames above their overlays, at half the size."""
    chosen = [followed[k] for k in np.linspace(0, len(followed) - 1, SHEET_FRAMES).round().astype(int)]
    rows = [np.concatenate([getter(shot) for shot in chosen], axis=1) for getter in (_image, _overlay)]
    return np.asarray(cv2.resize(np.concatenate(rows), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _image(shot: Followed) -> Image:
    return shot.truth.image


def _overlay(shot: Followed) -> Image:
    return shot.overlay


def curve(steps: list[int], errors: list[float], mean_pose: float) -> Image:
    """Plot the validation PVE over training steps; dashed: half that of the untrained network, and the mean pose's."""
    width, height, left, right, top, bottom = 760, 400, 70, 40, 40, 50
    image = np.full((height, width, 3), 255, np.uint8)
    highest = 100 * np.ceil(max(errors) / 100)

    def at(step: float, error: float) -> tuple[int, int]:
        x = left + (width - left - right) * step / max(steps)
        return round(x), round(height - bottom - (height - top - bottom) * error / highest)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA)

    for error in np.arange(0, highest + 1, 100):
        cv2.line(image, at(0, error), at(max(steps), error), (225, 225, 225), 1)
        write(f"{error:.0f}", 30, at(0, error)[1] + 5)
    for step in np.linspace(0, max(steps), 6):
        write(f"{step:.0f}", at(step, 0)[0] - 12, height - 28)
    for level, color in ((errors[0] / 2, (200, 120, 60)), (mean_pose, (60, 140, 60))):
        for start in np.arange(0, max(steps), max(steps) / 60):
            cv2.line(image, at(start, level), at(start + max(steps) / 120, level), color, 1)
    points = np.array([at(step, error) for step, error in zip(steps, errors, strict=True)], np.int32)
    cv2.polylines(image, [points], False, (30, 90, 180), 2, cv2.LINE_AA)
    write("PVE, mm, people not trained on (orange: half the untrained network's; green: mean pose)", left, 24)
    write("steps", width // 2, height - 8)
    return image


def main() -> int:
    """Run all steps; exit code 1 if the final PVE is not below half the initial one and below the mean pose's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/closed_loop"), help="[%(default)s]")
    parser.add_argument("--samples", type=int, default=2000, help="rendered training images [%(default)s]")
    parser.add_argument("--processes", type=int, default=2, help="rendering processes [%(default)s]")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override in closed_loop.yaml")
    parser.add_argument("--pictures", type=Path, help="folder for training_curve.png and trained_overlay.png [OUT]")
    arguments = parser.parse_args()
    out: Path = arguments.out
    synthesize(out / "train", arguments.samples, TRAIN_SEED, arguments.processes)
    synthesize(out / "held_out", HELD_OUT, HELD_OUT_SEED, arguments.processes)
    bundle = out / "run" / "bundle"
    if not bundle.is_dir():
        changes = [f"data.root={out}", f"out={out / 'run'}", *arguments.set]
        run("finetune", str(CONFIG), "--resume", *(f"--set={change}" for change in changes))
    evaluated = ("--dataset=synthetic", f"--data={out / 'held_out'}", f"--out={out / 'evaluation'}")
    run("evaluate", *evaluated, "--backbone=tiny", f"--weights={bundle}")
    measured = [record for record in read_history(out / "run") if record["group"] == "validation"]
    steps, errors = [record["step"] for record in measured], [record["pve"] for record in measured]
    body = load_body()
    mean_pose = mean_pose_error(body, people_of(out / "train"), people_of(out / "held_out"))
    followed = follow(body, bundle)
    with VideoWriter(out / "clip.mp4", CLIP_RATE) as clip, VideoWriter(out / "overlay.mp4", CLIP_RATE) as overlay:
        for shot in followed:
            clip.write(shot.truth.image, shot.truth.seconds)
            overlay.write(shot.overlay, shot.truth.seconds)
    pictures = arguments.pictures or out
    pictures.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(pictures / "training_curve.png"), curve(steps, errors, mean_pose)[:, :, ::-1])
    cv2.imwrite(str(pictures / "trained_overlay.jpg"), contact_sheet(followed)[:, :, ::-1])
    found = clip_errors(body, followed)
    text = (
        f"PVE on {HELD_OUT} held-out people: {errors[0]:.0f} mm untrained, {errors[-1]:.0f} mm after "
        f"{steps[-1]} steps; the mean pose of the training set gives {mean_pose:.0f} mm.\n\nThe clip: "
        + ", ".join(f"{name} {value}" for name, value in found.items())
        + "."
    )
    print(text)
    content = {"validation": measured, "mean_pose": mean_pose, "clip": found}
    write_report(out, "closed_loop", content, text, command_line(), machine())
    return 0 if errors[-1] < min(errors[0] / 2, mean_pose) else 1


if __name__ == "__main__":
    sys.exit(main())
