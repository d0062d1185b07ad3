from __future__ import annotations

import pytest

from filters.extraction import engine, html
from filters.extraction.engine import Bounds, extract

PAGE = """<!doctype html><html lang="pt-BR"><head><title> Um
 título </title></head><body><nav><a href="/">Início</a></nav><article><p>{}</p></article>
<div class="comments"><p>Comentário de leitor, longo o bastante para contar como texto.</p></div></body></html>"""
TEXT = "A balsa sai da ponte de baixo às sete, e quem se atrasa dá a volta no lago a pé. " * 4


def run(page: str, name: str = "trafilatura", **bounds: int) -> engine.Extracted:
    options = {"include_comments": False} if name == "trafilatura" else {}
    return extract(page, engine=name, options=options, bounds=Bounds(**bounds))


def test_text_is_what_trafilatura_gives() -> None:
    import trafilatura

    page = PAGE.format(TEXT)
    assert run(page).text == trafilatura.extract(page, include_comments=False, deduplicate=False)


def test_title_and_language_are_read_before_the_tree_is_pruned() -> None:
    found = run(PAGE.format(TEXT))
    assert (found.title, found.language_hint) == ("Um título", "pt")


def test_the_same_page_gives_the_same_text_ten_times() -> None:
    assert len({run(PAGE.format(TEXT)).text for _ in range(10)}) == 1


@pytest.mark.parametrize(
    ("page", "bounds", "refused"),
    [
        ("<p>" + "x" * 1000, {"max_chars": 100}, "max_chars"),
        ("<p>x</p>" * 1000, {"max_nodes": 500}, "max_nodes"),
        ("<html><body>" + "<div>" * 60 + "x", {"max_depth": 50}, "max_depth"),
    ],
)
def test_bounds_are_asked_before_the_engine(page: str, bounds: dict[str, int], refused: str) -> None:
    found = run(page, **bounds)
    assert (found.refused, found.text) == (refused, "")


@pytest.mark.parametrize(
    "page", ["", " ", "\0", "<", "<!-- -->", "\ud800<p>x", "plain words", "<?xml?>", "&#0;&#xD800;"]
)
@pytest.mark.parametrize("name", sorted(engine.ENGINES))
def test_scraps_give_some_storable_text(page: str, name: str) -> None:
    run(page, name).text.encode("utf-8")


def test_the_baseline_keeps_the_frame() -> None:
    text = run(PAGE.format(TEXT), "html2txt").text
    assert "Início" in text
    assert "Comentário" in text


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("html2txt", {"a": 1}, "takes no option 'a'; known: none"),
        ("trafilatura", {"deduplicate": True}, "takes no option 'deduplicate'"),
        ("trafilatura", {"favour_recall": True}, "known: .*favor_recall"),
        ("jusText", {}, "unknown engine 'jusText'; known: html2txt, trafilatura"),
    ],
)
def test_unknown_engines_and_options_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.check_options(name, options)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html>", "text/html"),
        (b"\xef\xbb\xbf  <!-- x --> <HTML lang=en>", "text/html"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML"><html>', "text/html"),
        (b'<?xml version="1.0"?><rss><channel>', None),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"some\0bytes", "application/octet-stream"),
        (b"\xff\xfe<\0h\0t\0m\0l\0", None),
        (b"Just words", None),
        (b"", None),
        (b"<!---->" * 140 + b"x", None),  # would not end if comments could be cut in two ways
        (b"<!-- a --><!-- b -->\n<table>", "text/html"),
    ],
)
def test_sniffing(body: bytes, kind: str | None) -> None:
    assert html.sniff(body) == kind


@pytest.mark.parametrize(("text", "cleaned"), [("a\0b", "ab"), ("x\ud800y", "x\ufffdy"), ("😀", "😀"), ("", "")])
def test_clean(text: str, cleaned: str) -> None:
    assert engine.clean(text) == cleaned
