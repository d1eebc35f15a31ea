"""The closed loop's command, shortened until it learns nothing: every part runs and leaves what it shall leave."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from smplerx_ros.research.synthetic.people import random_params
from smplerx_ros.types import PARAM_SIZES
from support.bodies import standin
from support.paths import ROOT

SCRIPT = ROOT / "benchmarks" / "closed_loop.py"


@pytest.fixture
def closed_loop(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("closed_loop", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "closed_loop", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_every_part_runs(closed_loop: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_loop, "HELD_OUT", 4)
    monkeypatch.setattr(closed_loop, "CLIP_FRAMES", 6)
    shortened = ["--set=epochs=1", "--set=data.samples_per_epoch=8", "--set=batch_size=4", "--processes=1"]
    monkeypatch.setattr(sys, "argv", ["closed_loop.py", f"--out={tmp_path}", "--samples=8", *shortened])
    assert closed_loop.main() in (0, 1)
    left = {path.name for path in tmp_path.iterdir()}
    assert {"clip.mp4", "overlay.mp4", "training_curve.png", "trained_overlay.jpg", "closed_loop.md"} <= left
    assert (tmp_path / "evaluation" / "table.md").is_file()
    assert (tmp_path / "run" / "bundle" / "bundle.json").is_file()


def test_mean_pose_of_people_alike_is_theirs(closed_loop: ModuleType) -> None:
    body = standin()
    one = random_params(np.random.default_rng(0))
    people = replace(one, **{name: np.stack([getattr(one, name)] * 2) for name in PARAM_SIZES})
    assert closed_loop.mean_pose_error(body, people, people) < 1e-3
    turned = replace(people, body_pose=people.body_pose + np.eye(1, 63, 50))
    assert closed_loop.mean_pose_error(body, people, turned) > 5


def test_curve_falls_from_left_to_right(closed_loop: ModuleType) -> None:
    picture = closed_loop.curve([0, 50, 100], [600.0, 300.0, 100.0], 200.0).astype(int)
    line = (np.abs(picture - [30, 90, 180]).sum(axis=2) < 30).nonzero()
    first, last = line[0][line[1].argmin()], line[0][line[1].argmax()]
    assert first < last
    assert line[1].max() - line[1].min() > 500
