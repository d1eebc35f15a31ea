"""Types of arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
RgbImage = NDArray[np.uint8]  # (H, W, 3) RGB
