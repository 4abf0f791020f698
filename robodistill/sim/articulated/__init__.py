"""Objects of rigid parts with joints, filmed while they are moved: `ARTICULATED[name](rng)` is an `Articulated`."""

from collections.abc import Callable

import numpy as np

from robodistill.sim.articulated import hinged, sliding
from robodistill.sim.articulated.spec import Articulated

ARTICULATED: dict[str, Callable[[np.random.Generator], Articulated]] = {
    name.removeprefix("make_"): make
    for module in (hinged, sliding)
    for name, make in vars(module).items()
    if name.startswith("make_")
}
