"""Constants for modules that must not import OpenCV and SciPy, such as the parameter table and launch files."""

DEFAULT_FOV_DEG = 60.0  # across the longer side, assumed for cameras without calibration; typical of webcams
CROP_WIDTH, CROP_HEIGHT = 192, 256  # pixels; the input size of SMPLer-X and SMPLest-X
