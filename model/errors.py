"""Errors that are said in one sentence."""

from __future__ import annotations


class ModelError(Exception):
    """A run that cannot go on, or a call that makes no sense: says what was found, where, and what was expected."""
