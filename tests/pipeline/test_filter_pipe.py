from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest

from pipeline.sample import prose
from tests.pipeline.warcs import PROSE, page


def pipe(name: str, *lines: object, options: tuple[str, ...] = ()) -> tuple[int, list[dict[str, object]]]:
    data = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    command = [sys.executable, "-m", "pipeline", "filter", name, *options]
    done = subprocess.run(command, input=data, capture_output=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_language_answers_line_by_line() -> None:
    code, out = pipe(
        "language", {"id": 7, "text": prose.OTHERS["es"]}, {"text": ""}, {"id": None, "text": prose.OTHERS["ja"]}
    )
    assert code == 0
    assert (out[0]["id"], out[0]["language"]) == (7, "es")
    assert out[0]["top"][0] == ["es", out[0]["score"]]  # type: ignore[index]
    assert out[1] == {"language": "und", "score": 0.0, "top": []}
    assert out[2]["id"] is None
    assert out[2]["language"] == "ja"


def test_bad_lines_are_answered_and_the_pipe_goes_on() -> None:
    code, out = pipe(
        "language",
        b"nonsense\n",
        b"[1]\n",
        {"id": "x"},
        {"id": "y", "text": 3},
        b"\xff\xfe\n",
        b"\n",
        {"id": "z", "text": "Bom dia"},
    )
    assert code == 1
    assert [line.get("id") for line in out] == [None, None, "x", "y", None, None, "z"]
    assert all("error" in line for line in out[:6])
    assert "expected a string in 'text'" in str(out[2]["error"])
    assert "language" in out[6]


def test_extract_from_text_and_from_bytes() -> None:
    body = "<html lang='pt'><head><title>Título</title></head>" + page("Amanhã à tarde. " + PROSE * 2).decode()
    encoded = base64.b64encode(body.encode("windows-1252")).decode()
    code, out = pipe(
        "extract",
        {"id": 1, "html": body},
        {"id": 2, "html_b64": encoded},
        {"id": 3, "html_b64": encoded, "content_type": "text/html; charset=windows-1252"},
        {"id": 4, "html_b64": "%%%"},
        {"id": 5},
    )
    assert code == 1
    for line in out[:3]:
        assert "Amanhã à tarde. The ferry" in str(line["text"])
        assert (line["title"], line["language_hint"], line["engine"]) == ("Título", "pt", "trafilatura")
    assert "not Base64" in str(out[3]["error"])
    assert "expected a string in 'html'" in str(out[4]["error"])


def test_engine_and_options_come_from_the_configuration() -> None:
    code, out = pipe(
        "extract",
        {"html": page(PROSE).decode()},
        options=("--set", "extract.engine=html2txt", "--set", "extract.options={}"),
    )
    assert (code, out[0]["engine"]) == (0, "html2txt")


@pytest.mark.parametrize("arguments", [["--set", "extract.engin=x"], ["--set", "extract.engine=x"]])
def test_a_wrong_configuration_exits_2(arguments: list[str]) -> None:
    assert pipe("extract", options=tuple(arguments)) == (2, [])


def test_url_answers_with_the_normal_form_and_what_blocks() -> None:
    code, out = pipe(
        "url", {"id": 1, "url": "HTTP://www.A.example/?utm_id=1#x"}, {"url": "https://porn.example/"}, {"url": "nope"}
    )
    assert code == 1
    assert out[0] == {"id": 1, "normalised": "https://a.example/", "blocked": False}
    assert (out[1]["blocked"], out[1]["reason"]) == (True, "hard porn")
    assert "expected an absolute" in str(out[2]["error"])
