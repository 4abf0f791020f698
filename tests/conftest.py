"""Set the environment before torch and MuJoCo are loaded: both read it once.

Markers are registered in pyproject.toml.
"""

import os
import signal

# Shells start background jobs with interrupts ignored, and children inherit it; several tests interrupt a child.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Idle OpenMP threads must sleep: with several test processes on few cores, spinning ones cost whole time slices.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# There is no display in a test run; without one MuJoCo's default (GLFW) cannot render.
os.environ.setdefault("MUJOCO_GL", "egl")
