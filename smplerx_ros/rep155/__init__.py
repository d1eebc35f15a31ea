"""REP-155 (ROS4HRI): the human body as its kinematic model, frames and layouts; no ROS in here."""
