"""Beam jobs that turn crawls into pretraining shards; the command line is :mod:`pipeline.cli`."""

import os

__version__ = "0.1.0"

# Arrow reads this once, when it is first used. Its default allocator keeps what it once had: see pipeline.memory.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
