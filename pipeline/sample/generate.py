"""Writes the sample crawl: ``python -m pipeline.sample.generate``.

All of it is invented: hosts under names reserved for examples (RFC 2606, RFC 6761), telephone numbers and
addresses reserved for fiction or documentation, identity numbers with right check digits that belong to
nobody known. The seed is fixed, so the crawl is the same each time; what it contains by design stands in
:data:`PLAN`, which the tests read.
"""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import brotli
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.sample import DIRECTORY, prose

SEED = 20260704
DATE = "2026-07-04T{hour:02d}:{minute:02d}:{second:02d}Z"
Header = tuple[str, str]

# How many pages of each kind there are.
PLAN = {
    "article": 200,
    "exact duplicate": 12,
    "near duplicate": 16,
    "thin": 14,
    "spam": 10,
    "personal data": 10,
    "other language": 16,
    "odd charset": 14,
    "opt-out": 14,
    "not a page": 12,
}


@dataclass
class Page:
    """One capture: where, what, and with which headers."""

    url: str
    body: bytes
    kind: str
    status: str = "200 OK"
    headers: list[Header] = field(default_factory=lambda: [("Content-Type", "text/html; charset=utf-8")])


def _hosts() -> dict[str, list[str]]:
    names = ["oak", "elm", "birch", "cedar", "willow", "maple", "hazel", "rowan", "alder", "aspen"]
    nomes = ["ipe", "jatoba", "cedro", "angico", "aroeira", "embauba", "jequitiba", "pequi", "caju", "mangaba"]
    english = [f"{name}.example" for name in names] + [f"www.{name}-journal.test" for name in names[:8]]
    portuguese = [f"{nome}.example" for nome in nomes] + [f"www.diario-{nome}.test" for nome in nomes[:8]]
    return {
        "en": english,
        "pt": portuguese,
        "other": ["mercado.example", "marche.example", "markt.example", "ichiba.example"],
    }


HOSTS = _hosts()
_ACCENTS = {"en": "“Quoted” — and that’s that.", "pt": "Então até amanhã, às três, no café da praça."}
_FRAME = {
    "en": ("Home", "About us", "Subscribe to our newsletter", "All rights reserved. No cookies were harmed."),
    "pt": (
        "Início",
        "Quem somos",
        "Assine o nosso boletim",
        "Todos os direitos reservados. Nenhum biscoito foi ferido.",
    ),
}


def page_html(
    language: str, title: str, paragraphs: list[str], *, head: str = "", host: str = "", charset: str = "utf-8"
) -> str:
    """An article in its site's frame.

    Args:
        language: for ``lang`` and the frame.
        title: its heading.
        paragraphs: its text.
        head: further elements of the head.
        host: the site's name, shown in the frame.
        charset: what the page declares; empty declares nothing.

    Returns:
        HTML.
    """
    home, about, subscribe, rights = _FRAME.get(language, _FRAME["en"])
    declared = f'<meta charset="{charset}">' if charset else ""
    body = "\n".join(f"<p>{text}</p>" for text in paragraphs)
    return f"""<!doctype html>
<html lang="{language}"><head>{declared}<title>{title}</title>{head}
<style>nav a {{ margin: 1em }}</style></head>
<body><nav><a href="/">{home}</a><a href="/about">{about}</a><a href="/feed">RSS</a></nav>
<main><article><h1>{title}</h1>
{body}
</article></main>
<aside><p>{subscribe}</p></aside>
<footer><p>{host} · {rights}</p></footer>
<script>var page = {{"lang": "{language}"}};</script>
</body></html>
"""


def article(rng: random.Random, language: str, host: str, number: int) -> tuple[str, str, list[str]]:
    """An invented article.

    Args:
        rng: source of chance.
        language: ``en`` or ``pt``.
        host: its site.
        number: makes its address unique.

    Returns:
        URL, title and paragraphs.
    """
    topic = rng.choice(prose.topics(language))
    paragraphs = [prose.paragraph(rng, language, topic, rng.randint(3, 7)) for _ in range(rng.randint(3, 7))]
    title = {"en": f"Notes on {topic}, part {number}", "pt": f"Notas sobre {topic}, parte {number}"}[language]
    return f"https://{host}/{topic.replace('ã', 'a')}/{number}.html", title, paragraphs


def pages(rng: random.Random) -> Iterator[Page]:
    """All captures but robots.txt and the broken ones.

    Args:
        rng: source of chance.

    Yields:
        Pages by kind, in the order of :data:`PLAN`.
    """
    written: list[tuple[str, str, str, list[str]]] = []
    for number in range(PLAN["article"]):
        language = "pt" if number % 2 else "en"
        host = HOSTS[language][number // 2 % len(HOSTS[language])]
        url, title, paragraphs = article(rng, language, host, number)
        written.append((language, url, title, paragraphs))
        yield Page(url, page_html(language, title, paragraphs, host=host).encode(), "article")
    yield from _duplicates(rng, written)
    yield from _thin_and_spam(rng)
    yield from _personal_data(rng)
    yield from _languages_and_charsets(rng)
    yield from _opt_outs(rng)
    yield from _not_pages(rng)


def _duplicates(rng: random.Random, written: list[tuple[str, str, str, list[str]]]) -> Iterator[Page]:
    marks = ("?utm_source=feed", "?sessionid=7f3a", "#comments", "?print=1")
    for number in range(PLAN["exact duplicate"]):
        language, url, title, paragraphs = written[number]
        host = url.split("/")[2]
        body = page_html(language, title, paragraphs, host=host).encode()
        yield Page(url + marks[number % len(marks)], body, "exact duplicate")
    for number in range(PLAN["near duplicate"]):
        language, url, title, paragraphs = written[40 + number]
        mirror = HOSTS[language][(number + 5) % len(HOSTS[language])]
        edited = list(paragraphs)
        words = edited[-1].split()
        edited[-1] = " ".join(words[: -rng.randint(2, 6)]) + "."
        yield Page(
            f"https://{mirror}/mirror/{number}.html",
            page_html(language, title, edited, host=mirror).encode(),
            "near duplicate",
        )


def _thin_and_spam(rng: random.Random) -> Iterator[Page]:
    for number in range(PLAN["thin"]):
        language = rng.choice(("en", "pt"))
        host = rng.choice(HOSTS[language])
        text = {"en": ["Coming soon."], "pt": ["Em breve."]}[language] if number % 3 else []
        yield Page(f"https://{host}/soon/{number}", page_html(language, "Untitled", text, host=host).encode(), "thin")
    for number in range(PLAN["spam"]):
        host = HOSTS["en"][number % 4]
        phrase = rng.choice(("best cheap watches online", "win a free prize now", "compre relógios baratos aqui"))
        body = page_html("en", phrase, [f"{phrase} {phrase.upper()}!!! {phrase}, " * 12] * 4, host=host)
        yield Page(f"https://{host}/deals/{number}.html", body.encode(), "spam")


def _personal_data(rng: random.Random) -> Iterator[Page]:
    lines = {
        "en": "Write to jane.roe{n}@mail.example, call +1 202 555 01{n:02d} or visit 198.51.100.{n}. "
        "Card 4111 1111 1111 1111.",
        "pt": "Escreva para joao.silva{n}@correio.example, ligue para (11) 5555-01{n:02d}. "
        "CPF 111.444.777-35, CNPJ 11.222.333/0001-81.",
    }
    for number in range(PLAN["personal data"]):
        language = "pt" if number % 2 else "en"
        host = rng.choice(HOSTS[language])
        _, title, paragraphs = article(rng, language, host, number)
        contact = lines[language].format(n=10 + number)
        body = page_html(language, title, [*paragraphs, contact], host=host)
        yield Page(f"https://{host}/contact/{number}", body.encode(), "personal data")


def _languages_and_charsets(rng: random.Random) -> Iterator[Page]:
    languages = list(prose.OTHERS)
    for number in range(PLAN["other language"]):
        language = languages[number % len(languages)]
        host = HOSTS["other"][number % 4]
        text = prose.OTHERS[language]
        body = page_html(language, f"{language} {number}", [text, text[::1]], host=host)
        yield Page(f"https://{host}/{language}/{number}", body.encode(), "other language")
    odd = (
        ("pt", "iso-8859-1", "iso-8859-1", ""),  # honest
        ("pt", "windows-1252", "", ""),  # declares nothing
        ("pt", "utf-8", "iso-8859-1", ""),  # the page lies
        ("pt", "utf-8", "", "iso-8859-1"),  # the server lies
        ("ru", "windows-1251", "", ""),
        ("ru", "koi8-r", "koi8-r", ""),
        ("ja", "shift_jis", "shift_jis", ""),
        ("ja", "euc-jp", "", ""),
        ("zh", "gb18030", "gb2312", ""),
        ("zh", "big5", "", "big5"),
        ("el", "iso-8859-7", "iso-8859-7", ""),
        ("de", "iso-8859-15", "", "iso-8859-15"),
        ("en", "utf-16", "", ""),  # byte order mark only
        ("en", "windows-1252", "windows-1252", ""),
    )
    for number, (language, encoding, declared, header) in enumerate(odd):
        host = HOSTS["other"][number % 4]
        known = prose.OTHERS.get(language)
        lines = [known] if known else [*article(rng, language, host, number)[2], _ACCENTS[language]]
        html = page_html(language, f"{encoding} {number}", lines, host=host, charset=declared)
        content_type = "text/html" + (f"; charset={header}" if header else "")
        yield Page(
            f"https://{host}/charset/{number}",
            html.encode(encoding, "xmlcharrefreplace"),
            "odd charset",
            headers=[("Content-Type", content_type)],
        )


def _opt_outs(rng: random.Random) -> Iterator[Page]:
    html: Header = ("Content-Type", "text/html; charset=utf-8")
    outs: tuple[tuple[str, list[Header]], ...] = (
        ("", [html, ("X-Robots-Tag", "noai, noimageai")]),
        ("", [html, ("X-Robots-Tag", "CCBot: noindex")]),
        ("", [html, ("TDM-Reservation", "1"), ("TDM-Policy", "https://oak.example/tdm.json")]),
        ("", [html, ("Content-Usage", "train-ai=n")]),
        ("", [html, ("Content-Signal", "search=yes, ai-train=no")]),
        ("", [html, ("Link", '<https://creativecommons.org/licenses/by/4.0/>; rel="license"')]),
        ("", [html, ("Link", '</license.xml>; rel="license"; type="application/rsl+xml"')]),
        ('<meta name="robots" content="noai">', [html]),
        ('<meta name="robots" content="noindex, nofollow">', [html]),
        ('<meta name="CCBot" content="noindex">', [html]),
        ('<meta name="tdm-reservation" content="1">', [html]),
        ('<link rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">', [html]),
        ('<meta name="robots" content="all">', [html]),
        ('<link rel="license" type="application/rsl+xml" href="/license.xml">', [html]),
    )
    for number, (head, headers) in enumerate(outs[: PLAN["opt-out"]]):
        language = "pt" if number % 2 else "en"
        host = HOSTS[language][number % 6]
        url, title, paragraphs = article(rng, language, host, 900 + number)
        yield Page(
            url, page_html(language, title, paragraphs, head=head, host=host).encode(), "opt-out", headers=headers
        )


def _not_pages(rng: random.Random) -> Iterator[Page]:
    text = page_html("en", "Moved", ["Look elsewhere."]).encode()
    html = [("Content-Type", "text/html")]
    yield Page("https://oak.example/old", text, "not a page", "301 Moved Permanently", [*html, ("Location", "/new")])
    yield Page("https://elm.example/gone", text, "not a page", "404 Not Found", html)
    yield Page("https://elm.example/down", text, "not a page", "503 Service Unavailable", html)
    yield Page(
        "https://oak.example/logo.png",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        "not a page",
        headers=[("Content-Type", "image/png")],
    )
    yield Page("https://oak.example/paper", b"%PDF-1.7\n%" + bytes(64), "not a page", headers=html)
    yield Page(
        "https://elm.example/data.json", b'{"a": 1}', "not a page", headers=[("Content-Type", "application/json")]
    )
    yield Page("https://elm.example/empty", b"", "not a page", headers=html)
    yield Page(
        "https://elm.example/style.css", b"p { margin: 0 }", "not a page", headers=[("Content-Type", "text/css")]
    )
    bodies = (
        ("gzip", _stored_gzip),
        ("br", brotli.compress),
        ("gzip", lambda data: data),
        ("deflate", lambda data: b"\x00\xff" + data),
    )
    for number, (coding, encode) in enumerate(bodies):
        url, title, paragraphs = article(rng, "en", "birch.example", 950 + number)
        body = encode(page_html("en", title, paragraphs, host="birch.example").encode())
        yield Page(url, body, "not a page", headers=[("Content-Type", "text/html"), ("Content-Encoding", coding)])


def _stored_gzip(data: bytes) -> bytes:
    """Gzip without compression: the same bytes from every version of Python and zlib."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=0, mtime=0) as packed:
        packed.write(data)
    return buffer.getvalue()


def policies() -> Iterator[Page]:
    """Captures of robots.txt and its kin.

    Yields:
        One for each host, and the other files where a host has them.
    """
    open_ones = (
        "User-agent: *\nDisallow:\n",
        "User-agent: *\nDisallow: /mirror/\n",
        "\ufeffUser-agent: *\r\nCrawl-delay: 5\r\nDisallow: /contact/\r\n",
        "User-agent: *\nContent-Signal: search=yes, ai-train=yes\nAllow: /\n",
    )
    refusals = {
        5: "User-agent: CCBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        12: "User-agent: GPTBot\nUser-agent: CCBot\nUser-agent: Google-Extended\nDisallow: /\n",
        19: "User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n",
        26: "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n",
    }
    plain = [("Content-Type", "text/plain")]
    for number, host in enumerate(host for group in HOSTS.values() for host in group):
        status, headers = "200 OK", plain
        body = refusals.get(number, open_ones[number % len(open_ones)]).encode()
        if number % 11 == 10:
            status, body = "404 Not Found", b"<html>not here</html>"
        elif number == 15:
            status, headers = "301 Moved Permanently", [*plain, ("Location", "https://oak.example/robots.txt")]
        elif number == 30:
            status = "503 Service Unavailable"
        yield Page(f"https://{host}/robots.txt", body, "robots", status, headers)
    tdmrep = b'[{"location": "/", "tdm-reservation": 1}]'
    yield Page(
        "https://oak.example/.well-known/tdmrep.json", tdmrep, "robots", headers=[("Content-Type", "application/json")]
    )
    yield Page("https://ipe.example/ai.txt", b"User-Agent: *\nDisallow: *.html\n", "robots", headers=plain)


def write(directory: Path) -> None:
    """Write the crawl: two files of pages, the second with broken places, and one of policy captures.

    Args:
        directory: where to.
    """
    rng = random.Random(SEED)
    captures = list(pages(rng))
    rng.shuffle(captures)
    half = len(captures) // 2
    (directory / "sample-00000.warc.gz").write_bytes(_archive(captures[:half], 0))
    broken = _archive(captures[half:], half)
    garbage = b"\x00\x01 this is no gzip member \xff\xfe"
    torn = _archive([captures[0]], 0)
    (directory / "sample-00001.warc.gz").write_bytes(broken + garbage + torn + torn[: len(torn) // 4])
    (directory / "sample-robots.warc.gz").write_bytes(_archive(list(policies()), 0))


def _archive(captures: list[Page], first: int) -> bytes:
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    for number, page in enumerate(captures, start=first):
        http = StatusAndHeaders(
            page.status, [*page.headers, ("Content-Length", str(len(page.body)))], protocol="HTTP/1.1"
        )
        date = DATE.format(hour=number // 3600, minute=number // 60 % 60, second=number % 60)
        record = writer.create_warc_record(
            page.url,
            "response",
            payload=io.BytesIO(page.body),
            http_headers=http,
            warc_headers_dict={
                "WARC-Date": date,
                "WARC-Record-ID": f"<urn:uuid:{random.Random(f'{page.url}{number}').getrandbits(128):032x}>",
            },
        )
        writer.write_record(record)
    return buffer.getvalue()


if __name__ == "__main__":
    write(DIRECTORY)
