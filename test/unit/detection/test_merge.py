"""Several looks at one image give each person once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.detection.merge import Candidates, merge_duplicates
from smplerx_ros.detection.tiles import MAX_IN_A_ROW, tiles

PERSON = (100.0, 100.0, 200.0, 400.0)


def _points(box: tuple[float, ...], score: float = 0.9) -> NDArray[np.float64]:
    """Down the middle of a box."""
    x = np.full(17, (box[0] + box[2]) / 2)
    return np.stack([x, np.linspace(box[1], box[3], 17), np.full(17, score)], axis=-1)


def _seen(*rows: tuple[tuple[float, ...], float, NDArray[np.float64], bool]) -> Candidates:
    boxes, scores, points, in_tile = zip(*rows, strict=True)
    return Candidates(np.array(boxes), np.array(scores), np.array(points), np.array(in_tile))


def test_nobody_stays_nobody() -> None:
    none = Candidates(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 17, 3)), np.zeros(0, dtype=bool))
    assert len(merge_duplicates(none).scores) == 0


def test_the_best_of_overlapping_boxes_stays() -> None:
    moved = tuple(value + 10 for value in PERSON)
    kept = merge_duplicates(_seen((PERSON, 0.4, _points(PERSON), False), (moved, 0.8, _points(moved), True)))
    assert kept.scores.tolist() == [0.8]


def test_a_part_that_a_tile_saw_belongs_to_the_whole() -> None:
    part = (110.0, 110.0, 190.0, 220.0)  # the upper body, its points where the whole body's are
    points = _points(PERSON)
    kept = merge_duplicates(_seen((PERSON, 0.5, points, False), (part, 0.4, points, True)))
    assert kept.boxes.tolist() == [list(PERSON)]


def test_a_child_before_an_adult_is_somebody_else() -> None:
    child = (110.0, 280.0, 170.0, 400.0)  # inside the adult's box, with points of its own
    kept = merge_duplicates(_seen((PERSON, 0.5, _points(PERSON), False), (child, 0.4, _points(child), True)))
    assert len(kept.scores) == 2


def test_boxes_decide_where_points_tell_nothing() -> None:
    child = (110.0, 280.0, 170.0, 400.0)
    kept = merge_duplicates(_seen((PERSON, 0.5, _points(PERSON), False), (child, 0.4, _points(child, 0.1), True)))
    assert len(kept.scores) == 1


def test_looks_at_the_whole_image_merge_by_overlap_alone() -> None:
    child = (110.0, 280.0, 170.0, 400.0)
    kept = merge_duplicates(_seen((PERSON, 0.5, _points(PERSON), False), (child, 0.4, _points(child, 0.1), False)))
    assert len(kept.scores) == 2


def test_tiles_cover_the_image_and_overlap() -> None:
    for width, height in [(640, 480), (1280, 720), (720, 1280), (3000, 500), (300, 2000), (1, 1), (1, 5000), (7, 3)]:
        covered = np.zeros((height, width), dtype=int)
        grid = tiles(width, height)
        for tile in grid:
            assert 0 <= tile.x0 < tile.x1 <= width
            assert 0 <= tile.y0 < tile.y1 <= height
            covered[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
        assert covered.min() >= 1
        assert len(grid) <= MAX_IN_A_ROW
        assert min(width, height) < 10 or covered.max() >= 2


def test_a_tile_gives_only_whole_and_small_people() -> None:
    first = tiles(900, 900)[0]  # 0..540
    assert (first.x0, first.y0, first.x1, first.y1) == (0, 0, 540, 540)
    boxes = np.array(
        [
            [0, 0, 100, 200],  # at the image's own edge: whole
            [440, 100, 538, 200],  # at an inner edge: cut
            [100, 400, 150, 540],
            [10, 10, 100, 400],  # large enough for the whole image
            [200, 200, 260, 400],
        ]
    )
    assert first.whole_and_small(boxes).tolist() == [True, False, False, False, True]
