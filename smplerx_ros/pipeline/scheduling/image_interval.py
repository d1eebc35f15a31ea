"""The typical interval between a camera's images, which decides how long a gap ends filters and velocities."""

from __future__ import annotations

from collections import deque
from statistics import median_low

_NUM_INTERVALS = 5  # of which the median is taken; a single gap does not change it
_MAX_INTERVALS = 2.5  # without an image; one may be missing


class ImageInterval:
    """Median interval between the stamps of a camera's last images."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._intervals_ns: deque[int] = deque(maxlen=_NUM_INTERVALS)

    def seen(self, stamp_ns: int) -> None:
        """Take in an image's stamp, which is not 0; repeated stamps and steps back in time are not intervals."""
        if self._last_ns is not None and stamp_ns > self._last_ns:
            self._intervals_ns.append(stamp_ns - self._last_ns)
        self._last_ns = stamp_ns

    def max_gap_ns(self, least_ns: int, most_ns: int | None = None) -> int:
        """Longest time without an image after which filters continue, in nanoseconds.

        Args:
            least_ns: The result at usual frame rates.
            most_ns: Upper limit at low frame rates, where it is a multiple of the interval: the first interval may be a
                gap itself.
        """
        usual = median_low(self._intervals_ns) if self._intervals_ns else 0
        gap_ns = max(least_ns, round(_MAX_INTERVALS * usual))
        return gap_ns if most_ns is None else min(gap_ns, most_ns)
