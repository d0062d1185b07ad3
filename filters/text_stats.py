"""Counts that every report and every threshold on length needs."""

from __future__ import annotations

from filters.textview import TextView

VERSION = "1"
COLUMNS = ("text_chars", "text_bytes", "text_lines", "text_paragraphs", "text_words")


def measure(view: TextView) -> dict[str, int]:
    """Count the parts of one text.

    Args:
        view: the document.

    Returns:
        ``text_chars`` (code points), ``text_bytes`` (UTF-8), ``text_lines`` (not blank),
        ``text_paragraphs`` (between blank lines), ``text_words`` (between white space).
    """
    return {
        "text_chars": len(view.text),
        "text_bytes": len(view.utf8),
        "text_lines": len(view.lines),
        "text_paragraphs": len(view.paragraphs),
        "text_words": len(view.words),
    }
