"""The household objects that scenes are made of: `CATEGORIES[name](rng)` is an `ObjectSpec` of random proportions."""

from collections.abc import Callable

import numpy as np

from robodistill.sim.objects import boxes, desk, food, kitchen, tools, toys, vessels
from robodistill.sim.spec import ObjectSpec

CATEGORIES: dict[str, Callable[[np.random.Generator], ObjectSpec]] = {
    name.removeprefix("make_"): make
    for module in (vessels, kitchen, boxes, tools, desk, food, toys)
    for name, make in vars(module).items()
    if name.startswith("make_")
}
