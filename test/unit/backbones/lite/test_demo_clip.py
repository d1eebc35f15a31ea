"""On real video: the walking woman of the demo clip is followed, and her body lies on her landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np
import pytest

from smplerx_ros.backbones.lite.backbone import LiteBackbone
from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator
from smplerx_ros.backbones.lite.landmarks import LandmarkQuery, PersonLandmarks
from smplerx_ros.backbones.lite.points import POINTS
from smplerx_ros.body.skeleton import JOINT_INDEX
from smplerx_ros.config.options import Options
from smplerx_ros.detection.builtin import BuiltinDetector
from smplerx_ros.io.video import VideoReader
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.types import Frame, Person
from support.bodies import standin

FRAMES = 45  # 1.5 s: a step and a half
LIMBS = [p for p in POINTS if p.name.split("_")[-1] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]


@dataclass
class Listener:
    """Landmark networks whose answers can be looked at afterwards."""

    inner: LandmarkEstimator
    last: list[PersonLandmarks | None] | None = None

    @property
    def provider(self) -> str:
        return self.inner.provider

    def estimate(self, queries: list[LandmarkQuery]) -> list[PersonLandmarks | None]:
        self.last = self.inner.estimate(queries)
        return self.last


@pytest.fixture(scope="module")
def walk() -> list[tuple[Person, PersonLandmarks] | None]:
    """The woman, who is the lower of the two, in each frame: what was estimated, and the landmarks behind it."""
    body, networks = standin(), Listener(LandmarkEstimator(threads=1))
    estimator = Estimator(LiteBackbone(body, networks), BuiltinDetector(threads=1), body, Options())
    with as_file(files("smplerx_ros") / "assets" / "demo_walk.mp4") as clip:
        frames = [frame for frame, _ in zip(VideoReader(clip), range(FRAMES), strict=False)]
    rows = []
    for k, video_frame in enumerate(frames):
        people = estimator.estimate(Frame(video_frame.image, stamp_ns=(k + 1) * 33_333_333))
        found = [landmarks for landmarks in networks.last or [] if landmarks is not None]
        pairs = sorted(zip(people, found, strict=True), key=lambda pair: -pair[0].box.y1)
        low = pairs and pairs[0][0].box.y1 > 0.6 * video_frame.image.shape[0]
        rows.append(pairs[0] if low else None)
    return rows


def test_she_is_followed_under_one_name(walk):
    seen = [row for row in walk if row is not None]
    assert len(seen) >= 0.95 * len(walk)
    assert len({person.id for person, _ in seen}) == 1


def test_limbs_lie_on_their_landmarks(walk):
    distances = []
    for person, landmarks in filter(None, walk):
        joints = person.joints_image[[point.number for point in LIMBS]]
        seen = landmarks.body.points[[point.body for point in LIMBS], :2]
        distances.append(np.linalg.norm(joints - seen, axis=-1) / person.box.height)
    assert np.mean(distances) < 0.015


def test_she_walks_left_in_profile_with_her_head_up(walk):
    """The body's front (+z) points left in the image and its crown up, and so does the head's."""
    body = standin()
    for person, _ in filter(None, walk):
        rotations = body.transforms(person.params)[0][0]
        for joint in ("pelvis", "head"):
            front, up = rotations[JOINT_INDEX[joint], :, 2], rotations[JOINT_INDEX[joint], :, 1]
            assert front[0] < -0.5
            assert up[1] < -0.7


def test_nothing_flips_between_frames(walk):
    """Global orientations of trunk, legs and feet turn by less than a step of a walk allows."""
    body = standin()
    names = (
        "pelvis",
        "spine3",
        "head",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    )
    turns = [body.transforms(person.params)[0][0][[JOINT_INDEX[n] for n in names]] for person, _ in filter(None, walk)]
    for before, after in pairwise(turns):
        cosines = (np.einsum("jab,jab->j", before, after) - 1) / 2
        assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 60
