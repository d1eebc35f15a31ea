"""The estimator's own work, with a backbone and a detector that do what a test asks for."""

from __future__ import annotations

import re
import threading
import weakref
from concurrent.futures import Future
from dataclasses import replace
from time import sleep
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import pytest

from smplerx_ros.config.options import Options
from smplerx_ros.config.table import PARAMETERS
from smplerx_ros.errors import ConfigError, InputError, ModelFileError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.pipeline.smoothing.one_euro import Cutoff
from smplerx_ros.pipeline.smoothing.person_smoother import SmoothingOptions
from smplerx_ros.pipeline.tracking.tracker import Tracker
from smplerx_ros.types import PARAM_SIZES, BodyEstimate, DistanceSource, Estimated, Frame, SmplxParams
from smplerx_ros.visualization.rasterizer import rasterize
from support.bodies import standin

BODY = standin()
IMAGE = np.zeros((480, 640, 3), np.uint8)
FRAME_NS = 33_000_000
FACING = np.array([np.pi, 0, 0])


class FakeDetector:
    """Answers the boxes it holds; counts its calls."""

    threshold = 0.2

    def __init__(self, boxes: list[Box]) -> None:
        self.boxes, self.calls, self.hold = boxes, 0, threading.Event()
        self.hold.set()

    def detect(self, images):
        assert self.hold.wait(10.0)
        self.calls += len(images)
        return [list(self.boxes) for _ in images]


class AtOnce:
    """An executor without threads: detections beside the estimation are counted as soon as they are ordered."""

    def submit(self, function):
        future = Future()
        future.set_result(function())
        return future

    def close(self, timeout):
        return True


class FakeBackbone:
    """Puts everybody where the box was first, arms spread, 3 m ahead at 340 pixels; loses the ids in `lost`."""

    name, runtime, confirms_people = "fake", "none", True

    def __init__(self) -> None:
        self.confidence = 1.0
        self.lost: set[str] = set()
        self.seen: list[list[str]] = []
        self.forgotten: list[str] = []
        self.places: dict[str, np.ndarray] = {}
        self.bad = ""  # the camera that it cannot bear

    def estimate(self, observations):
        if self.bad and any(o.frame.frame_id == self.bad for o in observations):
            raise RuntimeError(f"{self.bad} is bad")
        self.seen.append([o.id for o in observations])
        return [None if o.id in self.lost else self._body(o) for o in observations]

    def _body(self, observation):
        assert observation.frame.camera is not None
        middle = (observation.box.xyxy[:2] + observation.box.xyxy[2:]) / 2
        distance = 3 * 340 / observation.box.height
        ray = np.append(observation.frame.camera.normalize(middle), 1)
        transl = self.places.setdefault(observation.id, distance * ray)
        params = replace(SmplxParams.rest(), global_orient=FACING, transl=transl, estimated=Estimated.TRANSL)
        return BodyEstimate(0.9, params, np.full(55, self.confidence))

    def forget(self, ids):
        self.forgotten += ids

    def reset(self):
        self.seen.clear()


def row(count: int, side: float = 100.0) -> list[Box]:
    """People side by side, arms spread."""
    return [Box(x, 100, x + side, 100 + 1.06 * side, 0.9) for x in np.linspace(20, 500, count).tolist()]


def frame(k: int, frame_id: str = "camera", camera: Camera | None = None) -> Frame:
    return Frame(IMAGE, camera, stamp_ns=(k + 1) * FRAME_NS, frame_id=frame_id)


def unsmoothed(**options: Any) -> Options:
    return Options(smoothing_enabled=False, **options)


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector([Box(90, 70, 410, 410, 0.9)])  # arms spread, 3 m away


@pytest.fixture
def backbone() -> FakeBackbone:
    return FakeBackbone()


@pytest.fixture
def estimator(backbone, detector) -> Estimator:
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=5, max_people=2))
    estimator._identification._detection._background = AtOnce()
    return estimator


def test_joints_are_the_bodys_and_project_to_the_image(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (person,) = estimator.estimate(frame(0, camera=camera))
    np.testing.assert_allclose(person.joints, BODY.joints(person.params)[0], atol=1e-5)
    np.testing.assert_allclose(person.joints_image, camera.project(person.joints), atol=1e-2)
    low, high = person.joints_image.min(0), person.joints_image.max(0)
    assert person.box.x0 < low[0] < high[0] < person.box.x1
    assert person.box.y0 < low[1] < high[1] < person.box.y1


def test_people_are_in_the_frame_in_which_the_cameras_centre_is_given(backbone, detector):
    """The right camera of a stereo pair: the same image shows people a baseline further right."""
    alone = Camera.from_fov(640, 480, 70.0)
    right = replace(alone, centre=np.array([0.12, 0.0, 0.0]))
    people = [
        Estimator(FakeBackbone(), detector, BODY, unsmoothed()).estimate(frame(0, camera=camera))[0]
        for camera in (alone, right)
    ]
    moved = [getattr(people[1], n) - getattr(people[0], n) for n in ("joints", "joints_image")]
    np.testing.assert_allclose(moved[0], np.tile(right.centre, (55, 1)), atol=1e-6)
    np.testing.assert_allclose(moved[1], 0, atol=1e-6)
    np.testing.assert_allclose(people[1].params.transl - people[0].params.transl, right.centre, atol=1e-6)
    np.testing.assert_allclose(right.project(people[1].joints), people[1].joints_image, atol=1e-2)
    np.testing.assert_allclose(people[1].box.xyxy, people[0].box.xyxy)


def test_somebody_who_comes_up_to_the_camera_keeps_the_id(backbone, detector):
    """Bodies reach far beyond the image, detections do not: every one of those began somebody new."""
    camera, new = Camera.from_fov(640, 480), np.random.default_rng(0)
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=10))
    arms = np.zeros((21, 3))
    arms[15], arms[16] = [0, -1.45, 0], [0, 0, 1.1]  # the left one points at the camera
    ids = []
    for k in range(90):
        pose = replace(
            SmplxParams.rest(), global_orient=FACING, body_pose=(arms + new.normal(0, 0.03, (21, 3))).ravel()
        )
        at = np.array([0.1, 0.45, 2 - 1.6 * np.sin(np.pi * k / 90)]) - BODY.joints(pose)[0, 0]
        rows, columns = np.nonzero(rasterize(BODY.vertices(replace(pose, transl=at))[0], BODY.faces, camera).mask())
        detector.boxes = [Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.9)]
        estimate = BodyEstimate(0.9, replace(pose, transl=at, estimated=Estimated.TRANSL), np.ones(55))
        with patch.object(backbone, "_body", lambda _, estimate=estimate: estimate):
            ids.append([person.id for person in estimator.estimate(frame(k, camera=camera))])
    assert ids == [["p1"]] * 90
    assert backbone.forgotten == []


def test_assumed_camera_says_so(estimator):
    result = estimator.process([frame(0)])[0]
    assert not result.camera.calibrated
    assert result.frame.camera is None
    assert estimator.process([frame(1, camera=Camera.from_fov(640, 480))])[0].people


def test_detects_every_nth_frame_and_at_once_when_somebody_is_lost(estimator, backbone, detector):
    for k in range(6):
        estimator.estimate(frame(k))
    assert detector.calls == 2
    backbone.lost = {"p1"}
    assert estimator.estimate(frame(6)) == []
    backbone.lost = set()
    (person,) = estimator.estimate(frame(7))
    assert person.id == "p1"
    assert detector.calls == 3


def test_boxes_of_people_who_are_followed_count_90_ms_later(backbone, detector):
    """Whether the detector is slow or fast; while nobody is in view, they count at once."""
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=5, max_people=4))
    detector.boxes = []
    assert estimator.estimate(frame(0)) == []
    detector.boxes = row(1)
    assert len(estimator.estimate(frame(1))) == 1
    detector.boxes = row(2)
    detector.hold.clear()  # a detector that answers after the frame is out
    seen = [len(estimator.estimate(frame(k))) for k in range(2, 9)]
    assert seen == [1, 1, 1, 1, 1, 1, 1]
    detector.hold.set()
    assert len(estimator.estimate(frame(9))) == 2
    assert detector.calls == 3


def test_a_search_that_goes_on_is_not_begun_anew(backbone, detector):
    """Where detections are due sooner than boxes count, no search would ever come to its end."""
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=2, max_people=4))
    detector.boxes = row(1)
    estimator.estimate(frame(0))
    detector.boxes = row(2)
    seen = [len(estimator.estimate(frame(k))) for k in range(1, 8)]
    assert seen == [1, 1, 1, 1, 2, 2, 2]


def test_nobody_waits_for_boxes_of_an_older_frame_while_somebody_is_missing(estimator, backbone, detector):
    """They are dropped, and the present frame is looked at."""
    detector.boxes = row(2)
    for k in range(5):
        estimator.estimate(frame(k))
    detector.boxes = row(1)
    assert len(estimator.estimate(frame(5))) == 2  # a search began
    backbone.lost = {"p2"}
    assert len(estimator.estimate(frame(6))) == 1
    backbone.lost = set()
    detector.boxes = row(2)
    assert [person.id for person in estimator.estimate(frame(7))] == ["p1", "p2"]
    assert detector.calls == 3


def test_somebody_missing_is_looked_for_at_once(estimator, backbone, detector):
    """A body that is lost while another one is followed is back in the frame that shows it again."""
    detector.boxes = row(2)
    assert len(estimator.estimate(frame(0))) == 2
    backbone.lost = {"p2"}
    assert [person.id for person in estimator.estimate(frame(1))] == ["p1"]
    backbone.lost = set()
    assert [person.id for person in estimator.estimate(frame(2))] == ["p1", "p2"]


def test_boxes_of_an_earlier_frame_keep_its_time(estimator):
    """The search that begins in frame 5 is taken in with frame 8."""
    stamps = []
    detected = Tracker.associate

    def told(self, boxes, stamp_ns, *, confirm=False):
        stamps.append(stamp_ns)
        return detected(self, boxes, stamp_ns, confirm=confirm)

    with patch.object(Tracker, "associate", told):
        for k in range(9):
            estimator.estimate(frame(k))
    assert stamps == [frame(0).stamp_ns, frame(5).stamp_ns]


def test_boxes_that_are_too_old_are_not_used(estimator, detector):
    detector.boxes = row(1)
    for k in range(5):
        estimator.estimate(frame(k))
    detector.boxes = row(2)
    estimator.estimate(frame(5))  # a search began
    detector.boxes = row(1)
    assert len(estimator.estimate(frame(12))) == 1
    assert detector.calls == 3


def test_a_search_sees_the_image_as_it_was(backbone):
    """The caller may use an image's memory for the next one."""

    class Looking(FakeDetector):
        def detect(self, images):
            self.hold.wait()
            self.seen = [int(image.max()) for image in images]
            return super().detect(images)

    detector = Looking(row(1))
    detector.hold.set()
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=2))
    image = np.zeros((480, 640, 3), np.uint8)
    for k in range(2):
        estimator.estimate(Frame(image, None, stamp_ns=(k + 1) * FRAME_NS))
    detector.hold.clear()
    estimator.estimate(Frame(image, None, stamp_ns=3 * FRAME_NS))
    image[:] = 255
    detector.hold.set()
    estimator.estimate(Frame(image, None, stamp_ns=4 * FRAME_NS))
    assert detector.seen == [0]


def test_another_detector_looks_beside_the_estimation(backbone, detector):
    beside = FakeDetector(detector.boxes)
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=5), detector_beside=beside)
    estimator._identification._detection._background = AtOnce()
    for k in range(7):
        estimator.estimate(frame(k))
    assert (detector.calls, beside.calls) == (1, 1)  # nobody was known in the first frame
    estimator.update({"detection.threshold": 0.7})
    assert (detector.threshold, beside.threshold) == (0.7, 0.7)
    estimator.warm_up()
    assert (detector.calls, beside.calls) == (2, 2)


def test_detects_by_time_where_frames_are_rare(estimator, detector):
    for k in (0, 20, 40):
        estimator.estimate(frame(k))
    assert detector.calls == 3


def test_empty_view_gives_no_people_and_keeps_looking(estimator, detector):
    detector.boxes = []
    for k in range(3):
        assert estimator.estimate(frame(k)) == []
    assert detector.calls == 3


def test_no_more_people_than_asked_for(estimator, detector, backbone):
    detector.boxes = [Box(x, 100, x + 80, 400) for x in (0, 150, 300, 450)]
    assert len(estimator.estimate(frame(0))) == 2
    assert backbone.seen[-1] == ["p1", "p2"]


def test_the_nearest_are_kept_and_the_others_counted(estimator, detector, backbone):
    detector.boxes = [Box(x, 100, x + 80, 100 + height) for x, height in ((0, 80), (150, 300), (300, 100), (450, 250))]
    result = estimator.process([frame(0)])[0]
    assert [p.id for p in result.people] == ["p2", "p4"]
    assert result.num_not_estimated == 2
    estimator.update({"max_people": 4})
    result = estimator.process([frame(1)])[0]
    assert [p.id for p in result.people] == ["p1", "p2", "p3", "p4"]
    assert result.num_not_estimated == 0


def test_how_long_ago_a_detection_confirmed_a_person(estimator, detector):
    """Every fifth frame is searched, beside the estimation of the next ones: its boxes come three frames later."""
    since = [estimator.estimate(frame(k))[0].since_detection_s for k in range(12)]
    assert since[0] == 0
    detected = [round(k - s * 1e9 / FRAME_NS) for k, s in enumerate(since)]  # the frames that were searched
    assert detected == sorted(detected)
    assert max(since) <= 8 * FRAME_NS * 1e-9
    assert len(set(detected)) >= 2


def test_without_stamps_nobody_knows_how_long_ago_it_was(estimator):
    for _ in range(3):
        (person,) = estimator.estimate(replace(frame(0), stamp_ns=0))
        assert np.isnan(person.since_detection_s)


def test_people_left_out_who_go_are_not_counted_for_ever(estimator, detector):
    detector.boxes = row(3)
    assert estimator.process([frame(0)])[0].num_not_estimated == 1
    detector.boxes = detector.boxes[:2]
    left_out = [estimator.process([frame(k)])[0].num_not_estimated for k in range(1, 40)]
    assert left_out[-1] == 0


def test_detects_at_once_when_confidence_falls(estimator, backbone, detector):
    for k in range(2):
        estimator.estimate(frame(k))
    assert detector.calls == 1
    backbone.confidence = 0.5
    estimator.estimate(frame(2))
    assert detector.calls == 1
    estimator.estimate(frame(3))
    assert detector.calls == 2
    estimator.estimate(frame(4))
    assert detector.calls == 2


def test_live_changes_keep_people_and_take_effect_at_once(estimator, detector):
    assert [p.id for p in estimator.estimate(frame(0))] == ["p1"]
    estimator.update({"detection.interval": 1, "detection.threshold": 0.7, "smoothing.rotation_cutoff": 5.0})
    assert [p.id for p in estimator.estimate(frame(1))] == ["p1"]
    assert detector.calls == 2
    assert detector.threshold == 0.7


@pytest.mark.parametrize(("max_age", "kept"), [(2.0, True), (0.5, False)])
def test_hidden_people_keep_their_identity_for_so_long(estimator, backbone, detector, max_age, kept):
    assert estimator.estimate(frame(0))
    estimator.update({"tracker.max_age": max_age})
    estimator.estimate(frame(1))
    boxes, detector.boxes = detector.boxes, []
    backbone.lost = {f"p{n}" for n in range(1, 99)}
    for k in range(2, 32):  # one second
        assert estimator.estimate(frame(k)) == []
    backbone.lost, detector.boxes = set(), boxes
    seen = [p.id for k in range(32, 40) for p in estimator.estimate(frame(k))]
    assert seen
    assert (set(seen) == {"p1"}) == kept


def test_everything_live_can_be_set(estimator):
    estimator.update({parameter.name: parameter.default for parameter in PARAMETERS if parameter.live})
    assert estimator.estimate(frame(0))


@pytest.mark.parametrize(
    ("values", "words"),
    [({"max_people": 0}, "max_people"), ({"person_height": 1.8}, "not live"), ({"max_peple": 3}, "did you mean")],
)
def test_bad_live_changes_are_refused_as_a_whole(estimator, detector, values, words):
    with pytest.raises(ConfigError, match=words):
        estimator.update({"detection.threshold": 0.7, **values})
    assert detector.threshold == 0.2


def test_other_cutoffs_do_not_make_anybody_jump(backbone, detector):
    options = Options()
    places = []
    for change in (False, True):
        estimator = Estimator(FakeBackbone(), detector, BODY, options)
        for k in range(20):
            if change and k == 10:
                estimator.update({"smoothing.rotation_cutoff": 20.0, "smoothing.distance_cutoff": 20.0})
            (person,) = estimator.estimate(frame(k))
            places.append(person.joints)
    np.testing.assert_allclose(places[:20], places[20:], atol=1e-6)  # a still person stays where they are


@pytest.mark.parametrize("enabled", [False, True])
def test_live_changes_start_from_the_options(backbone, enabled):
    given = Options(smoothing_enabled=enabled, smoothing_rotation_cutoff=7.0, smoothing_distance_cutoff=0.25)
    estimator = Estimator(backbone, None, BODY, given)
    estimator.update({"smoothing.distance_per_speed": 2.0})
    assert estimator.options == replace(given, smoothing_distance_per_speed=2.0)
    assert (estimator._finishing._motion._smoother is not None) == enabled
    estimator.update({"smoothing.enabled": True})
    expected = SmoothingOptions(Cutoff(7.0, Options().smoothing_rotation_per_speed), Cutoff(0.25, 2.0))
    assert estimator._finishing._motion._smoother._options == expected


def with_boxes(seen: Frame, *boxes: Box) -> Frame:
    return replace(seen, detections=boxes)


def test_boxes_come_with_the_frames_and_people_are_followed_in_between(backbone):
    estimator = Estimator(backbone, None, BODY, unsmoothed(detection_threshold=0.3))
    estimator.warm_up()
    assert estimator.estimate(frame(0)) == []
    box = Box(90, 70, 410, 410, 0.9)
    found = estimator.estimate(with_boxes(frame(1), box, Box(500, 100, 560, 300, 0.2)))
    assert [p.id for p in found] == ["p1"]
    for k in range(2, 90):
        assert [p.id for p in estimator.estimate(frame(k))] == ["p1"]  # the topic has died


def test_a_backbone_that_cannot_confirm_people_gives_them_up_when_boxes_stay_away(backbone):
    backbone.confirms_people = False
    estimator = Estimator(backbone, None, BODY, unsmoothed())
    estimator.estimate(with_boxes(frame(0), Box(90, 70, 410, 410, 0.9)))
    seen = [len(estimator.estimate(frame(k))) for k in range(1, 90)]
    assert seen[:50] == [1] * 50
    assert seen[-1] == 0


def test_an_empty_list_of_boxes_is_an_answer(backbone):
    backbone.confirms_people = False
    estimator = Estimator(backbone, None, BODY, unsmoothed())
    estimator.estimate(with_boxes(frame(0), Box(90, 70, 410, 410, 0.9)))
    assert [len(estimator.estimate(with_boxes(frame(k)))) for k in range(1, 4)][-1] == 0


def test_boxes_that_come_with_frames_spare_the_detector(estimator, detector):
    for k in range(8):
        assert len(estimator.estimate(with_boxes(frame(k), Box(90, 70, 410, 410, 0.9)))) == 1
    assert detector.calls == 0


def test_bad_boxes_with_a_frame_are_dropped(backbone):
    estimator = Estimator(backbone, None, BODY, unsmoothed())
    outside = Box(900, 900, 990, 990)
    result = estimator.process([with_boxes(frame(0), outside, *row(60, 7.0))])[0]
    assert len(result.people) == 10
    assert result.num_not_estimated == 50
    assert len(backbone.seen[-1]) == 10


def test_the_same_name_of_a_frame_is_no_matter_where_cameras_have_names(estimator, backbone):
    left, right = (replace(frame(0, "camera"), source=name) for name in ("left", "right"))
    first, second = estimator.process([left, right])
    assert [p.id for p in (*first.people, *second.people)] == ["p1", "p2"]
    assert backbone.seen == [["p1", "p2"]]


def test_a_camera_whose_time_goes_back_does_not_disturb_the_other(estimator, backbone):
    left, right = frame(50, "left"), frame(50, "right")
    estimator.process([left, right])
    first, second = estimator.process([frame(3, "left"), frame(51, "right")])
    assert [p.id for p in first.people] == ["p3"]
    assert [p.id for p in second.people] == ["p2"]


class SlowClock:
    """A stand-in for perf_counter: time passes only while a backbone works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> SlowClock:
    made = SlowClock()
    monkeypatch.setattr("smplerx_ros.pipeline.estimator.perf_counter", made)
    return made


class CostlyBackbone(FakeBackbone):
    """Takes some time for each person."""

    def __init__(self, name: str, clock: SlowClock, seconds: float) -> None:
        super().__init__()
        self.name, self.clock, self.seconds = name, clock, seconds

    def estimate(self, observations):
        self.clock.now += self.seconds * len(observations)
        return super().estimate(observations)


def degradations(clock: SlowClock, options: Options, frames: int, boxes: list[Box]) -> list[tuple[str, int]]:
    """What is done less, and for how many people, whenever it changes."""
    large, small = CostlyBackbone("large", clock, 0.1), CostlyBackbone("small", clock, 0.001)
    estimator = Estimator(large, FakeDetector(boxes), BODY, options, fallbacks=[small])
    seen: list[tuple[str, int]] = []
    for k in range(frames):
        result = estimator.process([frame(k)])[0]
        if not seen or seen[-1] != (result.degraded_text, len(result.people)):
            seen.append((result.degraded_text, len(result.people)))
        assert result.backbone == ("small" if "backbone small" in result.degraded_text else "large")
        assert len(result.people) + result.num_not_estimated == len(boxes)
    return seen


def test_less_is_done_in_order_when_the_budget_is_exceeded(clock):
    boxes = row(4)
    seen = degradations(clock, unsmoothed(latency_budget_ms=50.0), 15 * 4 + 1, boxes)
    seldom = "detection 3 times as seldom"
    assert seen == [
        ("", 4),
        (seldom, 4),
        (f"{seldom}, at most 2 people", 2),
        (f"{seldom}, at most 1 person", 1),
        (f"{seldom}, at most 1 person, backbone small", 1),
    ]


def test_without_a_budget_time_does_not_matter(clock):
    boxes = row(4)
    assert degradations(clock, unsmoothed(), 100, boxes) == [("", 4)]


def test_the_budget_can_be_given_and_taken_while_running(clock, detector):
    estimator = Estimator(CostlyBackbone("large", clock, 0.1), detector, BODY, unsmoothed())
    results = [estimator.process([frame(k)])[0].degraded_text for k in range(20)]
    estimator.update({"latency.budget_ms": 50.0})
    results += [estimator.process([frame(k)])[0].degraded_text for k in range(20, 40)]
    estimator.update({"latency.budget_ms": 0.0})
    results += [estimator.process([frame(k)])[0].degraded_text for k in range(40, 60)]
    assert set(results[:20]) == set(results[40:]) == {""}
    assert results[39] == "detection 3 times as seldom"


def recorded(count: int) -> list[Frame]:
    """Two cameras, with boxes that come and go."""
    rng = np.random.default_rng(7)
    frames = []
    for k in range(count):
        for source in ("left", "right"):
            x, y = rng.uniform(0, 300), rng.uniform(0, 60)
            boxes = (Box(x, y, x + 200, y + 380, 0.8), Box(90, 70, 410, 410, 0.9)) if k % 3 == 0 else None
            frames.append(replace(frame(k), source=source, detections=boxes))
    return frames


def same(first, second) -> None:
    """Bit-equal people."""
    assert [p.id for p in first.people] == [p.id for p in second.people]
    for one, other in zip(first.people, second.people, strict=True):
        assert one.box == other.box
        for name in ("joints", "joints_image", "confidence", "pose_covariance", "root_velocity"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for name in PARAM_SIZES:
            np.testing.assert_array_equal(getattr(one.params, name), getattr(other.params, name))


def test_a_replay_gives_the_same_identities_and_numbers():
    frames = recorded(40)
    runs = []
    for _ in range(2):
        estimator = Estimator(FakeBackbone(), None, BODY, Options())
        pairs = [estimator.process(frames[k : k + 2]) for k in range(0, len(frames), 2)]
        runs.append([result for pair in pairs for result in pair])
    assert sum(len(result.people) for result in runs[0]) > 60
    for first, second in zip(*runs, strict=True):
        same(first, second)


def test_cameras_have_their_own_people_and_share_a_batch(estimator, backbone):
    left, right = estimator.process([frame(0, "left"), frame(0, "right")])
    assert [p.id for p in left.people] == ["p1"]
    assert [p.id for p in right.people] == ["p2"]
    assert backbone.seen == [["p1", "p2"]]


def test_a_frame_whose_batch_failed_can_be_given_again_and_its_boxes_count_once():
    backbone = FakeBackbone()
    backbone.confirms_people = False  # somebody new is followed from the second detection on
    estimator = Estimator(backbone, None, BODY, unsmoothed())
    first, second, third = row(3)
    assert [p.id for p in estimator.estimate(with_boxes(frame(0, "front"), first))] == ["p1"]
    front, left = with_boxes(frame(1, "front"), first, second), with_boxes(frame(1, "left"), third)
    backbone.bad = "left"
    with pytest.raises(RuntimeError, match="left"):
        estimator.process([front, left])
    assert [p.id for p in estimator.estimate(front)] == ["p1"]
    assert len(estimator.estimate(with_boxes(frame(2, "front"), first, second))) == 2


def test_time_going_back_starts_anew_without_using_ids_again(estimator, backbone):
    estimator.estimate(frame(50))
    (person,) = estimator.estimate(frame(3))
    assert person.id == "p2"
    assert backbone.forgotten == ["p1"]


def test_images_of_another_size_start_anew_and_nobody_is_missing(estimator, detector):
    assert [person.id for person in estimator.estimate(frame(1))] == ["p1"]
    small = replace(frame(2), image=np.zeros((120, 160, 3), np.uint8))
    detector.boxes = row(1, 25)
    assert [person.id for person in estimator.estimate(small)] == ["p2"]
    assert detector.calls == 2


def test_warm_up_uses_everything_and_leaves_nobody(estimator, backbone, detector):
    estimator.warm_up()
    assert detector.calls == 1
    assert backbone.seen == []  # reset
    assert [p.id for p in estimator.estimate(frame(0))] == ["p1"]


def test_reset_forgets_people(estimator):
    estimator.estimate(frame(0))
    estimator.reset()
    assert [p.id for p in estimator.estimate(frame(1))] == ["p2"]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"backbone": "s33"}, ConfigError, "backbone"),
        ({"no_such": 1}, ConfigError, "no_such"),
        ({"body_model": "/nowhere/SMPLX_NEUTRAL.npz"}, ModelFileError, "/nowhere/SMPLX_NEUTRAL.npz"),
        ({"runtime": "torch"}, ConfigError, "runtime"),
    ],
)
def test_bad_configuration_is_named(values, error, words):
    with pytest.raises(error, match=words):
        Estimator.from_config(values)


def with_depth(seen: Frame, metres: float) -> Frame:
    """A wall at `metres` in front of everything."""
    return replace(seen, depth=np.full(IMAGE.shape[:2], metres, np.float32))


def sigma_along_ray(person) -> float:
    ray = person.joints[0] / np.linalg.norm(person.joints[0])
    return float(np.sqrt(ray @ person.pose_covariance[:3, :3] @ ray))


def test_depth_puts_people_where_it_sees_them(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (alone,) = estimator.estimate(frame(0, camera=camera))
    estimator.reset()
    (person,) = estimator.estimate(with_depth(frame(1, camera=camera), 2.6))
    assert alone.joints[0, 2] == pytest.approx(3.0, abs=0.05)
    assert 2.6 < person.joints[0, 2] < 2.8  # the pelvis lies behind the skin
    assert (alone.distance_source, person.distance_source) == (DistanceSource.ASSUMED_STATURE, DistanceSource.DEPTH)
    np.testing.assert_allclose(person.joints, BODY.joints(person.params)[0], atol=1e-5)
    # The picture stays.
    np.testing.assert_allclose(person.joints_image[:22], alone.joints_image[:22], atol=8)
    np.testing.assert_allclose(person.box.xyxy, alone.box.xyxy, atol=12)


def test_the_nearest_are_kept_once_distances_are_known_not_the_largest(estimator, detector):
    """A child, who looks as large as a man much further away; depth tells."""
    detector.boxes = [Box(20, 100, 208, 300, 0.9), Box(300, 70, 582, 370, 0.9)]
    depth = np.full(IMAGE.shape[:2], 3.6, np.float32)
    depth[:, :250] = 3.3
    camera = Camera.from_fov(640, 480, 70.0)
    child, man = estimator.estimate(replace(frame(0, camera=camera), depth=depth))
    assert child.joints[0, 2] < man.joints[0, 2]
    estimator.update({"max_people": 1})
    for k in range(1, 12):
        (kept,) = estimator.estimate(replace(frame(k, camera=camera), depth=depth))
        assert kept.id == child.id


def test_people_without_usable_depth_are_as_without(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    (alone,) = estimator.estimate(frame(0, camera=camera))
    for wall in (np.nan, 30.0, -1.0, np.inf, 0.0):
        estimator.reset()
        (person,) = estimator.estimate(with_depth(frame(1, camera=camera), wall))
        np.testing.assert_array_equal(person.joints, alone.joints)
        assert person.distance_source is DistanceSource.ASSUMED_STATURE


def test_people_say_how_sure_their_place_is(backbone, detector):
    known = Camera(640, 480, np.array([[460.0, 0, 320], [0, 460.0, 240], [0, 0, 1]]))
    sigmas = []
    for height, seen in ((0.0, frame(0)), (0.0, frame(0, camera=known)), (1.7, frame(0, camera=known))):
        (person,) = Estimator(backbone, detector, BODY, unsmoothed(person_height=height)).estimate(seen)
        assert np.isfinite(person.pose_covariance).all()
        assert (np.linalg.eigvalsh(person.pose_covariance) > 0).all()
        sigmas.append(sigma_along_ray(person) / np.linalg.norm(person.joints[0]))
    follower = Estimator(backbone, detector, BODY, unsmoothed())
    (measured,) = follower.estimate(with_depth(frame(0, camera=known), 2.6))
    sigmas.append(sigma_along_ray(measured) / np.linalg.norm(measured.joints[0]))
    assert sigmas == sorted(sigmas, reverse=True)
    np.testing.assert_allclose(sigmas, [0.248, 0.071, 0.045, 0.017], atol=0.002)
    (later,) = follower.estimate(frame(1, camera=known))  # the size is known by now
    assert sigma_along_ray(later) / np.linalg.norm(later.joints[0]) == pytest.approx(0.045, abs=0.002)


@pytest.mark.parametrize(("height", "share"), [(0.0, 0.071), (1.8, 0.045)])
def test_a_configured_height_is_in_the_covariance(height, share, backbone, detector):
    known = Camera(640, 480, np.array([[460.0, 0, 320], [0, 460.0, 240], [0, 0, 1]]))
    options = Options.from_config({"person_height": height, "smoothing.enabled": False})
    (person,) = Estimator(backbone, detector, BODY, options).estimate(frame(0, camera=known))
    assert sigma_along_ray(person) / np.linalg.norm(person.joints[0]) == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize("depth", [np.zeros((480, 640)), np.zeros((240, 320), np.float32), [[1.0]]])
def test_depth_of_another_kind_or_size_is_no_frame(depth):
    with pytest.raises(InputError, match=r"Frame\.depth must be float32 of the image's size"):
        Frame(IMAGE, depth=depth)


def test_one_detector_is_not_called_by_two_threads_at_once(backbone):
    """A search that was given up still runs when the present frame is looked at."""

    class Sensitive(FakeDetector):
        inside, together = 0, False

        def detect(self, images):
            self.inside += 1
            self.together |= self.inside > 1
            sleep(0.05)
            self.inside -= 1
            return super().detect(images)

    detector = Sensitive(row(1))
    with Estimator(backbone, detector, BODY, unsmoothed(detection_interval=2)) as estimator:
        for k in range(3):
            estimator.estimate(frame(k))  # the last one begins a search
        estimator.reset()
        estimator.estimate(frame(3))  # looks at once: nobody is known
    assert detector.calls == 3
    assert not detector.together


def detection_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "smplerx_detector"}


def test_a_closed_estimator_has_no_thread_and_refuses_work(backbone, detector):
    before = detection_threads()
    with Estimator(backbone, detector, BODY, unsmoothed(detection_interval=2)) as estimator:
        for k in range(3):
            estimator.estimate(frame(k))
        assert len(detection_threads() - before) == 1
    assert detection_threads() == before
    assert estimator.close()  # as often as one likes
    for use in (lambda: estimator.estimate(frame(4)), estimator.warm_up, lambda: estimator.update({"max_people": 1})):
        with pytest.raises(RuntimeError, match="the estimator is closed"):
            use()


def test_close_does_not_wait_for_a_detection_that_hangs(backbone):
    class Hanging(FakeDetector):
        begun = threading.Event()

        def detect(self, images):
            self.begun.set()
            return super().detect(images)

    detector = Hanging(row(1))
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=2))
    for k in range(2):
        estimator.estimate(frame(k))
    detector.hold.clear()
    detector.begun.clear()
    estimator.estimate(frame(2))
    assert detector.begun.wait(10.0)
    assert not estimator.close(timeout=0.05)
    detector.hold.set()
    assert estimator.close(timeout=10.0)


def test_close_frees_every_network(monkeypatch):
    sessions = weakref.WeakSet()
    opened = onnxruntime.InferenceSession.__init__

    def remember(self, *arguments, **options):
        opened(self, *arguments, **options)
        sessions.add(self)

    monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", remember)
    with Estimator.from_config({"device": "cpu", "threads": 2}):
        assert len(sessions) > 3
    assert len(sessions) == 0


def test_two_frames_of_one_camera_are_refused_and_nothing_has_changed(estimator):
    estimator.estimate(frame(0))
    with pytest.raises(InputError, match=r"frames 0 and 2 are both of camera 'camera'"):
        estimator.process([frame(1), frame(1, "other"), frame(2)])
    with pytest.raises(InputError, match=r"camera 'front'"):
        estimator.process([replace(frame(1, name), source="front") for name in ("a", "b")])
    assert [person.id for person in estimator.estimate(frame(1))] == ["p1"]


def remembered(estimator: Estimator) -> set[str]:
    """Ids that any part of the estimator keeps something of."""
    ids: set[str] = set()
    motion = estimator._finishing._motion
    for part in (motion._smoother._people, motion._velocities._people, motion._size_sources):
        ids |= set(part)
    ids |= set(estimator._identification._confidence._averages) | set(estimator._finishing._distances._sizes)
    return ids | {name for state in estimator._identification._cameras for name in state.tracker._tracks}


def test_cameras_that_are_not_seen_again_are_forgotten_with_their_people(backbone, detector):
    """Drivers may give each image a frame_id of its own; cameras that go on keep their people."""
    estimator = Estimator(backbone, detector, BODY, Options())
    for k in range(100):
        fixed, other = estimator.process([with_depth(frame(k, "fixed"), 2.6), with_depth(frame(k, f"image{k}"), 2.6)])
        assert [person.id for person in fixed.people] == ["p1"]
        assert len(other.people) == 1
    assert len(estimator._identification._cameras) == len(remembered(estimator)) == 64
    assert set(backbone.forgotten) == {f"p{n}" for n in range(2, 39)}


def test_more_cameras_at_once_than_are_remembered(backbone, detector):
    estimator = Estimator(backbone, detector, BODY, unsmoothed())
    cameras = [f"camera{n}" for n in range(70)]
    for k in range(2):
        results = estimator.process([frame(k, name) for name in cameras])
        assert [result.people[0].id for result in results] == [f"p{n}" for n in range(1, 71)]


def test_nothing_is_remembered_after_a_reset(backbone, detector):
    estimator = Estimator(backbone, detector, BODY, Options(max_people=100))
    detector.boxes = row(5)
    estimator.process([with_depth(frame(0), 2.6)])
    assert len(remembered(estimator)) == 5
    detector.boxes = [Box(90, 70, 410, 410, 0.9)]
    estimator.process([with_depth(frame(0, "near", Camera.from_fov(640, 480, 70.0)), 2.6)])
    assert len(estimator._finishing._distances._sizes) == 1
    estimator.reset()
    assert remembered(estimator) == set()


def test_frames_without_time_are_told_of_once(estimator, caplog):
    """One image needs no time; of more of them, nobody knows how far they are apart."""
    (person,) = estimator.estimate(Frame(IMAGE, frame_id="webcam"))
    assert caplog.records == []
    for _ in range(5):
        (person,) = estimator.estimate(Frame(IMAGE, frame_id="webcam"))
    assert np.isnan(person.root_velocity).all()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "'webcam'" in record.getMessage()
    assert "images have no time (stamp 0): nobody is smoothed, velocities are NaN" in record.getMessage()
    assert "no_stamp" in estimator.process([Frame(IMAGE, frame_id="webcam")])[0].warnings
    assert estimator.process([frame(1, "webcam")])[0].warnings == {}


@pytest.mark.parametrize("unstamped", [1, 40])
def test_images_without_time_among_others_keep_everybody_and_are_told_of(backbone, detector, unstamped):
    """Time stands still; people keep their ids, and are looked for as before."""
    estimator = Estimator(backbone, detector, BODY, unsmoothed(detection_interval=3))
    stamped = [estimator.process([frame(k)])[0] for k in range(8)]
    assert all(result.warnings == {} for result in stamped)
    calls = detector.calls
    for _ in range(unstamped):
        (result,) = estimator.process([Frame(IMAGE, frame_id="camera")])
        assert [person.id for person in result.people] == ["p1"]
        assert result.frame.stamp_ns == 0
        assert "no_stamp" in result.warnings
    assert detector.calls >= calls + unstamped // 3
    for k in range(8 + unstamped, 16 + unstamped):
        (result,) = estimator.process([frame(k)])
        assert [person.id for person in result.people] == ["p1"]
        assert result.warnings == {}
    assert backbone.forgotten == []
    estimator.close()


def test_time_that_goes_back_after_an_image_without_time_starts_anew(estimator):
    for stamp, name in ((10**10, "p1"), (0, "p1"), (10**9, "p2")):
        (person,) = estimator.estimate(Frame(IMAGE, stamp_ns=stamp, frame_id="camera"))
        assert person.id == name


class ShakyBackbone(FakeBackbone):
    """Takes its people for taller and shorter by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def _body(self, observation):
        body = super()._body(observation)
        return replace(body, params=replace(body.params, betas=self.rng.normal(0, 0.1, 10)))


@pytest.mark.parametrize("rate", [0.3, 1.0, 1.9, 30.0])
def test_people_are_smoothed_and_have_velocities_at_any_rate(rate):
    """Where images come every few seconds that is no gap; nor is one image without the person."""
    backbone = ShakyBackbone()
    estimator = Estimator(backbone, None, BODY, Options(tracker_max_age=10.0))
    found = []
    for k in range(12):
        backbone.lost = {"p1"} if k == 7 else set()
        seen = Frame(IMAGE, stamp_ns=10**10 + round(k * 1e9 / rate), detections=(Box(90, 70, 410, 410, 0.9),))
        found += estimator.estimate(seen)
    assert [person.id for person in found] == ["p1"] * 11
    raw, filtered = np.random.default_rng(0).normal(0, 0.1, (11, 10)), np.array([p.params.betas for p in found])
    np.testing.assert_allclose(filtered[0], raw[0], atol=1e-6)
    assert np.abs(np.diff(filtered[2:], axis=0)).mean() < 0.9 * np.abs(np.diff(raw[2:], axis=0)).mean()
    assert (np.abs(filtered[1:] - raw[1:]).max(axis=1) > 1e-3).all()
    assert np.isfinite([person.root_velocity for person in found[1:]]).all()


def test_a_confidence_that_is_not_known_says_nothing(estimator, backbone, detector):
    backbone.confidence = np.nan
    for k in range(4):
        estimator.estimate(frame(k))
    backbone.confidence = 1.0
    estimator.estimate(frame(4))
    assert detector.calls == 1


def warnings_of(estimator, metres: float) -> list[dict[str, str]]:
    camera = Camera.from_fov(640, 480, 70.0)
    return [dict(estimator.process([with_depth(frame(3 * k, camera=camera), metres)])[0].warnings) for k in range(40)]


@pytest.mark.parametrize(
    ("metres", "words"),
    [
        (2.6 * 1000, r"at \d+ times the distance .*\(like millimetres where metres are expected\)"),
        (2.6 * 100, r"at [\d.]+ times .*\(like centimetres where metres are expected\)"),
        (2.6 * 4, r"at 3\.\d+ times .*\(like quarters of a millimetre where millimetres are expected\)"),
        (2.6 / 10, r"at 0\.0\d+ times .*\(like centimetres where millimetres are expected\)"),
        (2.6 / 1000, r"\(like metres where millimetres are expected\)"),
        (30.0 * 10**6, r"times the distance that the image shows; convert it to metres"),
        (np.nan, "no measurements where people are"),
    ],
)
def test_depth_that_is_never_used_is_told_of_with_its_ratio(estimator, metres, words):
    warnings = warnings_of(estimator, metres)
    assert warnings[28] == {}  # people may be at the border for a moment
    ((name, text),) = warnings[-1].items()
    assert name == "unused_depth"
    assert re.search(words, text), text


def test_depth_that_is_used_now_and_then_is_fine(estimator):
    camera = Camera.from_fov(640, 480, 70.0)
    for k in range(130):
        seen = with_depth(frame(k, camera=camera), 2.6 if k % 60 == 0 else 9.0)
        assert estimator.process([seen])[0].warnings == {}
