"""REP-155 (ROS4HRI): kinematic model, frames and layouts of the human body; independent of ROS."""
