"""Tokens, rows and batches: against brute force, and resumed anywhere."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model.data import Batch, Loader, Prefetched, streams_for  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.loss import IGNORED  # noqa: E402
from model.packing import BestFit, Concatenate  # noqa: E402
from model.shards import Shards, is_held_out, write_tokens  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from tests.model.conftest import texts, write_shards  # noqa: E402


@settings(max_examples=50)
@given(st.text())
def test_any_text_comes_back_and_its_bytes_are_counted(tokenizer: Tokenizer, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert int(tokenizer.token_bytes[ids].sum()) == len(text.encode())


def test_the_same_texts_make_the_same_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    again = Tokenizer.train(texts(200), 300)
    assert again.backend.to_str() == tokenizer.backend.to_str()
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path).backend.to_str() == tokenizer.backend.to_str()
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Tokenizer.load(tmp_path)
    with pytest.raises(ModelError, match="expected 257 tokens or more"):
        Tokenizer.train(["a"], 256)


DOCUMENTS = st.lists(st.integers(1, 30), min_size=1, max_size=60)


@given(DOCUMENTS, st.integers(1, 17), st.randoms())
def test_concatenated_rows_are_the_documents_in_order(sizes: list[int], length: int, random: Any) -> None:
    packer = Concatenate(length)
    numbers = iter(range(10**6))
    documents = [np.array([next(numbers) for _ in range(size)], dtype=np.int32) for size in sizes]
    rows = []
    waiting = list(documents)
    while waiting:
        taken = random.randrange(1, 4)
        packer.add(waiting[:taken])
        waiting = waiting[taken:]
        while (row := packer.take()) is not None:
            rows.append(row)
            if random.random() < 0.3:  # resumed anywhere
                state, packer = packer.waiting(), Concatenate(length)
                packer.load(state)
    flat = np.concatenate(documents)
    for number, row in enumerate(rows):
        assert row.tokens.tolist() == flat[number * length : number * length + length + 1].tolist()
    assert len(rows) == max(0, (len(flat) - 1) // length)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 40), min_size=550, max_size=600))
def test_best_fit_keeps_documents_whole(sizes: list[int]) -> None:
    length = 24
    packer = BestFit(length)
    packer.add([np.full(size, number, dtype=np.int32) for number, size in enumerate(sizes)])
    rows = []
    while (row := packer.take()) is not None:
        rows.append(row)
    for row in rows:
        for number in set(row.documents.tolist()) - {-1}:
            (owner,) = set(row.tokens[row.documents == number].tolist())
            own = int((row.documents == number).sum())
            # Whole, or a piece of one that is longer than a row.
            assert own == sizes[owner] or sizes[owner] > length + 1
    assert len(rows) > 0


def test_best_fit_wastes_little() -> None:
    source = np.random.default_rng(1)
    packer = BestFit(2048)
    padding = rows = 0
    for _ in range(40):
        sizes = np.clip(source.lognormal(6, 1, 400), 10, 2000).astype(int)
        packer.add([np.zeros(size, dtype=np.int32) for size in sizes])
        while (row := packer.take()) is not None:
            padding += int((row.documents < 0).sum())
            rows += 1
    assert padding / (rows * 2049) <= 0.005


def loader(shards: Shards, tokenizer: Tokenizer, streams: int = 4, **changes: Any) -> Loader:
    values = {"rows": 8, "length": 32, "packing": "concatenate", "seed": 1, "streams": streams}
    return Loader(shards, tokenizer, **{**values, **changes})


def equal(one: Batch, two: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("ids", "targets", "documents"))


@pytest.mark.parametrize("packing", ["concatenate", "best_fit"])
@pytest.mark.parametrize("stop", [1, 7, 60])
def test_resumed_batches_are_those_of_a_run_that_was_not_stopped(
    shards: Path, tokenizer: Tokenizer, packing: str, stop: int
) -> None:
    """400 documents make some 90 rows an epoch: the last stop is many epochs later."""
    opened = Shards(shards)
    whole = loader(opened, tokenizer, packing=packing)
    expected = [whole.step() for _ in range(stop + 20)]
    first = loader(opened, tokenizer, packing=packing)
    for _ in range(stop):
        first.step()
    second = loader(opened, tokenizer, packing=packing)
    second.load(first.state())
    assert all(equal(second.step(), batch) for batch in expected[stop:])


def test_fewer_or_more_processes_go_on_with_the_same_rows(shards: Path, tokenizer: Tokenizer) -> None:
    opened = Shards(shards)
    alone = loader(opened, tokenizer)
    before = [alone.step() for _ in range(3)]
    state = alone.state()
    following = [alone.step() for _ in range(3)]
    for world in (2, 4):
        parts = [loader(opened, tokenizer, rank=rank, world=world) for rank in range(world)]
        for step, batch in enumerate(before + following):
            if step == 3:
                joined = {key: value for part in parts for key, value in part.state().items()}
                assert joined == state
                parts = [loader(opened, tokenizer, rank=rank, world=world) for rank in range(world)]
                for part in parts:
                    part.load(state)
            rows = [part.step() for part in parts]
            found = sorted(row.tolist() for part in rows for row in part.ids)
            assert found == sorted(row.tolist() for row in batch.ids)


def test_an_epoch_is_every_document_once(shards: Path, tokenizer: Tokenizer) -> None:
    opened = Shards(shards)
    stream = loader(opened, tokenizer, streams=1, rows=1)._streams[0]
    seen: Counter[str] = Counter()
    while stream._epoch == 0:
        seen.update(tokenizer.decode(ids.tolist()) for ids in stream._more())
    wanted = Counter(document.text for document in opened.documents(held_out=False))
    assert seen == wanted
    assert sum(wanted.values()) < opened.rows


@pytest.mark.parametrize("packing", ["concatenate", "best_fit"])
def test_no_target_crosses_into_another_document(shards: Path, tokenizer: Tokenizer, packing: str) -> None:
    batches = loader(Shards(shards), tokenizer, packing=packing)
    for _ in range(10):
        batch = batches.step()
        counted = batch.targets != IGNORED
        assert not (batch.targets[counted] == tokenizer.boundary).any()
        inner = counted[:, :-1]
        assert (batch.targets[:, :-1][inner] == batch.ids[:, 1:][inner]).all()
        assert (batch.documents[:, :-1][inner] == batch.documents[:, 1:][inner]).all()


def test_batches_made_ahead_are_the_same_and_so_is_the_state(shards: Path, tokenizer: Tokenizer) -> None:
    opened = Shards(shards)
    plain = loader(opened, tokenizer)
    ahead = Prefetched(loader(opened, tokenizer))
    try:
        for _ in range(5):
            assert equal(ahead.next(), plain.step())
            assert ahead.state() == plain.state()
    finally:
        ahead.close()


def test_shards_that_cannot_be_trained_on(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(ModelError, match="no shards"):
        Shards(tmp_path)
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(ModelError, match="expected a column 'text', found body"):
        Shards(tmp_path)
    (tmp_path / "other.parquet").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read as Parquet"):
        Shards(tmp_path)
    pq.write_table(pa.table({"text": ["", ""]}), tmp_path / "other.parquet")
    with pytest.raises(ModelError, match="no document with text"):
        loader(Shards(tmp_path), tokenizer, streams=1)
    few = Shards(write_shards(tmp_path / "few", 30, group=20))
    with pytest.raises(ModelError, match="2 row groups are fewer than 4 processes"):
        streams_for(few, 8, 4)
    assert streams_for(few, 8, 2) == 2


def test_shards_with_tokens_give_the_same_batches(shards: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    opened = Shards(shards)
    total = write_tokens(opened, tokenizer, tmp_path / "tokens")
    ready = Shards(tmp_path / "tokens")
    every = [document for group in range(len(ready.groups)) for document in ready.read(group)]
    assert total == sum(len(tokenizer.encode(document.text)) for document in every)
    plain, quick = loader(opened, tokenizer), loader(ready, tokenizer)
    assert all(equal(plain.step(), quick.step()) for _ in range(30))
    with pytest.raises(ModelError, match="tokens of another tokenizer"):
        loader(ready, Tokenizer.train(texts(50), 280))
    shutil.copy(shards / "part-00000.parquet", tmp_path / "tokens/part-00001.parquet")
    with pytest.raises(ModelError, match="some shards hold tokens and others do not"):
        Shards(tmp_path / "tokens")


def test_a_mixture_has_the_shares_that_were_asked_for(shards: Path, tokenizer: Tokenizer) -> None:
    """Two thirds of the documents are of source a: asked for equal shares, those of b are read twice."""
    opened = Shards(shards)
    sources = {document.text: document.source for document in opened.documents(held_out=False)}
    stream = loader(opened, tokenizer, streams=1, rows=1, mixture="a=1,b=1")._streams[0]
    seen: Counter[str] = Counter()
    for _ in range(200):
        seen.update(sources[tokenizer.decode(ids.tolist())] for ids in stream._more())
    assert seen["b"] / seen.total() == pytest.approx(0.5, abs=0.02)
    alone = loader(opened, tokenizer, streams=1, rows=1, mixture="b=3")._streams[0]
    assert {sources[tokenizer.decode(ids.tolist())] for ids in alone._more()} == {"b"}
    for written, message in (
        ("c=1", "no document is of source 'c'; sources are a, b"),
        ("a", "expected source=weight"),
        ("a=-1", "expected source=weight"),
    ):
        with pytest.raises(ModelError, match=message):
            loader(opened, tokenizer, mixture=written)


def test_a_fixed_share_is_held_out() -> None:
    held = [number for number in range(20_000) if is_held_out(str(number))]
    assert 300 < len(held) < 500
