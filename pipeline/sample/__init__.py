"""The sample crawl that ships: 318 invented pages on 40 invented hosts (see :mod:`pipeline.sample.generate`)."""

from pathlib import Path

DIRECTORY = Path(__file__).parent / "crawl"
