"""Wall time of the body model's methods on one core.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/body.py [SMPLX_NEUTRAL.npz]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from smplerx_ros.body import load_body
from smplerx_ros.types import PARAM_SIZES, SmplxParams

SECONDS = 1.0  # for which each call is repeated
SPREAD = 0.3  # standard deviation of all parameters (angles in radians)


def random_people(count: int) -> SmplxParams:
    """Draw a batch of bodies in random poses and shapes."""
    rng = np.random.default_rng(0)
    return SmplxParams(**{name: rng.normal(0, SPREAD, (count, size)) for name, size in PARAM_SIZES.items()})


def milliseconds(call: Callable[[], object]) -> np.ndarray:
    """Return the durations of repeated calls, after one warm-up call."""
    call()
    times = []
    stop = time.perf_counter() + SECONDS
    while time.perf_counter() < stop:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return np.array(times) * 1e3


def main() -> None:
    """Run the benchmark for one person and for twenty."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("body_model", nargs="?", help="SMPLX_*.npz [the embedded stand-in]")
    arguments = parser.parse_args()
    start = time.perf_counter()
    body = load_body(arguments.body_model)
    print(f"{body.name}: {len(body.v_template)} vertices, loaded in {time.perf_counter() - start:.2f} s")
    print("call            people  median ms    p95 ms")
    for method in (body.joints, body.extra_joints, body.landmarks137, body.vertices):
        for count in (1, 20):
            params = random_people(count)
            times = milliseconds(lambda method=method, params=params: method(params))
            print(f"{method.__name__:14} {count:7} {np.median(times):10.3f} {np.percentile(times, 95):9.3f}")


if __name__ == "__main__":
    main()
