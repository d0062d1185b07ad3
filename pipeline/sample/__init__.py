"""The sample crawl that ships: some 300 invented pages on 40 invented hosts, made by :mod:`pipeline.sample.generate`."""

from pathlib import Path

DIRECTORY = Path(__file__).parent / "crawl"
