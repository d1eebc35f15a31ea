"""Training from settings to a bundle, with a progress bar."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.convert import convert

from .distributed import Process
from .settings import Settings
from .snapshots import LAST
from .trainer import Trainer

BUNDLE = "bundle"


def finetune(settings: Settings, process: Process, *, resume: bool = False) -> Path | None:
    """Train a network and convert the last snapshot to a bundle.

    Args:
        settings: The training recipe.
        process: This process of the training.
        resume: Resume from the last snapshot.

    Returns:
        Path of the bundle; None if the settings disable it, or this is not the main process.
    """
    trainer = Trainer(settings, process, resume=resume)
    with tqdm(total=trainer.steps, initial=trainer.step, unit="step", disable=not process.is_main) as bar:

        def show(step: int, steps: int, values: Mapping[str, float]) -> None:
            bar.set_postfix(loss=f"{values['total']:.3f}", refresh=False)
            bar.update(step - bar.n)

        trainer.run(show)
    if not (settings.bundle and process.is_main):
        return None
    out = Path(settings.out)
    shutil.rmtree(out / BUNDLE, ignore_errors=True)
    convert(out / LAST, out / BUNDLE, backbone=get_backbone(settings.backbone))
    return out / BUNDLE
