from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from filters import language
from filters.textview import TextView
from pipeline.sample import prose


@pytest.mark.parametrize("code", sorted(prose.OTHERS))
def test_known_texts(code: str) -> None:
    (best, score), *_ = language.identify(prose.OTHERS[code])
    assert best == code
    assert score > 0.8


@pytest.mark.parametrize(
    "text", ["", "   \n\t ", "\ud800", "\0", "12345", "x" * 2_000_000, "\u200b\u200e", "!\n" * 9999]
)
def test_scraps(text: str) -> None:
    found = language.identify(text)
    assert len(found) <= 3
    assert all(0 <= score <= 1 for _, score in found)
    signals = language.measure(TextView(text))
    assert signals["language"] == (found[0][0] if found else "und")


def test_scores_are_those_of_fasttext_itself() -> None:
    import fasttext

    model = fasttext.load_model(str(language.MODEL_PATH))
    text = prose.OTHERS["es"]
    theirs = [
        (label.removeprefix("__label__"), min(1.0, score))
        for score, label in model.f.predict(text + "\n", 3, 0.0, "strict")
    ]
    assert language.identify(text) == theirs


def test_a_swapped_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "lid.176.ftz"
    other.write_bytes(language.MODEL_PATH.read_bytes()[:-1])
    monkeypatch.setattr(language, "MODEL_PATH", other)
    language._model.cache_clear()
    with pytest.raises(ValueError, match="SHA-256 is .*, expected"):
        language.identify("text")
    monkeypatch.undo()
    language._model.cache_clear()


def test_documents_in_many_languages(shared: Path) -> None:
    """lid.176 on articles of the Universal Declaration: the figure is a floor against breaking it, not a claim."""
    right: dict[str, list[bool]] = defaultdict(list)
    with gzip.open(shared / "langid/udhr.dev.jsonl.gz") as lines:
        for line in lines:
            row = json.loads(line)
            if row["lang"] in ("en", "pt", "es", "fr", "de", "it", "ru", "zh", "ja", "ko", "ar", "pl", "tr"):
                found = language.identify(row["text"])
                right[row["lang"]].append(bool(found) and found[0][0] == row["lang"])
    assert len(right) >= 8
    assert sum(map(sum, right.values())) / sum(map(len, right.values())) > 0.9
