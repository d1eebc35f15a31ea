"""People's body, hand and face landmarks in images, from boxes or from the landmarks of the frame before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray

from . import regions as roi
from .landmarks import BodyLandmarks, FaceLandmarks, HandLandmarks, LandmarkQuery, PersonLandmarks
from .networks import Hands, LandmarkNetworks
from .placement import doubles, meet, placed
from .topology import BODY_INDEX

Look = tuple[int, FloatArray]  # index of the query, region (4,)
HandKey = tuple[int, str]  # index of the person, side

# MediaPipe's thresholds (holistic landmark graphs, release 0.10.21).
MIN_SCORE = 0.5  # of body, hand and face
MIN_WRIST_VISIBILITY = 0.1
HAND_KEPT = {"angle": np.radians(40), "shift": 0.2, "scale": 0.4}
SAME_HAND = 0.5  # of the region's side, one hand's length: nearer than this a hidden wrist's hand is the other one
HIDDEN = 0.5  # visibility
START_PASSES = 2  # beyond the first; measured: more does not come closer
# How far a person may have moved since the last image until the network looks again where it found them. Measured on
# the demo clip: its points lag behind by 2 % of the region's side and more beyond that, and in the end lose the person;
# at 10 images a second hardly anybody needs the second look, at 5 a walker does in every second one.
MOVED = {"angle": np.radians(15), "shift": 0.075, "scale": 0.15}
# Where a face must lie against the rough region of the body's head, and its least size: below, on heads in profile, the
# network puts faces with high scores on ears and cheeks (seen on 77 faces of two people).
FACE_PLACED = {"angle": np.radians(30), "shift": 0.2, "scale": 0.35}
MIN_FACE_SIDE = 44.0  # pixels
FACE_SETTLED = {"angle": np.pi, "shift": 0.2, "scale": 0.4}  # the second look of a start against the first
# A hand's region goes along with the palm that the body network sees for so many frames; then it is looked for anew.
HAND_CARRIED = 2
PALMS = {  # wrist, pinky, index of either side
    side: [BODY_INDEX[f"{side}_{name}"] for name in ("wrist", "pinky", "index")] for side in ("left", "right")
}


class LandmarkEstimator:
    """Landmarks of any number of people in any number of images, one batch per network and pass.

    Holds no memory: the caller hands back each person's last landmarks. In steady tracking a person costs one pass of
    the body network (two after moving far), one of each hand's, and one of the face's. `device` and `threads` as in
    `OnnxNetwork`.
    """

    def __init__(self, device: str = "cpu", threads: int | None = None) -> None:
        self._networks = LandmarkNetworks(device, threads)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._networks.provider

    def estimate(self, queries: Sequence[LandmarkQuery]) -> list[PersonLandmarks | None]:
        """One answer per query, in their order; None where no person was found."""
        bodies = self._find_bodies(queries)
        found = [(query, body) for query, body in zip(queries, bodies, strict=True) if body is not None]
        parts = zip(*self._find_hands(found), self._find_faces(found), strict=True)
        people = (_person(query, body, *seen) for (query, body), seen in zip(found, parts, strict=True))
        return [None if body is None else next(people) for body in bodies]

    def _find_bodies(self, queries: Sequence[LandmarkQuery]) -> list[BodyLandmarks | None]:
        """Tracked people and first looks at bare boxes in one batch; then more looks at the new ones."""
        tracked = {
            i: roi.body_regions(query.previous.body.points[None])[0]
            for i, query in enumerate(queries)
            if query.previous is not None and meet(query.box, query.previous.body.roi)
        }
        new = [i for i in range(len(queries)) if i not in tracked]
        found = self._look(queries, [*tracked.items(), *_first_looks(queries, new)])
        lost = [i for i in tracked if i not in found or found[i].score <= MIN_SCORE]
        found.update(self._look(queries, _first_looks(queries, lost)))
        self._look_closer(queries, [i for i in tracked if i not in lost and _has_moved(found[i])], found)
        new = [i for i in new + lost if i in found]
        self._settle(queries, new, found)
        sure = {i: body for i, body in found.items() if body.score > MIN_SCORE}
        new = [i for i in new if i in sure]
        wrong = {i for i in new if not placed(sure[i], queries[i])} | doubles(sure, queries, new)
        return [None if i in wrong else sure.get(i) for i in range(len(queries))]

    def _settle(self, queries: Sequence[LandmarkQuery], new: Sequence[int], found: dict[int, BodyLandmarks]) -> None:
        """Look at new people again: for leaning ones where nobody fills the box, then closer and closer."""
        astray = [i for i in new if not placed(found[i], queries[i])]
        leaning = self._look(queries, [(i, one) for i in astray for one in roi.leaning_regions(queries[i].box)])
        found.update({i: body for i, body in leaning.items() if _rank(body, queries[i]) > _rank(found[i], queries[i])})
        searching = list(new)
        for _ in range(START_PASSES):
            searching = self._look_closer(queries, searching, found)

    def _look_closer(
        self, queries: Sequence[LandmarkQuery], people: Sequence[int], found: dict[int, BodyLandmarks]
    ) -> list[int]:
        """Look at people where they were found; those of whom that became the better answer."""
        again = self._look(queries, [(i, roi.body_regions(found[i].points[None])[0]) for i in people])
        better = [i for i in again if _holds_on(again[i], found[i], queries[i])]
        found.update({i: again[i] for i in better})
        return better

    def _look(self, queries: Sequence[LandmarkQuery], looks: Sequence[Look]) -> dict[int, BodyLandmarks]:
        """One pass of the body network; the best answer for every query looked at."""
        looks = [(i, region) for i, region in looks if np.isfinite(region).all() and region[2] > 0]
        best: dict[int, BodyLandmarks] = {}
        if not looks:
            return best
        bodies = self._networks.bodies([queries[i].image for i, _ in looks], np.stack([region for _, region in looks]))
        for k, (i, region) in enumerate(looks):
            points, visibility, presence = bodies.points[k], bodies.visibility[k], bodies.presence[k]
            body = BodyLandmarks(float(bodies.score[k]), points, visibility, presence, bodies.world[k], region)
            if i not in best or _rank(body, queries[i]) > _rank(best[i], queries[i]):
                best[i] = body
        return best

    def _find_hands(
        self, people: Sequence[tuple[LandmarkQuery, BodyLandmarks]]
    ) -> tuple[list[HandLandmarks | None], list[HandLandmarks | None]]:
        """Left and right hands of all people: one batch to place their regions, one for their points."""
        found: dict[HandKey, HandLandmarks] = {}
        keys = [
            (i, side)
            for i, (query, body) in enumerate(people)
            for side, palm in PALMS.items()
            if body.visibility[palm[0]] > MIN_WRIST_VISIBILITY and query.due(f"{side}_hand")
        ]
        if keys:
            images = [people[i][0].image for i, _ in keys]
            regions, carried = self._hand_regions(people, keys)
            hands = self._networks.hands(images, regions)
            visibility = [people[i][1].visibility[PALMS[side][0]] for i, side in keys]
            for k in _trusted_hands(keys, hands, regions, visibility):
                score, right = float(hands.score[k]), float(hands.right[k])
                found[keys[k]] = HandLandmarks(score, right, hands.points[k], hands.world[k], regions[k], carried[k])
        everyone = range(len(people))
        return [found.get((i, "left")) for i in everyone], [found.get((i, "right")) for i in everyone]

    def _hand_regions(
        self, people: Sequence[tuple[LandmarkQuery, BodyLandmarks]], keys: Sequence[HandKey]
    ) -> tuple[FloatArray, list[int]]:
        """Regions `(N, 4)` of hands, and for how many frames each of them was not looked for.

        A hand of the last frame is where the palm has carried it; now and then that must agree with what is found.
        """
        images, palms = [people[i][0].image for i, _ in keys], _palms([people[i][1] for i, _ in keys], keys)
        last = {k: seen for k, (i, side) in enumerate(keys) if (seen := _last_hand(people[i][0], side)) is not None}
        regions, known = palms.copy(), list(last)
        if known:
            before = _palms([body for body, _ in last.values()], [keys[k] for k in known])
            found = roi.hand_regions(np.stack([hand.points for _, hand in last.values()]))
            regions[known] = roi.carried(found, before, palms[known])
        frames = [last[k][1].carried + 1 if k in last else 0 for k in range(len(keys))]
        carried = [n if n <= HAND_CARRIED else 0 for n in frames]
        due = [k for k, n in enumerate(carried) if n == 0]
        if due:
            fresh = self._networks.hand_regions([images[k] for k in due], palms[due])
            kept = np.isin(due, known) & roi.agrees(regions[due], fresh, **HAND_KEPT)
            regions[due] = np.where(kept[:, None], regions[due], fresh)
        return regions, carried

    def _find_faces(self, people: Sequence[tuple[LandmarkQuery, BodyLandmarks]]) -> list[FaceLandmarks | None]:
        """Faces of all people: one pass from the last face, two from the body's head, which are spared now and then."""
        faces: list[FaceLandmarks | None] = [None] * len(people)
        heads = (
            roi.face_regions_from_body(np.stack([body.points for _, body in people])) if people else np.empty((0, 4))
        )
        due = np.array([query.due("face") for query, _ in people], bool)
        large = np.flatnonzero(due & (heads[:, 2] * (1 + FACE_PLACED["scale"]) >= MIN_FACE_SIDE))
        if not len(large):
            return faces
        images, heads = [people[i][0].image for i in large], heads[large]
        regions = _kept_face_regions([people[i][0].previous for i in large], heads)
        first = self._networks.faces(images, regions)
        score, points = first.score, first.points
        new = np.flatnonzero((regions == heads).all(axis=1))
        if len(new):
            regions[new] = roi.face_regions(points[new])
            second = self._networks.faces([images[k] for k in new], regions[new])
            settled = roi.agrees(roi.face_regions(second.points), regions[new], **FACE_SETTLED)
            score[new], points[new] = np.where(settled, second.score, 0), second.points
        placed = roi.face_regions(points)
        found = (score > MIN_SCORE) & (placed[:, 2] >= MIN_FACE_SIDE) & roi.agrees(placed, heads, **FACE_PLACED)
        if found.any():
            rows = np.flatnonzero(found)
            for k, weights in zip(rows, self._networks.blendshapes(points[rows]), strict=True):
                faces[large[k]] = FaceLandmarks(float(score[k]), points[k], weights, regions[k])
        return faces


def _person(
    query: LandmarkQuery,
    body: BodyLandmarks,
    left: HandLandmarks | None,
    right: HandLandmarks | None,
    face: FaceLandmarks | None,
) -> PersonLandmarks:
    """What was found of the person of a query, and for how many frames the rest was not."""
    no_left, no_right, no_face = query.previous.unseen if query.previous else (0, 0, 0)
    unseen = (0 if left else no_left + 1, 0 if right else no_right + 1, 0 if face else no_face + 1)
    return PersonLandmarks(body, left, right, face, unseen)


def _rank(body: BodyLandmarks, query: LandmarkQuery) -> tuple[bool, float]:
    """Order of hypotheses: of two people who overlap, the higher score may be the other one's."""
    return body.score > MIN_SCORE and placed(body, query), body.score


def _has_moved(body: BodyLandmarks) -> bool:
    """Whether the person is elsewhere than where the network looked."""
    return not roi.agrees(roi.body_regions(body.points[None]), body.roi[None], **MOVED)[0]


def _holds_on(again: BodyLandmarks, before: BodyLandmarks, query: LandmarkQuery) -> bool:
    """Whether a closer look did not lead away from the person."""
    return again.score >= min(MIN_SCORE, before.score) and (placed(again, query) or not placed(before, query))


def _first_looks(queries: Sequence[LandmarkQuery], indices: Sequence[int]) -> list[Look]:
    """Start hypotheses of the queries whose boxes reach into their images."""
    return [
        (i, region)
        for i in indices
        if queries[i].visible
        for region in roi.start_regions(queries[i].box, queries[i].image.shape[1], queries[i].image.shape[0])
    ]


def _trusted_hands(
    keys: Sequence[HandKey], hands: Hands, regions: FloatArray, visibility: Sequence[float]
) -> list[int]:
    """Hands above the threshold, without those that a hidden wrist found on the same person's other arm."""
    sure = [k for k in range(len(keys)) if hands.score[k] > MIN_SCORE]

    def borrowed(k: int) -> bool:
        others = [j for j in sure if keys[j][0] == keys[k][0] and visibility[j] > visibility[k]]
        near = [np.linalg.norm(regions[k, :2] - regions[j, :2]) < SAME_HAND * regions[j, 2] for j in others]
        return visibility[k] < HIDDEN and any(near)

    return [k for k in sure if not borrowed(k)]


def _last_hand(query: LandmarkQuery, side: str) -> tuple[BodyLandmarks, HandLandmarks] | None:
    """The person and this hand in the frame before, if it was found there."""
    person = query.previous
    hand = person and (person.left_hand if side == "left" else person.right_hand)
    return (person.body, hand) if person and hand else None


def _palms(bodies: Sequence[BodyLandmarks], keys: Sequence[HandKey]) -> FloatArray:
    """Rough regions `(N, 4)` of one hand of each body."""
    points = np.stack([body.points[PALMS[side], :2] for body, (_, side) in zip(bodies, keys, strict=True)])
    return roi.palm_regions(*points.transpose(1, 0, 2))


def _kept_face_regions(previous: Sequence[PersonLandmarks | None], heads: FloatArray) -> FloatArray:
    """The region that follows from a face's last points, while it lies on the head; else the head's own."""
    regions = heads.copy()
    for k, person in enumerate(previous):
        if person is not None and person.face is not None:
            tracked = roi.face_regions(person.face.points[None])
            if roi.agrees(tracked, heads[k : k + 1], **FACE_PLACED)[0]:
                regions[k] = tracked[0]
    return regions
