"""Pages that hang, crash or swallow memory, and the pages after them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.config import Extract
from pipeline.sandbox import ExtractionError, Sandbox
from tests.pipeline.warcs import PROSE, page


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox(Extract(timeout_s=2.0))
    yield box
    box.close()


def fails(sandbox: Sandbox, html: str) -> ExtractionError:
    with pytest.raises(ExtractionError) as caught:
        sandbox.extract(html)
    return caught.value


def good(sandbox: Sandbox) -> None:
    assert "The ferry leaves" in sandbox.extract(page(PROSE).decode()).text


def with_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: object, body: str) -> None:
    """Make the child see an engine that does something bad on pages that say so."""
    import os
    import textwrap

    hook = os.path.join(str(tmp_path), "sitecustomize.py")
    with open(hook, "w") as handle:
        handle.write(
            textwrap.dedent(f"""
            import filters.extraction.engine as engine
            good = engine.ENGINES["trafilatura"]
            def bad(tree, options):
                if "evil" in tree.text_content():
                    {body}
                return good(tree, options)
            engine.ENGINES["trafilatura"] = bad
            """)
        )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(3)", "crashed"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("raise RuntimeError('boom')", "exception"),
        ("held = bytearray(1 << 40)", "exception"),
        ("print('noise on standard output'); raise RecursionError", "exception"),
    ],
)
def test_a_bad_page_never_hurts_its_neighbours(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: object, body: str, kind: str
) -> None:
    with_engine(monkeypatch, tmp_path, body)
    good(sandbox)
    began = time.monotonic()
    assert fails(sandbox, page("evil").decode()).kind == kind
    assert time.monotonic() - began < 5
    good(sandbox)


def test_a_page_nested_a_hundred_thousand_deep(sandbox: Sandbox) -> None:
    began = time.monotonic()
    sandbox.extract("<html><body>" + "<div>" * 100_000 + PROSE + "</div>" * 100_000)
    assert time.monotonic() - began < 2
    good(sandbox)


def test_a_page_of_a_million_elements_is_refused_in_time(sandbox: Sandbox) -> None:
    assert sandbox.extract("<html><body>" + "<b>x</b>" * 1_000_000).refused == "max_nodes"
    good(sandbox)


def test_lone_surrogates_go_through(sandbox: Sandbox) -> None:
    assert sandbox.extract(page(PROSE).decode() + "\ud800").refused is None


def test_children_are_replaced_after_a_while() -> None:
    box = Sandbox(Extract(recycle_pages=2))
    seen = set()
    for _ in range(5):
        good(box)
        assert box._child is not None
        seen.add(box._child.pid)
    box.close()
    assert len(seen) == 3


def test_wrong_engine_options_are_told() -> None:
    box = Sandbox(Extract(options={"no_such_option": 1}))
    assert "no_such_option" in str(fails(box, "<p>x</p>"))
