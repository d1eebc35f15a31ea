"""Landmarks of people: equal to the reference, whatever the batch; nobody invented; nothing crashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import as_file, files

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smplerx_ros.backbones.lite import regions as roi
from smplerx_ros.backbones.lite.landmark_estimator import HAND_PROPAGATED, LandmarkEstimator
from smplerx_ros.backbones.lite.landmarks import PARTS, LandmarkQuery, PersonLandmarks
from smplerx_ros.backbones.lite.networks import Images, LandmarkNetworks
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.io.video import VideoReader
from smplerx_ros.runtime.onnx import OnnxNetwork
from support import opencv4

Query = Callable[[str], LandmarkQuery]
# The golden numbers come from the same networks and crops: only the arithmetic of another CPU may differ.
PIXELS, METRES, WEIGHTS = 0.5, 0.005, 0.02


@pytest.fixture(autouse=True, scope="module")
def crops_of_opencv_4() -> Iterator[None]:
    """What is near a threshold on the golden images is on the side where it was when they were made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roi, "crop", opencv4.crop)
        yield


@pytest.fixture(scope="module")
def walker(estimator: LandmarkEstimator, query: Query) -> PersonLandmarks:
    person = estimator.estimate([query("walker")])[0]
    assert person is not None
    return person


@pytest.mark.parametrize("name", ["walker", "astronaut"])
def test_equal_to_the_reference(
    estimator: LandmarkEstimator, query: Query, golden: dict[str, NDArray[np.float32]], name: str
) -> None:
    person = estimator.estimate([query(name)])[0]
    assert person is not None
    parts = {"body": person.body, "left_hand": person.left_hand, "right_hand": person.right_hand, "face": person.face}
    for part, found in parts.items():
        assert (found is not None) == (f"{name}/{part}/points" in golden), part
        if found is None:
            continue
        np.testing.assert_allclose(found.points, golden[f"{name}/{part}/points"], atol=PIXELS)
        assert found.score == pytest.approx(float(golden[f"{name}/{part}/score"]), abs=0.02)
    np.testing.assert_allclose(person.body.world, golden[f"{name}/body/world"], atol=METRES)
    np.testing.assert_allclose(person.body.visibility, golden[f"{name}/body/visibility"], atol=0.01)
    np.testing.assert_allclose(person.body.presence, golden[f"{name}/body/presence"], atol=0.01)
    if person.left_hand is not None:
        np.testing.assert_allclose(person.left_hand.world, golden[f"{name}/left_hand/world"], atol=METRES)
    if person.face is not None:
        np.testing.assert_allclose(person.face.blendshapes, golden[f"{name}/face/blendshapes"], atol=WEIGHTS)


def test_batches_of_people_and_images_keep_their_order(estimator: LandmarkEstimator, query: Query) -> None:
    empty = LandmarkQuery(np.full((200, 300, 3), 127, np.uint8), Box(50, 20, 120, 180))
    queries = [query("astronaut"), empty, query("walker"), query("astronaut")]
    together = estimator.estimate(queries)
    assert together[1] is None
    for person, one in zip(together, queries, strict=True):
        alone = estimator.estimate([one])[0]
        assert (person is None) == (alone is None)
        if person is not None and alone is not None:
            np.testing.assert_allclose(person.body.points, alone.body.points, atol=PIXELS)
            assert (person.face is None) == (alone.face is None)


def test_nobody_asked_nobody_found(estimator: LandmarkEstimator) -> None:
    assert estimator.estimate([]) == []


def test_tracking_takes_one_batch_of_each_network(
    estimator: LandmarkEstimator, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [query("walker"), query("astronaut")]
    first = estimator.estimate(queries)
    batches: list[int] = []
    run = OnnxNetwork.run

    def counted(self: OnnxNetwork, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        batches.append(len(next(iter(inputs.values()))))
        return run(self, inputs)

    monkeypatch.setattr(OnnxNetwork, "run", counted)
    tracked = [replace(q, previous=p) for q, p in zip(queries, first, strict=True)]
    # pose, hand regions, hands, faces; the walker's new look at her turned face; blend shapes
    faces_at_first = sum(p is not None and p.face is not None for p in first)
    again = estimator.estimate(tracked)
    assert batches[0] == 2
    assert len(batches) <= 6
    assert faces_at_first == 1
    for before, after in zip(first, again, strict=True):
        assert before is not None
        assert after is not None
        scale = before.body.roi[2]
        seen = before.body.visibility > 0.5
        moved = np.linalg.norm(after.body.points[:33, :2] - before.body.points[:33, :2], axis=1)[seen]
        assert np.median(moved) < 0.02 * scale


@pytest.fixture(scope="module")
def stride() -> LandmarkQuery:
    """The demo clip's walker, both of whose hands are seen."""
    with as_file(files("smplerx_ros") / "assets" / "demo_walk.mp4") as clip, VideoReader(clip) as reader:
        image = next(frame.image for i, frame in enumerate(reader) if i == 72)
    return LandmarkQuery(image, Box(379, 369, 573, 675))


@pytest.mark.parametrize(
    ("frames", "looked"), [(0, True), (1, True), (2, True), (3, True), (4, False), (5, False), (6, True), (7, False)]
)
@pytest.mark.parametrize("part", ["face", "right_hand"])
def test_parts_that_are_not_seen_are_looked_for_now_and_then(
    estimator: LandmarkEstimator, query: Query, stride: LandmarkQuery, part: str, frames: int, looked: bool
) -> None:
    """A part that is found again counts from nought; a frame that is spared counts, too."""
    one, place = query("astronaut") if part == "face" else stride, PARTS.index(part)
    person = estimator.estimate([one])[0]
    assert person is not None
    assert person.unseen[place] == 0
    values = [frames if k == place else n for k, n in enumerate(person.unseen)]
    unseen = (values[0], values[1], values[2])
    again = estimator.estimate([replace(one, previous=replace(person, **{part: None}, unseen=unseen))])[0]
    assert again is not None
    assert (getattr(again, part) is not None) == looked
    assert again.unseen[place] == (0 if looked else frames + 1)


def test_a_head_turned_away_is_counted(walker: PersonLandmarks) -> None:
    assert (walker.face, walker.unseen[PARTS.index("face")]) == (None, 1)


def test_hands_are_carried_by_their_palms_and_looked_for_now_and_then(
    estimator: LandmarkEstimator, stride: LandmarkQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a picture that moves by half a hand each time, points come along without their regions being looked for."""
    looks: list[int] = []
    find = LandmarkNetworks.hand_regions

    def counted(self: LandmarkNetworks, images: Images, palms: NDArray[np.float64]) -> NDArray[np.float64]:
        looks.append(len(palms))
        return find(self, images, palms)

    settled: PersonLandmarks | None = None
    for _ in range(3):
        settled = estimator.estimate([replace(stride, previous=settled)])[0]
    assert settled is not None
    monkeypatch.setattr(LandmarkNetworks, "hand_regions", counted)
    person, carried = settled, []
    for frame in range(1, 5):
        moved = cv2.copyMakeBorder(stride.image, 0, 0, 25 * frame, 0, cv2.BORDER_REPLICATE)
        found = estimator.estimate([LandmarkQuery(moved, stride.box, person)])[0]
        assert found is not None
        person = found
        for hand, start in ((person.left_hand, settled.left_hand), (person.right_hand, settled.right_hand)):
            assert hand is not None
            assert start is not None
            error = np.linalg.norm(hand.points[:, :2] - [25 * frame, 0] - start.points[:, :2], axis=1)
            assert np.median(error) < 0.1 * hand.roi[2]
            carried.append(hand.carried)
    assert carried == [0, 0, 1, 1, 2, 2, 0, 0]
    assert looks == [2, 2]


def test_a_carried_region_is_kept_if_it_is_where_the_hand_is_found(
    estimator: LandmarkEstimator, stride: LandmarkQuery
) -> None:
    person = estimator.estimate([stride])[0]
    assert person is not None
    hand = person.right_hand
    assert hand is not None
    side = roi.hand_regions(hand.points[None])[0, 2]
    for shift, kept in ((0.0, True), (0.5, False)):
        last = replace(hand, points=hand.points + [shift * side, 0, 0], carried=HAND_PROPAGATED)
        again = estimator.estimate([replace(stride, previous=replace(person, right_hand=last))])[0]
        assert again is not None
        assert again.right_hand is not None
        assert (again.right_hand.roi[2] == pytest.approx(side)) == kept


def test_a_person_who_moved_far_is_seen_as_well_as_one_who_stands(
    estimator: LandmarkEstimator, query: Query, walker: PersonLandmarks
) -> None:
    """A quarter of the region between two images, as in a walk at three images a second: no landmark lags behind."""
    one, step = query("walker"), round(0.25 * walker.body.roi[2])
    moved = cv2.copyMakeBorder(one.image, 0, 0, step, 0, cv2.BORDER_REPLICATE)
    person = estimator.estimate([LandmarkQuery(moved, one.box, walker)])[0]
    assert person is not None
    error = np.linalg.norm(person.body.points[:33, :2] - [step, 0] - walker.body.points[:33, :2], axis=1)
    assert error[walker.body.visibility > 0.5].max() < 0.03 * walker.body.roi[2]


def test_a_lost_person_is_looked_for_in_the_box(
    estimator: LandmarkEstimator, query: Query, walker: PersonLandmarks
) -> None:
    """The landmarks of the last frame lie on an empty wall, the new box on the person."""
    one = query("walker")
    height, width = one.image.shape[:2]
    wall = np.full((height, 3 * width, 3), 90, np.uint8)
    wall[:, 2 * width :] = one.image
    box = Box(one.box.x0 + 2 * width, one.box.y0, one.box.x1 + 2 * width, one.box.y1)
    person = estimator.estimate([LandmarkQuery(wall, box, walker)])[0]
    assert person is not None
    found = person.body.points[:33, :2] - [2 * width, 0]
    error = np.linalg.norm(found - walker.body.points[:33, :2], axis=1)[walker.body.visibility > 0.5]
    assert np.median(error) < 0.03 * walker.body.roi[2]


def test_a_person_who_left_is_gone(estimator: LandmarkEstimator, query: Query, walker: PersonLandmarks) -> None:
    one = query("walker")
    assert estimator.estimate([LandmarkQuery(np.full_like(one.image, 90), one.box, walker)]) == [None]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (400, 1, 3), (7, 5, 3), (480, 640, 3)])
@pytest.mark.parametrize("grey", [0, 127, 255])
def test_images_without_people(estimator: LandmarkEstimator, shape: tuple[int, ...], grey: int) -> None:
    image = np.full(shape, grey, np.uint8)
    assert estimator.estimate([LandmarkQuery(image, Box(-5, -5, shape[1] + 5, shape[0] + 5))]) == [None]


@pytest.mark.parametrize(
    "box",
    [
        Box(-500, -500, -10, -10),
        Box(5000, 100, 5100, 300),
        Box(10, 20, 10.01, 20.01),
        Box(60, 100, 60.5, 400),
        Box(-1e6, -1e6, 1e6, 1e6),
        Box(0, 0, 1e-6, 1e-6),
    ],
)
def test_strange_boxes_do_no_harm(estimator: LandmarkEstimator, query: Query, box: Box) -> None:
    for person in estimator.estimate([replace(query("walker"), box=box)]):
        assert person is None or np.isfinite(person.body.points).all()


def test_boxes_outside_of_the_image_hold_nobody(estimator: LandmarkEstimator, query: Query) -> None:
    one = query("walker")
    assert estimator.estimate([replace(one, box=Box(-300, 0, -1, 400))]) == [None]


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_wrong_images_are_named(image: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match=r"LandmarkQuery\.image"):
        LandmarkQuery(image, Box(0, 0, 1, 1))
