"""The package's launch files over stand-ins for `launch`, which comes with a ROS installation only."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Recorded(SimpleNamespace):
    """Stands for any action: keeps what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(args=args, **kwargs)


class DeclareLaunchArgument(Recorded):
    @property
    def name(self) -> str:
        return str(self.args[0])


class LaunchConfiguration(Recorded):
    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


class PackageNotFoundError(KeyError):
    """As ament_index_python raises it."""


def stand_in(patch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins where launch files look."""
    actions = ("IncludeLaunchDescription", "LogInfo", "OpaqueFunction")
    for name, members in {
        "launch": {"LaunchContext": dict, "LaunchDescription": Recorded},
        "launch.actions": {"DeclareLaunchArgument": DeclareLaunchArgument, **dict.fromkeys(actions, Recorded)},
        "launch.launch_description_sources": {"PythonLaunchDescriptionSource": Recorded},
        "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Recorded},
        "ament_index_python": {},
        "ament_index_python.packages": {
            "PackageNotFoundError": PackageNotFoundError,
            "get_package_prefix": lambda package: str(ROOT),
            "get_package_share_directory": lambda package: str(ROOT),
        },
    }.items():
        module = ModuleType(name)
        vars(module).update(members)
        patch.setitem(sys.modules, name, module)
    for variable in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        patch.delenv(variable, raising=False)


def load_launch_file(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_launch", ROOT / "launch" / f"{name}.launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(module: ModuleType) -> dict[str, Recorded]:
    """The launch file's arguments."""
    entities = module.generate_launch_description().args[0]
    return {entity.args[0]: entity for entity in entities if hasattr(entity, "default_value")}


def launched(module: ModuleType, **given: str) -> list[Recorded]:
    """The nodes that it starts with these arguments."""
    context = {name: argument.default_value for name, argument in declared(module).items()} | given
    return list(module._nodes(context))
