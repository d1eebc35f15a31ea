"""Times of the body model on one core.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONPATH=. python benchmarks/body.py [SMPLX_NEUTRAL.npz]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from smplerx_ros.body import load_body
from smplerx_ros.types import PARAM_SIZES, SmplxParams

SECONDS = 1.0  # to repeat each call for
ANGLE = 0.3  # rad, standard deviation


def random_people(count: int) -> SmplxParams:
    """Batch of bodies in random poses and shapes."""
    rng = np.random.default_rng(0)
    return SmplxParams(**{name: rng.normal(0, ANGLE, (count, size)) for name, size in PARAM_SIZES.items()})


def milliseconds(call: Callable[[], object]) -> np.ndarray:
    """Durations of repeated calls, after one to warm up."""
    call()
    times = []
    stop = time.perf_counter() + SECONDS
    while time.perf_counter() < stop:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return np.array(times) * 1e3


def main() -> None:
    """Time the body model's methods for one person and for twenty."""
    start = time.perf_counter()
    body = load_body(sys.argv[1] if len(sys.argv) > 1 else None)
    print(f"{body.name}: {len(body.v_template)} vertices, loaded in {time.perf_counter() - start:.2f} s")
    print("call            people  median ms    p95 ms")
    for method in (body.joints, body.extra_joints, body.landmarks137, body.vertices):
        for count in (1, 20):
            params = random_people(count)
            times = milliseconds(lambda method=method, params=params: method(params))
            print(f"{method.__name__:14} {count:7} {np.median(times):10.3f} {np.percentile(times, 95):9.3f}")


if __name__ == "__main__":
    main()
