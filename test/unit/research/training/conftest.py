"""A few rendered people and a network small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smplerx_ros.backbones import registry
from smplerx_ros.research.synthetic.generate import generate
from smplerx_ros.research.synthetic.scene import SceneOptions

# No dropped paths, so that one process and two compute the same.
SMALLEST = replace(registry.BACKBONES["tiny"], name="smallest", embed_dim=32, depth=1, heads=2, box_channels=8)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sets, `a` of 8 and `b` of 5 people: NAME/humandata.npz beside NAME/images."""
    folder = tmp_path_factory.mktemp("rendered")
    options = SceneOptions(width=96, height=96)
    generate(folder / "a", 8, options, seed=0)
    generate(folder / "b", 5, options, seed=1)
    return folder


@pytest.fixture
def smallest(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a backbone that trains in a blink."""
    monkeypatch.setitem(registry.BACKBONES, SMALLEST.name, SMALLEST)
    return SMALLEST.name


@pytest.fixture
def settings(rendered: Path, smallest: str, tmp_path: Path) -> Callable[..., Any]:
    """Settings of a short training on both sets; arguments change them."""
    pytest.importorskip("torch")
    from smplerx_ros.research.training.settings import DataSettings, SetSettings, Settings

    sets = tuple(SetSettings(name, f"{name}/humandata.npz", name) for name in ("a", "b"))

    def make(**changes: Any) -> Any:
        base = Settings(
            backbone=smallest,
            out=str(tmp_path / "run"),
            data=DataSettings(sets, root=str(rendered), samples_per_epoch=12, workers=0),
            epochs=2,
            batch_size=4,
            learning_rate=1e-3,
            log_every=1,
            device="cpu",
            bundle=False,
        )
        return replace(base, **changes)

    return make
