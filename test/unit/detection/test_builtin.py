"""The embedded detector: finds whom it should, keeps to the image, survives odd ones."""

from __future__ import annotations

from importlib.resources import as_file, files

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smplerx_ros.detection.builtin import SIZES, BuiltinDetector, fit
from smplerx_ros.errors import ConfigError, InputError
from smplerx_ros.io.video import VideoReader
from support.paths import DATA


@pytest.fixture(scope="module")
def detector() -> BuiltinDetector:
    return BuiltinDetector(threads=2)


@pytest.fixture(scope="module")
def walker() -> NDArray[np.uint8]:
    return cv2.cvtColor(cv2.imread(str(DATA / "lite" / "walker.png")), cv2.COLOR_BGR2RGB)


def _on_grey(person: NDArray[np.uint8], places: list[tuple[int, int]]) -> NDArray[np.uint8]:
    image = np.full((720, 1280, 3), 110, np.uint8)
    for x, y in places:
        image[y : y + person.shape[0], x : x + person.shape[1]] = person
    return image


def test_people_are_found_where_they_are(detector: BuiltinDetector, walker: NDArray[np.uint8]) -> None:
    places = [(100, 150), (800, 80)]
    boxes = detector.detect([_on_grey(walker, places)])[0]
    assert len(boxes) == 2
    for box, (x, y) in zip(sorted(boxes, key=lambda box: box.x0), places, strict=True):
        np.testing.assert_allclose(box.xyxy, [x + 40, y + 40, x + 166, y + 452], atol=25)  # 40 px round the person
    assert boxes[0].score >= boxes[1].score > 0.2


def test_every_image_has_its_list(detector: BuiltinDetector, walker: NDArray[np.uint8]) -> None:
    answers = detector.detect([np.zeros((480, 640, 3), np.uint8), walker, np.full((300, 50, 3), 255, np.uint8)])
    assert [len(boxes) for boxes in answers] == [0, 1, 0]
    assert detector.detect([]) == []


def test_boxes_stay_inside_the_image(detector: BuiltinDetector, walker: NDArray[np.uint8]) -> None:
    cut = np.ascontiguousarray(walker[:300, 60:])
    (box,) = detector.detect([cut])[0]
    assert 0 <= box.x0 < box.x1 <= cut.shape[1]
    assert 0 <= box.y0 < box.y1 <= cut.shape[0]
    assert box.y1 > 280  # reaches the edge that cuts the person


def _crowd(walker: NDArray[np.uint8], columns: int, rows: int, height: int) -> NDArray[np.uint8]:
    small = cv2.resize(walker, (round(walker.shape[1] * height / walker.shape[0]), height))
    image = np.full((rows * (height + 40), columns * 150, 3), 110, np.uint8)
    for row in range(rows):
        for column in range(columns):
            y, x = 20 + row * (height + 40), 20 + column * 150
            image[y : y + height, x : x + small.shape[1]] = small
    return image


@pytest.mark.parametrize(("columns", "rows"), [(6, 2), (2, 6), (10, 1), (1, 10)])
def test_more_people_than_one_look_gives_are_found_once(
    detector: BuiltinDetector, walker: NDArray[np.uint8], columns: int, rows: int
) -> None:
    image = _crowd(walker, columns, rows, 200)
    boxes = detector.detect([image])[0]
    centres = [((box.x0 + box.x1) / 2 // 150, (box.y0 + box.y1) / 2 // 240) for box in boxes]
    assert len(centres) == len(set(centres)), "somebody has two boxes"
    assert len(centres) >= 0.9 * columns * rows
    assert len(BuiltinDetector(threads=2, tiled=False).detect([image])[0]) <= 12


def test_small_people_are_found(detector: BuiltinDetector, walker: NDArray[np.uint8]) -> None:
    person = cv2.resize(walker, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)  # 82 px high in 1280 x 720
    places = [(200, 150), (700, 400), (1100, 300)]
    boxes = detector.detect([_on_grey(person, places)])[0]
    assert len(boxes) == 3
    for box, (x, y) in zip(sorted(boxes, key=lambda box: box.x0), places, strict=True):
        np.testing.assert_allclose(box.xyxy, [x + 8, y + 8, x + 33, y + 90], atol=10)


def test_one_near_person_costs_no_tiles(walker: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    look = BuiltinDetector._run
    monkeypatch.setattr(BuiltinDetector, "_run", lambda self, *args: (looks.append(args[1]), look(self, *args))[1])
    BuiltinDetector(threads=2).detect([_on_grey(walker, [(500, 100)])])
    assert looks == list(SIZES)


def test_threshold_decides(walker: NDArray[np.uint8]) -> None:
    assert BuiltinDetector(threads=1, threshold=0.99).detect([walker]) == [[]]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3), (31, 33, 3), (2000, 10, 3)])
def test_odd_sizes(detector: BuiltinDetector, shape: tuple[int, ...]) -> None:
    assert detector.detect([np.full(shape, 128, np.uint8)]) == [[]]


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_wrong_threshold_is_named(threshold: float) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        BuiltinDetector(threshold=threshold)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_wrong_images_are_named(detector: BuiltinDetector, image: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="detector"):
        detector.detect([image])


@pytest.mark.parametrize("size", [(720, 1280), (1920, 1080), (10, 10), (5000, 3)])
def test_fit_keeps_proportions(size: tuple[int, int]) -> None:
    padded, scale = fit(np.full((*size, 3), 9, np.uint8), 416, 32)
    assert padded.shape[0] % 32 == padded.shape[1] % 32 == 0
    assert max(padded.shape) == 416
    assert scale * max(size) == pytest.approx(416)
    assert (padded[: round(size[0] * scale), : max(1, round(size[1] * scale))] == 9).all()


def test_points_are_their_own_persons() -> None:
    """Four copies of a person: with maps not weighed by rows and by columns, points jump to the copies beside."""
    with as_file(files("smplerx_ros") / "assets" / "demo_walk.mp4") as clip, VideoReader(clip) as reader:
        image = next(frame.image for i, frame in enumerate(reader) if i == 72)
    seen = BuiltinDetector()._run(np.tile(image[340:700, 350:610], (2, 2, 1)), SIZES[0])
    sure = np.flatnonzero(seen.scores > 0.3)
    assert len(sure) == 4
    for box, points in zip(seen.boxes[sure], seen.points[sure], strict=True):
        places = points[points[:, 2] > 0.3, :2]
        assert len(places) > 10
        assert ((places > box[:2] - 5) & (places < box[2:] + 5)).all()
