"""Set the environment before torch and MuJoCo are loaded: both read it once.

Markers are registered in pyproject.toml.
"""

import os

# Idle OpenMP threads must sleep: with several test processes on few cores, spinning ones cost whole time slices.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# There is no display in a test run; without one MuJoCo's default (GLFW) cannot render.
os.environ.setdefault("MUJOCO_GL", "egl")
