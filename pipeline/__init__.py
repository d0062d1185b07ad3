"""Beam jobs that turn crawls into pretraining shards; the command line is :mod:`pipeline.cli`."""

__version__ = "0.1.0"
