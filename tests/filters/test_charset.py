"""Charset detection on encodings of known text, on pages that lie, and on real pages with gold text."""

from __future__ import annotations

import gzip
import html
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.extraction import charset
from pipeline.sample import prose

TEXTS = {
    **prose.OTHERS,
    "pt": "Então até amanhã: às três, no café da praça, com açúcar e limão. Não há pressa, irmã. " * 4,
    "pl": "Zażółć gęślą jaźń. Wczoraj wieczorem poszliśmy nad rzekę, żeby obejrzeć światła miasta. " * 4,
    "ko": "시장은 해가 뜨기 전에 문을 열고 상인들은 조용히 과일을 진열합니다. 그 시간에는 아직 춥습니다. " * 3,
}
CASES = [
    ("pt", "windows-1252"),
    ("de", "iso-8859-15"),
    ("ru", "windows-1251"),
    ("ru", "koi8-r"),
    ("ja", "shift_jis"),
    ("ja", "euc-jp"),
    ("zh", "gb18030"),
    ("zh", "big5"),
    ("ko", "euc-kr"),
    ("pl", "iso-8859-2"),
    ("el", "iso-8859-7"),
]


def page(text: str, declared: str = "") -> str:
    meta = f'<meta charset="{declared}">' if declared else ""
    return f"<html><head>{meta}</head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(("language", "encoding"), CASES)
@pytest.mark.parametrize("declared", ["right", "nothing", "utf-8"])
def test_legacy_pages(language: str, encoding: str, declared: str) -> None:
    said = {"right": encoding, "nothing": "", "utf-8": "utf-8"}[declared]
    text = page(TEXTS[language], said)
    # Two encodings that agree on every byte that occurs are both right.
    assert charset.decode(text.encode(encoding, "xmlcharrefreplace")).text == text.encode(
        encoding, "xmlcharrefreplace"
    ).decode(encoding)


@pytest.mark.parametrize("language", sorted(TEXTS))
@pytest.mark.parametrize(("meta", "header"), [("iso-8859-1", None), ("", "iso-8859-1"), ("gb2312", "shift_jis")])
def test_utf8_that_is_declared_otherwise(language: str, meta: str, header: str | None) -> None:
    text = page(TEXTS[language], meta)
    found = charset.decode(text.encode(), header)
    assert (found.text, found.encoding) == (text, "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_win(encoding: str) -> None:
    text = page(TEXTS["pt"])
    assert charset.decode(text.encode(encoding), "iso-8859-1").text == text


def test_iso_2022_jp_hides_in_ascii() -> None:
    text = page(TEXTS["ja"], "iso-2022-jp")
    assert charset.decode(text.encode("iso-2022-jp")).text == text


def test_a_cyrillic_page_that_claims_latin_1() -> None:
    text = page(TEXTS["ru"], "iso-8859-1")
    found = charset.decode(text.encode("windows-1251", "replace"))
    assert found.encoding == "windows-1251"


def test_utf8_with_a_torn_end_and_one_bad_byte_stays_utf8() -> None:
    body = page(TEXTS["pt"]).encode() + b"\xff" + "ã".encode()[:1]
    assert charset.decode(body, "iso-8859-1").encoding == "utf-8"


def test_few_odd_bytes_in_english_are_windows_1252() -> None:
    found = charset.decode(b"<p>It\x92s \xa35, she said \x97 and left.</p>")
    assert (found.encoding, found.evidence) == ("windows-1252", "default")
    assert "It’s £5, she said — and" in found.text


@given(st.binary(max_size=400), st.sampled_from([None, "utf-8", "big5", "nonsense", "x-mac-cyrillic", "utf-16"]))
def test_any_bytes_decode(body: bytes, declared: str | None) -> None:
    found = charset.decode(body, declared)
    found.text.encode("utf-8")


def test_real_pages_read_as_their_gold_text(shared: Path) -> None:
    """Words beyond ASCII that people saw on legacy pages stand in what we decode."""
    from warcio.archiveiterator import ArchiveIterator

    gold = {}
    with gzip.open(shared / "crawl/gold.dev.jsonl.gz") as lines:
        for line in lines:
            row = json.loads(line)
            words = [word for word in re.findall(r"\w+", row["text"] or "") if not word.isascii()]
            # Some gold files are mojibake themselves.
            if words and not any(mark in row["text"] for mark in ("Ã", "Â", "â€")):
                gold[row["record_id"]] = words
    checked, missing = 0, []
    for path in sorted((shared / "crawl/dev").glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                identifier = record.rec_headers.get_header("WARC-Record-ID")
                if record.rec_type != "response" or identifier not in gold:
                    continue
                body = record.content_stream().read()
                found = charset.decode(body)
                if found.encoding == "utf-8":
                    continue
                checked += 1
                text = html.unescape(found.text)
                if sum(word in text for word in gold[identifier]) < 0.8 * len(gold[identifier]):
                    missing.append((record.rec_headers.get_header("WARC-Target-URI"), found.encoding))
    assert checked >= 20
    assert not missing
