"""Numbers that are needed where OpenCV and SciPy shall not be imported: by launch files, by the parameter table."""

DEFAULT_FOV_DEG = 60.0  # across the longer side, of cameras without calibration: usual for webcams
CROP_WIDTH, CROP_HEIGHT = 192, 256  # pixels: what SMPLer-X and SMPLest-X take
