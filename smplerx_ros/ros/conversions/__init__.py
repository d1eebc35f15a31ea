"""Conversions between ROS messages and the types of the core."""
