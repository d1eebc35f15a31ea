"""Publishers of the people of each frame; topics without subscribers cost nothing where possible."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.time import Time as RclpyTime
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection2DArray
from visualization_msgs.msg import MarkerArray

from smplerx_ros.body import BodyModel
from smplerx_ros.body.placement import Placement
from smplerx_ros.errors import InputError
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.msg import Person as PersonMessage
from smplerx_ros.msg import PersonArray
from smplerx_ros.pipeline.smoothing.moving_camera import MovingCamera
from smplerx_ros.ros.conversions.camera_info import info_from_camera
from smplerx_ros.ros.conversions.to_detection_array import detection_array
from smplerx_ros.ros.conversions.to_person_array import person_array
from smplerx_ros.ros.conversions.transforms import (
    Transforms,
    TransformWriter,
    joint_transforms,
    joints_of,
    rep155_transforms,
)
from smplerx_ros.ros.drawing.client import DrawingClient, Settings, Topic
from smplerx_ros.ros.drawing.scene import Scene
from smplerx_ros.ros.humans import HumansOutput
from smplerx_ros.ros.parameters import NodeParameters
from smplerx_ros.ros.qos import PUBLISHER, numbers_of, overriding_options, publisher_events
from smplerx_ros.types import People, Person, SmplxParams

from .slots import AssignedSlot, Slots, default_prefix
from .target_frame import TargetFrame

RESULTS_DEPTH = 5  # reliable; a slow subscriber gets the last few frames and does not delay the node
TF_DEPTH = 100  # as tf2_ros
PAUSE_TIMEOUT_S = 0.3  # for a frame that is being published while the output is paused


@dataclass(frozen=True)
class OutputOptions:
    """Options that may change while the node is active."""

    tf: bool
    joints: frozenset[int]  # SMPL-X joints published as TF frames
    rep155_tf: bool
    rep155_links: bool
    cropped: bool
    markers_mesh: bool

    @classmethod
    def from_config(cls, config: NodeParameters) -> OutputOptions:
        """From the node's parameters."""
        return cls(
            tf=config["tf.enabled"],
            joints=joints_of(**{group: config[f"tf.{group}"] for group in ("body", "hands", "face")}),
            rep155_tf=config["tf.rep155"],
            rep155_links=config["tf.rep155_links"],
            cropped=config["rep155.cropped"],
            markers_mesh=config["markers.mesh"],
        )


class Output:
    """The publishers of results: lifecycle publishers, active with the node.

    People and markers of all cameras share one topic each. Each camera has its own overlay, `~/<camera>/overlay`, and
    as JPEG the topic below it that image_transport expects, `/compressed`.

    Args:
        node: Node of the publishers.
        body: Body model of the people.
        cameras: Names of the cameras, as in `Frame.source`.
        config: Parameters of the node.

    Raises:
        ConfigError: `target_frame` is set and tf2_ros is missing, or a QoS override is invalid.
    """

    def __init__(self, node: LifecycleNode, body: BodyModel, cameras: Sequence[str], config: NodeParameters) -> None:
        self._node = node
        self._body = body
        self._sending = threading.Lock()
        self._paused = False
        self._transforms = TransformWriter()
        self._slots = Slots()
        self._prefix = config["tf.prefix"] or default_prefix(node.get_namespace(), node.get_name())
        self._person_messages: list[PersonMessage] = []
        self._infos: dict[str, tuple[Camera, CameraInfo]] = {}  # by `Frame.source`
        with ExitStack() as made:  # frees what was created if the constructor fails
            self._made = made
            self._make(cameras, config)
            self._made = made.pop_all()

    def _make(self, cameras: Sequence[str], config: NodeParameters) -> None:
        target = config["target_frame"]
        self._target = TargetFrame(self._node, target) if target else None
        if self._target is not None:
            self._made.callback(self._target.destroy)
        self._rep155 = HumansOutput.create(self._node, self._body) if config["rep155.enabled"] else None
        if self._rep155 is not None:
            self._made.callback(self._rep155.destroy)
        self._people_publisher = self._publisher(PersonArray, "~/people", RESULTS_DEPTH)
        self._tf_publisher = self._publisher(TFMessage, "/tf", TF_DEPTH)
        self._marker_publisher = self._publisher(MarkerArray, "~/markers", RESULTS_DEPTH)
        self._detections_publisher = self._publisher(Detection2DArray, "~/detections", RESULTS_DEPTH)
        self._motions = {camera: MovingCamera() for camera in cameras}  # of the cameras in the target frame
        self._overlay_publishers = {
            camera: self._publisher(Image, f"~/{camera}/overlay" if camera else "~/overlay", 1) for camera in cameras
        }
        self._compressed_publishers = {
            camera: self._publisher(CompressedImage, f"{overlay.topic_name}/compressed", 1)
            for camera, overlay in self._overlay_publishers.items()
        }
        self._drawing_client = DrawingClient(self._drawing(config["body_model"]), self._node.get_logger().warning)
        self._made.callback(self._drawing_client.close)

    def publish(self, people: People, header: Header, options: OutputOptions) -> None:
        """Publish one frame: people and TF first, then visualization. Does nothing while paused.

        Raises:
            InputError: TF does not know the camera's pose in the target frame. People and markers were not published
                then; everything else was.
        """
        with self._sending:
            if not self._paused:
                self._send(people, header, options)

    def pause(self) -> None:
        """Clear all published people, and publish nothing until `resume`. From any thread."""
        self._paused = True
        sent = self._sending.acquire(timeout=PAUSE_TIMEOUT_S)
        try:
            self.clear()
        finally:
            if sent:
                self._sending.release()

    def resume(self) -> None:
        """Publish again."""
        self._paused = False

    def figures(self) -> dict[str, str]:
        """Values for the diagnostics, by key."""
        client = self._drawing_client
        drawn = {"pictures drawn": str(client.shown), "pictures dropped": str(client.dropped)}
        return drawn | ({} if self._rep155 is None else self._rep155.figures())

    def clear(self) -> None:
        """Publish that nobody is tracked: delete markers, bodies and faces."""
        self._drawing_client.clear()
        if self._rep155 is not None:
            self._rep155.clear()

    def destroy(self) -> None:
        """Free the publishers."""
        self._made.close()

    def _send(self, people: People, header: Header, options: OutputOptions) -> None:
        placement, unknown = self._placement(header)
        placed = self._placed(people, header, placement)
        slots = self._assigned(people, header, options)
        if unknown is None:
            info = self._camera_info(people, header)
            self._people_publisher.publish(person_array(*placed, info, self._prefixes(slots), self._person_messages))
        self._publish_transforms(people, header, slots, options)
        if self._detections_publisher.get_subscription_count():
            self._detections_publisher.publish(detection_array(people, header))
        self._draw(people, header, placement, options, markers=unknown is None)
        if unknown is not None:
            raise unknown

    def _camera_info(self, people: People, header: Header) -> CameraInfo:
        """CameraInfo with the image's header; the message is reused while the camera stays the same."""
        camera, info = self._infos.get(people.frame.source, (None, None))
        if info is None or camera is not people.camera:
            info = info_from_camera(people.camera, header)
            self._infos[people.frame.source] = people.camera, info
        info.header = header
        return info

    def _placement(self, header: Header) -> tuple[Placement | None, InputError | None]:
        """Pose of the camera in the target frame (None: no target frame), or the error if TF does not know it."""
        if self._target is None:
            return None, None
        try:
            return self._target.placement(header), None
        except InputError as error:
            return None, error

    def _assigned(self, people: People, header: Header, options: OutputOptions) -> list[AssignedSlot]:
        """Slots of the people; empty if joint frames are not published, or the image has no frame_id."""
        if not (options.tf and options.joints and header.frame_id):
            return []
        frame = people.frame
        stamp_ns = (
            frame.stamp_ns or self._node.get_clock().now().nanoseconds
        )  # images without a stamp count as taken now
        return self._slots.assign(people.people, stamp_ns, frame.source)

    def _prefixes(self, slots: Sequence[AssignedSlot]) -> list[str]:
        """Prefix of the names of each person's joint frames."""
        return [f"{self._prefix}{slot.number}/" for slot in slots]

    def _draw(
        self, people: People, header: Header, placement: Placement | None, options: OutputOptions, *, markers: bool
    ) -> None:
        """Hand markers and overlay to the drawing process, if they have subscribers."""
        frame = people.frame
        markers = markers and bool(self._marker_publisher.get_subscription_count())
        overlays = self._overlay_publishers[frame.source], self._compressed_publishers[frame.source]
        overlay = any(publisher.get_subscription_count() for publisher in overlays)
        if not (markers or overlay):
            return
        target = None if placement is None or self._target is None else (self._target.name, placement)
        scene = Scene(frame.source, header, people.people, markers, options.markers_mesh, target)
        self._drawing_client.show(replace(scene, image=frame.image, camera=people.camera) if overlay else scene)

    def _drawing(self, body_model: str) -> Settings:
        """Settings of the drawing process, which publishes on the topics of this node."""

        def topic(publisher: Any) -> Topic:
            return Topic(publisher.topic_name, numbers_of(publisher.qos_profile))

        name, namespace = self._node.get_name(), self._node.get_namespace()
        nodes = self._node.get_node_names_and_namespaces_with_enclaves()
        return Settings(
            node=f"_{name}_drawing",  # names with a leading "_" are hidden from lists of nodes
            namespace=namespace,
            domain=self._node.context.get_domain_id(),
            enclave=next((enclave for *who, enclave in nodes if who == [name, namespace]), "/"),
            body_model=body_model,
            markers=topic(self._marker_publisher),
            overlays={camera: topic(publisher) for camera, publisher in self._overlay_publishers.items()},
            compressed={camera: topic(publisher) for camera, publisher in self._compressed_publishers.items()},
        )

    def _placed(self, people: People, header: Header, placement: Placement | None) -> tuple[People, Header]:
        """People and header in the target frame, if there is one."""
        if placement is None or self._target is None:
            return people, header
        moved = self._motions[people.frame.source].transform(people.people, placement, people.frame.stamp_ns)
        return replace(people, people=moved), Header(stamp=header.stamp, frame_id=self._target.name)

    def _publish_transforms(
        self, people: People, header: Header, slots: Sequence[AssignedSlot], options: OutputOptions
    ) -> None:
        """Publish TF and the topics of REP-155, which share the joints' rotations; joint frames only with `slots`."""
        tf = options.tf and bool(header.frame_id)
        camera = header.frame_id.lstrip("/")  # frame names in tf2 have no leading slash
        parts: list[Transforms] = []
        rotations = None
        if people.people and (slots or self._rep155):
            rotations = self._rotations(people.people)
        if rotations is not None and slots:
            joints = camera, options.joints
            self._evict_previous_person(people.people, slots, rotations, header.stamp, joints)
            parts.append(joint_transforms(people.people, self._prefixes(slots), rotations, *joints))
        if self._rep155 is not None:
            bodies = self._rep155.publish(people, rotations, header, cropped=options.cropped)
            if bodies is not None and tf and options.rep155_tf:
                parts.append(rep155_transforms(bodies, camera, links=options.rep155_links))
        if parts:
            self._tf_publisher.publish(self._transforms.serialized(parts, header.stamp))

    def _evict_previous_person(
        self,
        people: Sequence[Person],
        slots: Sequence[AssignedSlot],
        rotations: NDArray[Any],
        stamp: Time,
        joints: tuple[str, frozenset[int]],
    ) -> None:
        """Publish joints in reassigned slots once more, a nanosecond before the image's stamp.

        tf2 drops old transforms before it stores a new one, so that two are needed to evict the previous person's.
        """
        new = [index for index, slot in enumerate(slots) if slot.reassigned]
        stamp_ns = RclpyTime.from_msg(stamp).nanoseconds
        if new and stamp_ns:
            prefixes = self._prefixes([slots[index] for index in new])
            part = joint_transforms([people[index] for index in new], prefixes, rotations[new], *joints)
            before = RclpyTime(nanoseconds=stamp_ns - 1).to_msg()
            self._tf_publisher.publish(TransformWriter().serialized([part], before))

    def _rotations(self, people: Sequence[Person]) -> NDArray[Any]:
        """Rotations optical_from_joint `(P, 55, 3, 3)`, from the body model unless the estimator provided them."""
        known = [person.rotations for person in people if person.rotations is not None]
        if len(known) == len(people):
            return np.stack(known)
        return self._body.transforms(SmplxParams.stack([person.params for person in people]))[0]

    def _publisher(self, kind: type[Any], topic: str, depth: int) -> Any:
        publisher = self._node.create_lifecycle_publisher(
            kind,
            topic,
            QoSProfile(depth=depth),
            event_callbacks=publisher_events(self._node, topic),
            qos_overriding_options=overriding_options(self._node, topic, PUBLISHER),
        )
        self._made.callback(self._node.destroy_lifecycle_publisher, publisher)
        return publisher
