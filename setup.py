"""Entry point of setuptools for `pip install .`: the core and the command line, for use without ROS.

colcon does not use it: package.xml names ament_cmake, and CMakeLists.txt installs the same modules beside the
generated messages. Everything is declared in pyproject.toml.
"""

from setuptools import setup

setup()
