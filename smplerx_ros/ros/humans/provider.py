"""REP-155's provider of bodies and faces: publishes the topics under /humans for each frame."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any

import numpy as np
from hri_msgs.msg import IdsList, IdsMatch
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from smplerx_ros.body import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.scheduling.image_interval import ImageInterval
from smplerx_ros.rep155.crops import crop, fitted_crop
from smplerx_ros.rep155.faces import MESH_POINTS, face_id, person_of
from smplerx_ros.rep155.people import Bodies
from smplerx_ros.rep155.presence import Presence
from smplerx_ros.rep155.skeleton2d import FACE_POINTS, keypoints, normalized_points
from smplerx_ros.ros.qos import PUBLISHER, delivered, overriding_options
from smplerx_ros.types import People, Person, SmplxParams

from .topics import LATCHED, RESULTS, BodyTopics, FaceTopics

FACE_WIDTH, FACE_HEIGHT = 128, 128  # pixels of a cropped face: defaults of REP-155's /humans/faces/width and height
SILENCE_S = 3.0  # without images of any camera, longer at low frame rates; then nobody is tracked


class Provider:
    """Publishes bodies and faces of all cameras; the topics of an id exist as long as it is tracked.

    `publish` and `clear` may be called from different threads.

    Args:
        node: Node of the publishers.
        body: Body model, for the skeleton's face points.
        left: Called with the ids of bodies that have left.
    """

    def __init__(self, node: Node, body: BodyModel, left: Callable[[Collection[str]], None]) -> None:
        self._node = node
        self._left = left
        self._body = body
        self._lock = threading.Lock()
        self._bodies: dict[str, BodyTopics] = {}
        self._faces: dict[str, FaceTopics] = {}
        self._body_presence, self._face_presence = Presence(), Presence()
        self._header = Header()  # of the last frame
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._updated_s = self._seconds
        self._arrivals = ImageInterval()
        with ExitStack() as made:  # frees what was created if the constructor fails
            self._made = made
            self._body_list = self._publisher(IdsList, "/humans/bodies/tracked", LATCHED)
            self._face_list = self._publisher(IdsList, "/humans/faces/tracked", LATCHED)
            self._matches = self._publisher(IdsMatch, "/humans/candidate_matches", RESULTS)
            made.callback(node.destroy_timer, node.create_timer(1.0, self._clear_after_silence, clock=self._clock))
            self._made = made.pop_all()

    def publish(self, people: People, bodies: Bodies | None, header: Header, *, cropped: bool) -> None:
        """Publish one frame; `bodies` belong to `people` (None: there are none)."""
        with self._lock:
            self._updated_s = self._seconds
            self._arrivals.seen(round(self._updated_s * 1e9))
            self._header = header
            self._publish_bodies(people, bodies, header, cropped)
            self._publish_faces(people, bodies, header, cropped)

    def clear(self) -> None:
        """Publish empty lists, and remove the topics of bodies and faces."""
        with self._lock:
            self._revoke(self._face_presence.clear())
            self._drop_bodies(self._body_presence.clear())
            for publisher in (self._body_list, self._face_list):
                publisher.publish(IdsList(header=self._header))
            delivered(self._body_list, self._face_list)

    def destroy(self) -> None:
        """Free everything."""
        with self._lock:
            for topics in (*self._bodies.values(), *self._faces.values()):
                topics.destroy()
            self._bodies.clear()
            self._faces.clear()
            self._made.close()

    def _publisher(self, kind: type[Any], topic: str, qos: QoSProfile) -> Any:
        options = overriding_options(self._node, topic, PUBLISHER)
        # rclpy writes overrides into the profile: pass a copy.
        publisher = self._node.create_publisher(kind, topic, copy.copy(qos), qos_overriding_options=options)
        self._made.callback(self._node.destroy_publisher, publisher)
        return publisher

    def _publish_bodies(self, people: People, bodies: Bodies | None, header: Header, cropped: bool) -> None:
        ids = [person.id for person in people.people]
        change = self._body_presence.update(people.frame.source, people.frame.stamp_ns, ids, self._seconds)
        self._drop_bodies(change.gone)
        for identity in change.appeared:
            self._bodies[identity] = BodyTopics(self._node, identity)
        self._body_list.publish(IdsList(header=header, ids=list(self._body_presence.tracked)))
        if bodies is None:
            return
        height, width = people.frame.image.shape[:2]
        for person, description, new, angles in zip(
            bodies.people, bodies.descriptions, bodies.remeasured, bodies.angles.values.tolist(), strict=True
        ):
            topics = self._bodies[person.id]
            if new or person.id in change.appeared:
                topics.publish_urdf(description)
            topics.publish_region(header, person.box, float(person.score), width, height)
            topics.publish_joint_states(header, angles)
            if cropped and topics.wanted("cropped"):
                topics.publish_cropped(header, crop(people.frame.image, person.box))
        self._publish_skeletons(people, header, width, height)

    def _publish_skeletons(self, people: People, header: Header, width: int, height: int) -> None:
        wanted = [person for person in people.people if self._bodies[person.id].wanted("skeleton2d")]
        if not wanted:
            return
        positions = self._body.extra_joints(SmplxParams.stack([person.params for person in wanted]))
        points = keypoints(
            np.stack([person.joints_image for person in wanted]),
            np.stack([person.confidence for person in wanted]),
            people.camera.project(positions[:, : len(FACE_POINTS)]),
            width,
            height,
        )
        for person, skeleton in zip(wanted, points.tolist(), strict=True):
            self._bodies[person.id].publish_skeleton(header, skeleton)

    def _publish_faces(self, people: People, bodies: Bodies | None, header: Header, cropped: bool) -> None:
        boxes = zip(bodies.people, bodies.face_boxes, strict=True) if bodies else ()
        seen = {face_id(person.id): (person, box) for person, box in boxes if box is not None}
        change = self._face_presence.update(people.frame.source, people.frame.stamp_ns, seen, self._seconds)
        self._revoke(change.gone)
        for identity in change.appeared:
            landmarks = seen[identity][0].face_landmarks is not None
            self._faces[identity] = FaceTopics(self._node, identity, landmarks)
        self._face_list.publish(IdsList(header=header, ids=list(self._face_presence.tracked)))
        for identity, (person, box) in seen.items():
            self._publish_face(identity, person, box, people, header, cropped)

    def _publish_face(
        self, identity: str, person: Person, box: Box, people: People, header: Header, cropped: bool
    ) -> None:
        image = people.frame.image
        height, width = image.shape[:2]
        topics = self._faces[identity]
        topics.publish_region(header, box, float(person.score), width, height)
        self._matches.publish(_match(identity, person.id, 1.0))
        if cropped and topics.wanted("cropped"):
            topics.publish_cropped(header, fitted_crop(image, box, FACE_WIDTH, FACE_HEIGHT))
        if person.face_landmarks is not None and topics.wanted("landmarks"):
            pixels = person.face_landmarks[list(MESH_POINTS)]
            points = normalized_points(pixels, np.full(len(MESH_POINTS), person.score), width, height)
            topics.publish_landmarks(header, points.tolist(), width, height)

    def _revoke(self, faces: tuple[str, ...]) -> None:
        """Revoke the matches of faces that have left, and remove their topics."""
        for face in faces:
            self._matches.publish(_match(face, person_of(face), 0.0))
        self._drop(self._faces, faces)

    def _drop_bodies(self, gone: tuple[str, ...]) -> None:
        self._drop(self._bodies, gone)
        self._left(gone)

    @staticmethod
    def _drop(topics: dict[str, BodyTopics] | dict[str, FaceTopics], gone: tuple[str, ...]) -> None:
        for identity in gone:
            topics.pop(identity).destroy()

    @property
    def _seconds(self) -> float:
        return float(self._clock.now().nanoseconds * 1e-9)

    def _clear_after_silence(self) -> None:
        longest_s = self._arrivals.max_gap_ns(round(SILENCE_S * 1e9)) * 1e-9
        if self._seconds - self._updated_s > longest_s and (self._bodies or self._faces):
            self.clear()


def _match(face: str, body: str, confidence: float) -> IdsMatch:
    return IdsMatch(id1=face, id1_type=IdsMatch.FACE, id2=body, id2_type=IdsMatch.BODY, confidence=confidence)
