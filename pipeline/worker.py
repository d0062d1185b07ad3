"""A worker process of the local runner: Beam's own, without its log lines and tracebacks.

Whatever goes wrong in a worker reaches the driver, which says it in one sentence.
"""

from __future__ import annotations

import logging
import os
import sys

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
