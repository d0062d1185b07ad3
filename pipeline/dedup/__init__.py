"""Deduplication by address, text, near-duplicates and lines, on packed columns."""
