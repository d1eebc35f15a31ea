"""Between ROS messages and the types of the core, one message each."""
