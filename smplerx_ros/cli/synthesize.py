"""Render images of random people with ground truth (HumanData), for tests and training.

The body is the embedded stand-in (or --body-model); poses, shapes, clothes, backgrounds, light and cameras are random,
but reproducible by seed. Writes DIR/images and DIR/humandata.npz.
Exit code: 0 done; 2 refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    from smplerx_ros.research.synthetic.scene import SceneOptions

    defaults = SceneOptions()
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    parser.add_argument("--samples", type=int, default=1000, metavar="N", help="images [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the random numbers [%(default)s]")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="number of processes [%(default)s]")
    parser.add_argument("--width", type=int, default=defaults.width, help="of an image, pixels [%(default)s]")
    parser.add_argument("--height", type=int, default=defaults.height, help="of an image, pixels [%(default)s]")
    parser.add_argument("--people", type=int, default=defaults.people, help="at most in an image [%(default)s]")
    parser.add_argument(
        "--turn-deg", type=float, default=defaults.turn_deg, help="largest rotation away from the camera [%(default)g]"
    )
    parser.add_argument(
        "--pose-spread", type=float, default=defaults.pose_spread, help="0 relaxed .. 1 anything [%(default)g]"
    )
    parser.add_argument(
        "--clothes", default=defaults.clothes, help="random, or suit: each limb in its colour [%(default)s]"
    )
    parser.add_argument("--body-model", type=Path, metavar="FILE", help="SMPLX_*.npz [the embedded stand-in]")


def run(arguments: argparse.Namespace) -> int:
    """Render; returns the exit code. Raises SmplerxError if nothing can be rendered."""
    from tqdm import tqdm

    from smplerx_ros.research.synthetic.generate import ANNOTATIONS, generate
    from smplerx_ros.research.synthetic.scene import SceneOptions

    names = ("width", "height", "people", "turn_deg", "pose_spread", "clothes")
    options = SceneOptions(**{name: getattr(arguments, name) for name in names})
    with tqdm(total=arguments.samples, unit="image") as bar:
        data = generate(
            arguments.out,
            arguments.samples,
            options,
            seed=arguments.seed,
            processes=arguments.processes,
            body_model=arguments.body_model,
            progress=bar.update,
        )
    print(f"{arguments.out / ANNOTATIONS}: {len(data)} people in {arguments.samples} images")
    return 0
