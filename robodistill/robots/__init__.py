"""Robots: a model of any URDF, kinematics, inverse kinematics and collision."""
