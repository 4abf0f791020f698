"""The only place where defaults live: frozen dataclasses, read from and written to YAML. Imports nothing heavy.

`config/robodistill.yaml` holds the values of `BuildConfig` for launch files and for reading; a test keeps them equal.
"""

from robodistill.config.build import (
    BuildConfig as BuildConfig,
)
from robodistill.config.build import (
    ContrastiveConfig as ContrastiveConfig,
)
from robodistill.config.build import (
    DistillConfig as DistillConfig,
)
from robodistill.config.build import (
    FeaturesConfig as FeaturesConfig,
)
from robodistill.config.build import (
    FitConfig as FitConfig,
)
from robodistill.config.build import (
    PartsConfig as PartsConfig,
)
from robodistill.config.build import (
    PolicyConfig as PolicyConfig,
)
from robodistill.config.build import (
    PromptConfig as PromptConfig,
)
from robodistill.config.build import (
    QueryConfig as QueryConfig,
)
from robodistill.config.build import (
    SeedConfig as SeedConfig,
)
from robodistill.config.build import (
    ShapeConfig as ShapeConfig,
)
from robodistill.config.build import (
    UpliftConfig as UpliftConfig,
)
from robodistill.config.files import dump_config as dump_config
from robodistill.config.files import from_dict as from_dict
from robodistill.config.files import load_config as load_config
from robodistill.config.tasks import (
    GraspConfig as GraspConfig,
)
from robodistill.config.tasks import (
    InversionConfig as InversionConfig,
)
from robodistill.config.tasks import (
    TrackingConfig as TrackingConfig,
)
