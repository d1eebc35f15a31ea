#!/usr/bin/env python3
"""Print who is nearest in each image: `python3 listener.py` where ROS 2 and smplerx_ros are sourced."""

from contextlib import suppress

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from smplerx_ros.msg import Person, PersonArray

SOURCES = {
    Person.DISTANCE_SOURCE_UNKNOWN: "unknown",
    Person.DISTANCE_SOURCE_ASSUMED_STATURE: "assumed stature",
    Person.DISTANCE_SOURCE_GIVEN_HEIGHT: "given height",
    Person.DISTANCE_SOURCE_MEASURED_STATURE: "measured stature",
    Person.DISTANCE_SOURCE_DEPTH: "depth",
    Person.DISTANCE_SOURCE_GROUND: "ground",
    Person.DISTANCE_SOURCE_CAMERAS: "cameras",
}


def distance(person: Person) -> float:
    """Metres from the header frame's origin (the camera, or that of target_frame) to the pelvis; NaN if not known."""
    position = person.pose.pose.position
    return float(np.linalg.norm([position.x, position.y, position.z]))


def deviation(person: Person) -> float:
    """Standard deviation of this distance in metres, along the ray to the pelvis; 1000 where it is not known."""
    position = person.pose.pose.position
    ray = np.array([position.x, position.y, position.z]) / distance(person)
    return float(np.sqrt(ray @ np.reshape(person.pose.covariance, (6, 6))[:3, :3] @ ray))


def describe_nearest(message: PersonArray) -> str:
    """Id, distance, its standard deviation and what it rests on, of the nearest person."""
    people = [person for person in message.people if np.isfinite(distance(person))]
    if not people:
        return "nobody whose position is known"
    nearest = min(people, key=distance)
    source = SOURCES.get(nearest.distance_source, str(nearest.distance_source))
    return f"{nearest.id}: {distance(nearest):.2f} m +- {deviation(nearest):.2f} m ({source})"


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("people_listener")
    node.create_subscription(
        PersonArray, "/smplerx/people", lambda message: print(describe_nearest(message), flush=True), 5
    )
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


if __name__ == "__main__":
    main()
