"""Small models and corpora, made in memory. Without the extra ``train`` all of these tests skip."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install 'joeira[train]')")

from model.config import ModelConfig  # noqa: E402
from model.gpt import GPT  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402

torch.set_num_threads(2)
WORDS = tuple("o rio corre para o mar e the river runs down to the sea ação é mão coração".split())  # noqa: SIM905


def config(**changes: object) -> ModelConfig:
    values = {
        "vocab_size": 300, "layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "head_dim": 8, "hidden": 48,
        "context": 64, "qk_norm": True, "tied": True,
    }  # fmt: skip
    return ModelConfig(**{**values, **changes})  # type: ignore[arg-type]


def gpt(seed: int = 0, **changes: object) -> GPT:
    torch.manual_seed(seed)
    made = GPT(config(**changes))
    with torch.no_grad():
        for parameter in made.parameters():  # gains that are not all one
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def texts(number: int, seed: int = 0) -> list[str]:
    source = random.Random(seed)
    return [" ".join(source.choices(WORDS, k=source.randrange(5, 60))) + "." for _ in range(number)]


def write_shards(place: Path, number: int, group: int = 20, seed: int = 0) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    rows = texts(number, seed)
    table = pa.table(
        {
            "id": [f"{seed}-{place_}" for place_ in range(number)],
            "text": rows,
            "source": ["a" if place_ % 3 else "b" for place_ in range(number)],
            "language": ["pt" if place_ % 2 else "en" for place_ in range(number)],
        }
    )
    pq.write_table(table, place / "part-00000.parquet", row_group_size=group)
    return place


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(texts(200), 300)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return write_shards(tmp_path / "shards", 400)
