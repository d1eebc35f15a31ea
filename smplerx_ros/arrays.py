"""Type aliases of NumPy arrays."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

RgbImage = NDArray[np.uint8]  # (H, W, 3) RGB

if TYPE_CHECKING:
    FloatArray = NDArray[np.floating[Any]]
    IntArray = NDArray[np.integer[Any]]
else:  # NumPy 1.21 (Ubuntu 22.04) cannot subscript its abstract types at run time
    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
