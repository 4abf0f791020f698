"""Ask a field in Python: where is it, how sure is that, and which Gaussians are it?

python examples/03_ask_a_field.py SCENE.field "red mug"
"""

import sys
from pathlib import Path

from robodistill.config import QueryConfig
from robodistill.field.gaussians import GaussianField
from robodistill.language.query import Querier
from robodistill.teachers.registry import load_text_teacher

field = GaussianField.load(Path(sys.argv[1]))
layer = field.layer()
ask = Querier(field, layer, load_text_teacher(layer.teacher), QueryConfig())
for phrase in sys.argv[2:]:
    found = ask(phrase)
    if found.found:
        x, y, z = found.center
        answer = f"at ({x:.3f}, {y:.3f}, {z:.3f}) m, {len(found.gaussians)} Gaussians, score {found.score:.2f}"
    else:
        answer = f"not found: {found.reason}"
    sys.stdout.write(f"{phrase}: {answer}\n")
