"""How can a robot take hold of what a phrase names? Physics judges the best way, on the table that was simulated.

python examples/05_grasp_by_words.py TABLE TABLE.field "red mug by the handle" [ROBOT]
"""

import sys
from pathlib import Path

from robodistill.errors import HonestNo
from robodistill.pipeline.grasp import grasp_field
from robodistill.pipeline.simulate import simulate

table, field, phrase = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
robot = sys.argv[4] if len(sys.argv) > 4 else "yumi"
motion = field.with_suffix(".lift.json")
try:
    found = grasp_field(field, phrase, robot=robot, trajectory=motion, overwrite=True).grasps
except HonestNo as no:
    sys.exit(str(no))
for grasp in found.grasps[:3]:
    x, y, z = grasp.T_world_grasp[:3, 3]
    sys.stdout.write(f"{grasp.arm} arm at ({x:.3f}, {y:.3f}, {z:.3f}) m, {1000 * grasp.width:.0f} mm wide\n")
verdict = simulate(motion, table, target=phrase).verdict
sys.stdout.write("lifted and held\n" if verdict.success else f"failed: {verdict.reason}\n")
