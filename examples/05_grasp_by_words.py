"""Take hold of what words name: ranked grasps, or why there is none, and the motion of the best one for a robot.

python examples/05_grasp_by_words.py SCENE.field "red mug by the handle" LIFT.json [ROBOT]
"""

import sys
from pathlib import Path

from robodistill.config import GraspConfig, QueryConfig
from robodistill.errors import HonestNo
from robodistill.field.gaussians import GaussianField
from robodistill.grasp.motion import lift_trajectory
from robodistill.language.query import Querier
from robodistill.pipeline.grasp import Grasper
from robodistill.robots.robot import load_robot
from robodistill.teachers.registry import load_text_teacher

field, phrase, out = GaussianField.load(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
name = sys.argv[4] if len(sys.argv) > 4 else "yumi"
robot, layer = load_robot(name), field.layer()
querier = Querier(field, layer, load_text_teacher(layer.teacher), QueryConfig())
grasp = Grasper(querier, robot, GraspConfig())  # once for a field and a robot; then any number of phrases
try:
    found = grasp(phrase)
except HonestNo as no:
    sys.stdout.write(f"no: {no}\n")
    sys.exit(3)
for it in found.grasps.grasps[:3]:
    x, y, z = it.T_world_grasp[:3, 3]
    told = f"{it.arm} arm at ({x:.3f}, {y:.3f}, {z:.3f}) m, closes on {1000 * it.width:.0f} mm, score {it.score:.2f}"
    sys.stdout.write(told + "\n")
best = found.grasps.grasps[0]
lift_trajectory(robot, name, best, {"phrase": phrase}).save(out)
