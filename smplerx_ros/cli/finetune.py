"""Train a SMPLer-X network, or finetune a published one, as configured by a YAML file.

CONFIG is a file, or the name of a recipe in the package (--list prints them); --set changes its entries:
--set data.root=/data --set checkpoint=smpler_x_h32.pth.tar. On several GPUs: torchrun --nproc-per-node 4 -m smplerx_ros
finetune CONFIG. Leaves snapshots in the published layout, history.jsonl, TensorBoard logs and a bundle in the run's
directory. Needs torch and timm: pip install 'smplerx_ros[train]'.
Exit code: 0 done; 2 refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from smplerx_ros.errors import ConfigError
from smplerx_ros.io.files import file_problem

RECIPES = Path(__file__).parents[1] / "research" / "training" / "recipes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("config", metavar="CONFIG", help="a YAML file or a recipe's name", nargs="?")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change an entry; repeat it")
    parser.add_argument("--resume", action="store_true", help="resume from the run's last snapshot, if there is one")
    parser.add_argument("--list", action="store_true", help="print the recipes and exit")


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code. Raises SmplerxError if training cannot start."""
    if arguments.list:
        print("\n".join(_recipes()))
        return 0
    if arguments.config is None:
        raise ConfigError("CONFIG is missing: a YAML file, or a recipe that --list names")
    try:
        from smplerx_ros.backbones.smpler_x.torch_runtime import select_device
        from smplerx_ros.research.training.distributed import process_group
        from smplerx_ros.research.training.finetune import finetune
    except ImportError as error:
        raise ConfigError(f"training needs torch and timm ({error}): pip install 'smplerx_ros[train]'") from error
    from smplerx_ros.research.training.settings import read_settings

    settings = read_settings(_config(arguments.config), arguments.set)
    with process_group(select_device(settings.device).type) as process:
        bundle = finetune(settings, process, resume=arguments.resume)
    if bundle and process.is_main:
        print(f"use it with backbone:={settings.backbone} weights:={bundle.absolute()}")
    return 0


def _recipes() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def _config(name: str) -> Path:
    """The path of a configuration file or recipe."""
    if name in _recipes():
        return RECIPES / f"{name}.yaml"
    if problem := file_problem(Path(name)):
        raise ConfigError(f"config {name}: {problem}, and no recipe: {', '.join(_recipes())}")
    return Path(name)
