"""The SMPL-X body: joint tree, model files, kinematics and mesh."""
