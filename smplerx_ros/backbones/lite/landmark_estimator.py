"""Estimate body, hand and face landmarks of people, from boxes or from the landmarks of the previous frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smplerx_ros.arrays import FloatArray

from . import regions as roi
from .landmarks import BodyLandmarks, FaceLandmarks, HandLandmarks, LandmarkQuery, PersonLandmarks
from .networks import Hands, LandmarkNetworks
from .placement import duplicates, matches_box, overlaps
from .topology import BODY_INDEX

Candidate = tuple[int, FloatArray]  # index of the query, region (4,)
HandKey = tuple[int, str]  # index of the person, side

# MediaPipe's thresholds (holistic landmark graphs, release 0.10.21).
MIN_SCORE = 0.5  # of body, hand and face
MIN_WRIST_VISIBILITY = 0.1
HAND_KEPT = {"angle": np.radians(40), "shift": 0.2, "scale": 0.4}
SAME_HAND = 0.5  # of the region's side (the length of a hand): maximum distance of regions that show the same hand
HIDDEN = 0.5  # visibility below which a wrist is occluded
START_PASSES = 2  # after the first one; more are not more accurate (measured)
# Maximum motion of a person since the last image; beyond it, the network runs again on the new region. Otherwise, on
# the demo clip, landmarks lag behind by 2 % of the region's side and more, until the person is lost. At 10 images per
# second a second run is rarely needed, at 5 it is for a walking person in every other image.
MOVED = {"angle": np.radians(15), "shift": 0.075, "scale": 0.15}
# Maximum deviation of a face from the rough region of the body's head, and its minimum size: otherwise, on heads in
# profile, the network finds faces with high scores on ears and cheeks (observed on 77 faces of two people).
FACE_NEAR_HEAD = {"angle": np.radians(30), "shift": 0.2, "scale": 0.35}
MIN_FACE_SIDE = 44.0  # pixels
FACE_SETTLED = {"angle": np.pi, "shift": 0.2, "scale": 0.4}  # the second pass of a new face against the first
# Frames in which a hand's region is propagated with the palm of the body network, before the recrop network runs again.
HAND_PROPAGATED = 2
PALMS = {  # wrist, pinky, index of each side
    side: [BODY_INDEX[f"{side}_{name}"] for name in ("wrist", "pinky", "index")] for side in ("left", "right")
}


class LandmarkEstimator:
    """Estimates landmarks of any number of people in any number of images, in one batch per network and pass.

    It is stateless: the caller passes each person's previous landmarks. A tracked person takes one pass of the body
    network (two after moving far), one of the hand network for each hand, and one of the face network. `device` and
    `threads` are as in `OnnxNetwork`.
    """

    def __init__(self, device: str = "cpu", threads: int | None = None) -> None:
        self._networks = LandmarkNetworks(device, threads)

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return self._networks.provider

    def estimate(self, queries: Sequence[LandmarkQuery]) -> list[PersonLandmarks | None]:
        """Estimate the landmarks of each query, in order; None if no person was found."""
        bodies = self._find_bodies(queries)
        found = [(query, body) for query, body in zip(queries, bodies, strict=True) if body is not None]
        parts = zip(*self._find_hands(found), self._find_faces(found), strict=True)
        people = (_person(query, body, *seen) for (query, body), seen in zip(found, parts, strict=True))
        return [None if body is None else next(people) for body in bodies]

    def _find_bodies(self, queries: Sequence[LandmarkQuery]) -> list[BodyLandmarks | None]:
        """Process tracked people and candidates of new ones in one batch, then refine the new ones."""
        tracked = {
            i: roi.body_regions(query.previous.body.points[None])[0]
            for i, query in enumerate(queries)
            if query.previous is not None and overlaps(query.box, query.previous.body.roi)
        }
        new = [i for i in range(len(queries)) if i not in tracked]
        found = self._run(queries, [*tracked.items(), *_start_candidates(queries, new)])
        lost = [i for i in tracked if i not in found or found[i].score <= MIN_SCORE]
        found.update(self._run(queries, _start_candidates(queries, lost)))
        self._refine(queries, [i for i in tracked if i not in lost and _has_moved(found[i])], found)
        new = [i for i in new + lost if i in found]
        self._settle(queries, new, found)
        sure = {i: body for i, body in found.items() if body.score > MIN_SCORE}
        new = [i for i in new if i in sure]
        wrong = {i for i in new if not matches_box(sure[i], queries[i])} | duplicates(sure, queries, new)
        return [None if i in wrong else sure.get(i) for i in range(len(queries))]

    def _settle(self, queries: Sequence[LandmarkQuery], new: Sequence[int], found: dict[int, BodyLandmarks]) -> None:
        """Refine new people: try leaning regions if the landmarks do not match the box, then iterate."""
        mismatched = [i for i in new if not matches_box(found[i], queries[i])]
        leaning = self._run(queries, [(i, one) for i in mismatched for one in roi.leaning_regions(queries[i].box)])
        found.update({i: body for i, body in leaning.items() if _rank(body, queries[i]) > _rank(found[i], queries[i])})
        searching = list(new)
        for _ in range(START_PASSES):
            searching = self._refine(queries, searching, found)

    def _refine(
        self, queries: Sequence[LandmarkQuery], people: Sequence[int], found: dict[int, BodyLandmarks]
    ) -> list[int]:
        """Run on the regions where people were found; return those whose landmarks were updated."""
        again = self._run(queries, [(i, roi.body_regions(found[i].points[None])[0]) for i in people])
        better = [i for i in again if _still_matches(again[i], found[i], queries[i])]
        found.update({i: again[i] for i in better})
        return better

    def _run(self, queries: Sequence[LandmarkQuery], candidates: Sequence[Candidate]) -> dict[int, BodyLandmarks]:
        """Run the body network once; return the best candidate of each query."""
        candidates = [(i, region) for i, region in candidates if np.isfinite(region).all() and region[2] > 0]
        best: dict[int, BodyLandmarks] = {}
        if not candidates:
            return best
        images, regions = [queries[i].image for i, _ in candidates], [region for _, region in candidates]
        bodies = self._networks.bodies(images, np.stack(regions))
        for k, (i, region) in enumerate(candidates):
            points, visibility, presence = bodies.points[k], bodies.visibility[k], bodies.presence[k]
            body = BodyLandmarks(float(bodies.score[k]), points, visibility, presence, bodies.world[k], region)
            if i not in best or _rank(body, queries[i]) > _rank(best[i], queries[i]):
                best[i] = body
        return best

    def _find_hands(
        self, people: Sequence[tuple[LandmarkQuery, BodyLandmarks]]
    ) -> tuple[list[HandLandmarks | None], list[HandLandmarks | None]]:
        """Find left and right hands of all people: one batch for their regions, one for their landmarks."""
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
        """Regions `(N, 4)` of hands, and for how many frames each has been propagated.

        The region of a tracked hand is propagated with the palm; regularly it is compared with the recrop network's.
        """
        images, palms = [people[i][0].image for i, _ in keys], _palms([people[i][1] for i, _ in keys], keys)
        last = {k: seen for k, (i, side) in enumerate(keys) if (seen := _last_hand(people[i][0], side)) is not None}
        regions, known = palms.copy(), list(last)
        if known:
            before = _palms([body for body, _ in last.values()], [keys[k] for k in known])
            found = roi.hand_regions(np.stack([hand.points for _, hand in last.values()]))
            regions[known] = roi.propagated(found, before, palms[known])
        frames = [last[k][1].carried + 1 if k in last else 0 for k in range(len(keys))]
        carried = [n if n <= HAND_PROPAGATED else 0 for n in frames]
        due = [k for k, n in enumerate(carried) if n == 0]
        if due:
            fresh = self._networks.hand_regions([images[k] for k in due], palms[due])
            kept = np.isin(due, known) & roi.agrees(regions[due], fresh, **HAND_KEPT)
            regions[due] = np.where(kept[:, None], regions[due], fresh)
        return regions, carried

    def _find_faces(self, people: Sequence[tuple[LandmarkQuery, BodyLandmarks]]) -> list[FaceLandmarks | None]:
        """Find the faces that are due: one pass for a tracked face, two for a new one."""
        faces: list[FaceLandmarks | None] = [None] * len(people)
        heads = (
            roi.face_regions_from_body(np.stack([body.points for _, body in people])) if people else np.empty((0, 4))
        )
        due = np.array([query.due("face") for query, _ in people], bool)
        large = np.flatnonzero(due & (heads[:, 2] * (1 + FACE_NEAR_HEAD["scale"]) >= MIN_FACE_SIDE))
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
        faces_found = roi.face_regions(points)
        near = roi.agrees(faces_found, heads, **FACE_NEAR_HEAD)
        found = (score > MIN_SCORE) & (faces_found[:, 2] >= MIN_FACE_SIDE) & near
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
    """Combine a person's landmarks, and count for how many frames missing parts have not been found."""
    no_left, no_right, no_face = query.previous.unseen if query.previous else (0, 0, 0)
    unseen = (0 if left else no_left + 1, 0 if right else no_right + 1, 0 if face else no_face + 1)
    return PersonLandmarks(body, left, right, face, unseen)


def _rank(body: BodyLandmarks, query: LandmarkQuery) -> tuple[bool, float]:
    """Sort key of candidates: of two overlapping people, the wrong one may have the higher score."""
    return body.score > MIN_SCORE and matches_box(body, query), body.score


def _has_moved(body: BodyLandmarks) -> bool:
    """Whether the person is too far from the region that the network processed."""
    return not roi.agrees(roi.body_regions(body.points[None]), body.roi[None], **MOVED)[0]


def _still_matches(again: BodyLandmarks, before: BodyLandmarks, query: LandmarkQuery) -> bool:
    """Whether refined landmarks are still those of the person."""
    return again.score >= min(MIN_SCORE, before.score) and (matches_box(again, query) or not matches_box(before, query))


def _start_candidates(queries: Sequence[LandmarkQuery], indices: Sequence[int]) -> list[Candidate]:
    """Candidate regions of the queries whose boxes overlap their images."""
    return [
        (i, region)
        for i in indices
        if queries[i].visible
        for region in roi.start_regions(queries[i].box, queries[i].image.shape[1], queries[i].image.shape[0])
    ]


def _trusted_hands(
    keys: Sequence[HandKey], hands: Hands, regions: FloatArray, visibility: Sequence[float]
) -> list[int]:
    """Hands above the threshold, except those that were found at an occluded wrist but belong to the other arm."""
    sure = [k for k in range(len(keys)) if hands.score[k] > MIN_SCORE]

    def of_other_arm(k: int) -> bool:
        others = [j for j in sure if keys[j][0] == keys[k][0] and visibility[j] > visibility[k]]
        near = [np.linalg.norm(regions[k, :2] - regions[j, :2]) < SAME_HAND * regions[j, 2] for j in others]
        return visibility[k] < HIDDEN and any(near)

    return [k for k in sure if not of_other_arm(k)]


def _last_hand(query: LandmarkQuery, side: str) -> tuple[BodyLandmarks, HandLandmarks] | None:
    """Body and this hand in the previous frame, if the hand was found."""
    person = query.previous
    hand = person and (person.left_hand if side == "left" else person.right_hand)
    return (person.body, hand) if person and hand else None


def _palms(bodies: Sequence[BodyLandmarks], keys: Sequence[HandKey]) -> FloatArray:
    """Rough hand regions `(N, 4)` from the bodies' palms."""
    points = np.stack([body.points[PALMS[side], :2] for body, (_, side) in zip(bodies, keys, strict=True)])
    return roi.palm_regions(*points.transpose(1, 0, 2))


def _kept_face_regions(previous: Sequence[PersonLandmarks | None], heads: FloatArray) -> FloatArray:
    """Regions of tracked faces if they match the head, otherwise those of the head."""
    regions = heads.copy()
    for k, person in enumerate(previous):
        if person is not None and person.face is not None:
            tracked = roi.face_regions(person.face.points[None])
            if roi.agrees(tracked, heads[k : k + 1], **FACE_NEAR_HEAD)[0]:
                regions[k] = tracked[0]
    return regions
