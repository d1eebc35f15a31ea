"""For all tests: a ROS graph of their own on this machine, synthetic checkpoints and their bundles, no deadlines."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support import parity
from support.once import made_once
from support.ros_domain import reserve_domain

# Without one of these, the tests in files that import it are skipped; rosdep has no keys for most of them.
OPTIONAL = ("av", "hypothesis", "motmetrics", "onnx", "onnx_ir", "onnxscript", "pi_heif", "timm", "torch", "viser")

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
DOMAIN = reserve_domain()
os.environ["ROS_DOMAIN_ID"] = str(DOMAIN.number)

if find_spec("hypothesis"):
    from hypothesis import settings

    settings.register_profile("unhurried", deadline=None)  # how busy the machine is says nothing of the code
    settings.load_profile("unhurried")

MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a file of tests that cannot be imported for want of an optional package."""
    report = yield
    if report.failed and report.call is not None and report.call.excinfo is not None:
        missing = report.call.excinfo.value.__cause__
        if isinstance(missing, ModuleNotFoundError) and (missing.name or "").partition(".")[0] in OPTIONAL:
            report.outcome = "skipped"
            report.longrepr = (report.nodeid, 1, f"Skipped: {missing.name} is not installed")
    return report


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """`once(name, make)`: the path that the first process of this run of tests to ask gave to `make`."""
    base = tmp_path_factory.getbasetemp()  # under pytest-xdist a folder of the worker, in one of the run
    shared = os.environ.get("SMPLERX_TEST_FILES") or (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    return lambda name, make: made_once(Path(shared) / name, make)


@pytest.fixture(scope="session")
def s32_checkpoint(once: MakeOnce) -> Path:
    """A synthetic `smpler_x_s32.pth.tar`."""
    pytest.importorskip("torch")
    return once("smpler_x_s32.pth.tar", lambda path: parity.write_checkpoint("s32", path))


@pytest.fixture(scope="session")
def b32_checkpoint(once: MakeOnce) -> Path:
    """A synthetic `smpler_x_b32.pth.tar`."""
    pytest.importorskip("torch")
    return once("smpler_x_b32.pth.tar", lambda path: parity.write_checkpoint("b32", path))


@pytest.fixture(scope="session")
def s32_bundle(s32_checkpoint: Path, once: MakeOnce) -> Path:
    """Its ONNX bundle."""
    return once("s32", lambda path: _convert(s32_checkpoint, path))


@pytest.fixture(scope="session")
def b32_bundle(b32_checkpoint: Path, once: MakeOnce) -> Path:
    """Its ONNX bundle."""
    return once("b32", lambda path: _convert(b32_checkpoint, path))


def _convert(checkpoint: Path, out: Path) -> None:
    from smplerx_ros.backbones.smpler_x.convert import convert

    convert(checkpoint, out)
