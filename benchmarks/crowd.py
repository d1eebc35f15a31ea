#!/usr/bin/env python3
"""Tracking in a synthetic crowd: IDF1 and identity switches by number of people, with exact and with noisy boxes.

    python benchmarks/crowd.py [--seconds 20] [--seeds 3] [--out benchmarks/results/crowd.md]

The real estimator runs with a simulated detector and backbone: docs/explanation/tracking.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

FIRST_SEED = 101  # the tracker was tuned on seeds 1 to 3

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test")]

from smplerx_ros.body import load_body  # noqa: E402
from smplerx_ros.pipeline.tracking.tracker import MAX_AGE  # noqa: E402
from support.crowd import make_crowd  # noqa: E402
from support.crowd_tracking import NOISY, TRUE, follow, identity_scores  # noqa: E402


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[2, 4, 6, 8, 10, 12])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-age", type=float, default=MAX_AGE)
    parser.add_argument("--out", type=Path, help="file for the table")
    options = parser.parse_args()
    body = load_body()
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    rows = []
    for people in options.people:
        crowds = [make_crowd(body, people, options.seconds, seed) for seed in seeds]
        for boxes, noise in (("true", TRUE), ("noisy", NOISY)):
            for every in (1, 10):
                scores = []
                for seed, crowd in zip(seeds, crowds, strict=True):
                    answers = follow(
                        crowd, body, noise, seed, detection_interval=every, tracker_max_age=options.max_age
                    )
                    published = [[(person.id, person.box) for person in people] for people in answers]
                    scores.append(identity_scores(crowd, published, options.max_age))
                idf1 = [score["idf1"] for score in scores]
                switches = [round(score["num_switches"]) for score in scores]
                rows.append((people, boxes, every, float(np.mean(idf1)), min(idf1), switches))
                print(*rows[-1], flush=True)
    text = table(rows)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


def table(rows: list[tuple[int, str, int, float, float, list[int]]]) -> str:
    """Format the scores in Markdown."""
    lines = [
        "| people | boxes | detection.interval | IDF1, mean | IDF1, worst | switches |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {n} | {b} | {e} | {m:.3f} | {w:.3f} | {', '.join(map(str, s))} |" for n, b, e, m, w, s in rows]
    for boxes in ("true", "noisy"):
        lines.append(f"| all | {boxes} | | {np.mean([row[3] for row in rows if row[1] == boxes]):.3f} | | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
