"""``python -m pipeline`` is ``joeira``."""

import sys

from pipeline.cli import main

sys.exit(main())
