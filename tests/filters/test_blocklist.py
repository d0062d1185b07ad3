from __future__ import annotations

from pathlib import Path

import pytest

from filters import blocklist
from filters.blocklist import Blocklist, load


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://bad.example/", "domain bad.example"),
        ("http://www.a.b.bad.example:8080/x", "domain bad.example"),
        ("https://notbad.example/", None),
        ("https://bad.example.org/", None),
        ("https://good.example/gallery", "url good.example/gallery"),
        ("https://good.example/gallery/2?x=1", "url good.example/gallery"),
        ("https://good.example/gallery?x=1", "url good.example/gallery"),
        ("https://good.example/galleryworks", None),
        ("https://x.example/a-STRICTLY-b", "strict strictly"),
        ("https://x.example/one_hard.html", "hard hard"),
        ("https://x.example/hardware", None),
        ("https://x.example/soft", None),
        ("https://x.example/soft/soft", None),
        ("https://x.example/soft/mild", "soft mild soft"),
        ("mailto:hard@bad.example", None),
        ("", None),
    ],
)
def test_what_blocks(url: str, reason: str | None) -> None:
    made = Blocklist(
        domains=frozenset({"bad.example"}),
        urls=frozenset({"good.example/gallery"}),
        strict=("strictly",),
        hard=frozenset({"hard"}),
        soft=frozenset({"soft", "mild"}),
    )
    assert made.reason(url) == reason


def test_every_form_is_read(tmp_path: Path) -> None:
    names = (
        write(tmp_path / "plain.txt", "# comment\nWWW.One.example  # why\n\nhttp://two.example/page/\n"),
        write(
            tmp_path / "adblock.txt", "! Title\n||three.example^\n||four.example^$document\n@@||five.example^\n##.ad\n"
        ),
        str(Path(write(tmp_path / "ut1/domains", "six.example\n")).parent),
        write(tmp_path / "own.yaml", "domains: [seven.example]\nhard: [Badword]\nlicence: CC0-1.0\n"),
    )
    write(tmp_path / "ut1/urls", "eight.example/x\n")
    made = load(names)
    assert made.domains == {f"{n}.example" for n in ("one", "three", "four", "six", "seven")}
    assert made.urls == {"two.example/page", "eight.example/x"}
    assert made.reason("https://a.example/badword") == "hard badword"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "good.example\nhttp://\n", r"a.txt line 2: expected an absolute"),
        ("a.yaml", "domain: [x]\n", "found \\['domain'\\]"),
        ("a.yaml", "- x\n", "found list"),
        ("a.yaml", "a: [", "is not YAML"),
        ("empty/other", "x", "as UT1 has them"),
    ],
)
def test_bad_lists_name_the_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = Path(write(tmp_path / name, text))
    with pytest.raises(ValueError, match=message):
        load((str(path.parent if "/" in name else path),))
    with pytest.raises(ValueError, match="cannot be read"):
        load((str(tmp_path / "missing.txt"),))


def test_our_own_list_blocks_what_it_says_and_not_its_neighbours() -> None:
    made = load(("builtin",))
    assert made.reason("https://free-porn.example/") == "hard porn"
    assert made.reason("https://a.example/cheap-viagra-online") == "soft cheap viagra"
    for honest in ("https://essex.example/", "https://sussex.example/sex-education", "https://a.example/free-school"):
        assert made.reason(honest) is None
    assert "licence: CC0-1.0" in blocklist.BUILTIN.read_text()
