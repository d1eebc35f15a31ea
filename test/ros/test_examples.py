"""docs/examples: the listeners in Python and C++ say the same of the same people, and run in a graph."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from graph import Graph
from node_process import NodeProcess
from smplerx_ros.msg import Person, PersonArray

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
MAIN = Path(__file__).with_name("nearest_person_main.cpp")
HEADERS_OF = (
    "smplerx_ros", "builtin_interfaces", "geometry_msgs", "sensor_msgs", "std_msgs", "vision_msgs",
    "rcutils",     "rosidl_runtime_c", "rosidl_runtime_cpp", "rosidl_typesupport_interface",
)  # fmt: skip
BUILD_S = 300.0


def person(
    identity: str, position: tuple[float, float, float], along: float = 0.1, source: int = Person.DISTANCE_SOURCE_DEPTH
) -> Person:
    """With a standard deviation of `along` metres along the ray and 0.01 m across it."""
    made = Person(id=identity, distance_source=source)
    point = made.pose.pose.position
    point.x, point.y, point.z = position
    ray = np.array(position) / np.linalg.norm(position)
    covariance = np.full((6, 6), 5.0)  # rotations, and what a wrong row would read
    covariance[:3, :3] = 0.01**2 * np.eye(3) + (along**2 - 0.01**2) * np.outer(ray, ray)
    made.pose.covariance = covariance.ravel()
    return made


UNKNOWN = person("lost", (0.0, 0.0, 1.0))
UNKNOWN.pose.pose.position.z = float("nan")
NEAR = person("kwtb3", (0.0, 0.0, 2.0), 0.2)
ASKEW = person("kwtb4", (3.0, 1.0, -4.0), 0.5, Person.DISTANCE_SOURCE_ASSUMED_STATURE)
NOBODY = "nobody whose position is known"
CASES = {
    "nobody": ([], NOBODY),
    "one": ([NEAR], "kwtb3: 2.00 m +- 0.20 m (depth)"),
    "off the axes": ([ASKEW], "kwtb4: 5.10 m +- 0.50 m (assumed stature)"),
    "near last": ([ASKEW, NEAR], "kwtb3: 2.00 m +- 0.20 m (depth)"),
    "near first": ([NEAR, ASKEW], "kwtb3: 2.00 m +- 0.20 m (depth)"),
    "no position first": ([UNKNOWN, ASKEW, NEAR], "kwtb3: 2.00 m +- 0.20 m (depth)"),
    "no position last": ([ASKEW, UNKNOWN], "kwtb4: 5.10 m +- 0.50 m (assumed stature)"),
    "no position alone": ([UNKNOWN], NOBODY),
    "no variance": ([person("a1", (0.0, 0.0, 9.0), Person.UNKNOWN_VARIANCE**0.5)], "a1: 9.00 m +- 1000.00 m (depth)"),
}
SOURCES = {
    value: name.removeprefix("DISTANCE_SOURCE_").replace("_", " ").lower()
    for name, value in type(Person).__prepare__("Person", ()).items()
    if name.startswith("DISTANCE_SOURCE_")
}
SOURCES[200] = "200"  # of a later version
CASES |= {
    name: ([person("a1", (0.0, 0.0, 1.0), source=value)], f"a1: 1.00 m +- 0.10 m ({name})")
    for value, name in SOURCES.items()
}


def prefix(package: str) -> str:
    try:
        return str(get_package_prefix(package))
    except PackageNotFoundError:
        return ""


def build(command: list[object]) -> None:
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_S
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def python_listener() -> ModuleType:
    spec = importlib.util.spec_from_file_location("listener", EXAMPLES / "listener.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def nearest_person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program around nearest_person.hpp, which needs no rclcpp."""
    program = tmp_path_factory.mktemp("nearest_person") / "nearest_person"
    headers = [f"-isystem{prefix(package)}/include/{package}" for package in HEADERS_OF]
    build(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{EXAMPLES}", *headers, MAIN, "-o", program])
    return program


def test_every_source_has_a_case() -> None:
    assert SOURCES.keys() == {*range(7), 200}


@pytest.mark.parametrize(("people", "expected"), CASES.values(), ids=CASES.keys())
def test_nearest_person_in_python(python_listener: ModuleType, people: list[Person], expected: str) -> None:
    assert python_listener.describe_nearest(PersonArray(people=people)) == expected


@pytest.mark.parametrize(("people", "expected"), CASES.values(), ids=CASES.keys())
def test_nearest_person_in_cpp(nearest_person: Path, people: list[Person], expected: str) -> None:
    words: list[object] = []
    for one in people:
        position = one.pose.pose.position
        words += [one.id, one.distance_source, position.x, position.y, position.z, *one.pose.covariance]
    done = subprocess.run([nearest_person], input=" ".join(map(str, words)), capture_output=True, text=True, check=True)
    assert done.stdout == f"{expected}\n"


def check_listener(graph: Graph, log: Path, command: tuple[str, ...]) -> None:
    """It prints a line for each message and ends on Ctrl-C."""
    publisher = graph.node.create_publisher(PersonArray, "/smplerx/people", 5)
    listener = NodeProcess(log, command=command)
    try:
        own = 1  # the graph listens as well
        graph.spin_until(lambda: publisher.get_subscription_count() > own or not listener.alive())
        for people in ([ASKEW, NEAR], []):
            publisher.publish(PersonArray(people=people))
        listener.wait_for_log(f"kwtb3: 2.00 m +- 0.20 m (depth)\n{NOBODY}\n")
        assert listener.stop()[0] == 0, listener.log
    finally:
        listener.kill()


def test_listener_in_python(graph: Graph, tmp_path: Path) -> None:
    check_listener(graph, tmp_path / "log", (sys.executable, str(EXAMPLES / "listener.py")))


@pytest.mark.skipif(not prefix("rclcpp"), reason="rclcpp is not installed (the wheels do not have it)")
def test_the_folder_builds_and_the_listener_in_cpp_runs(graph: Graph, tmp_path: Path) -> None:
    built, installed = tmp_path / "build", tmp_path / "install"
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    build(["cmake", "-S", EXAMPLES, "-B", built, f"-DCMAKE_INSTALL_PREFIX={installed}", python])
    build(["cmake", "--build", built, "--target", "install"])
    programs = installed / "lib" / "smplerx_people_listener"
    assert os.access(programs / "listener.py", os.X_OK)
    check_listener(graph, tmp_path / "log", (str(programs / "listener"),))
