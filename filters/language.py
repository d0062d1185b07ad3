"""Language identification with fastText's lid.176 (Joulin et al. 2016, arXiv:1607.01759).

The compressed model (917 kB, CC BY-SA 3.0, see ``models/lid.176.md``) is shipped and checked by digest.
Its labels are ISO 639-1 codes where one exists and ISO 639-3 otherwise, which is what we report.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from filters.textview import TextView

VERSION = "1"
MODEL_NAME = "lid.176.ftz"
MODEL_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
MODEL_PATH = Path(__file__).parent / "models" / MODEL_NAME

TOP = 3
# The model averages word and n-gram vectors: beyond some thousand words the mean no longer moves, and
# the bound keeps a one-megabyte line linear and cheap.
MAX_CHARS = 50_000


@cache
def _model() -> Any:
    digest = hashlib.sha256(MODEL_PATH.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        raise ValueError(f"{MODEL_PATH}: SHA-256 is {digest}, expected {MODEL_SHA256}; reinstall joeira")
    import fasttext  # heavy: only once a text is to be identified

    fasttext.FastText.eprint = lambda *_: None
    return fasttext.load_model(str(MODEL_PATH))


def identify(text: str, top: int = TOP) -> list[tuple[str, float]]:
    """Name the most likely languages of a text.

    Args:
        text: any string; line breaks count as spaces, the first 50,000 code points are read.
        top: how many languages at most.

    Returns:
        ``(code, probability)`` pairs, most likely first; empty for a text without any letters
        or other known tokens.
    """
    line = " ".join(text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8").split())
    if not line:
        return []
    # Not model.predict: it breaks on NumPy 2 (fasttext 0.9.3).
    found = _model().f.predict(line.replace("\0", " ") + "\n", top, 0.0, "strict")
    return [(label.removeprefix("__label__"), min(1.0, float(score))) for score, label in found]


def measure(view: TextView) -> dict[str, Any]:
    """The language signals of one text.

    Args:
        view: the document.

    Returns:
        ``language`` and ``language_score`` of the best guess (``und`` and 0 where there is none),
        ``language_top`` and ``language_top_scores`` of the best three.
    """
    top = identify(view.text)
    code, score = top[0] if top else ("und", 0.0)
    return {
        "language": code,
        "language_score": score,
        "language_top": [code for code, _ in top],
        "language_top_scores": [score for _, score in top],
    }
