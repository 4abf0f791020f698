"""`python -m robodistill.cli`."""

import sys

from robodistill.cli import main

sys.exit(main())
