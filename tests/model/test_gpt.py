"""The decoder against transformers, closed forms and itself."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from model import hf  # noqa: E402
from model.cache import Cache  # noqa: E402
from model.config import PRESETS, ModelConfig, lecture_params, preset  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.gpt import GPT, rotary, rotate  # noqa: E402
from model.loss import IGNORED, cross_entropy  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from tests.model.conftest import config, gpt  # noqa: E402

IDS = torch.randint(0, 300, (2, 40), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "changes",
    [{}, {"qk_norm": False}, {"tied": False}, {"kv_heads": 4}, {"kv_heads": 1, "qk_norm": False, "tied": False}],
)  # fmt: skip
def test_exports_are_the_same_model_in_transformers(
    changes: dict[str, object], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    ours = gpt(**changes)
    hf.export(ours, tokenizer, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.no_grad():
        difference = (theirs(IDS).logits - ours.logits(ours(IDS))).abs().max()
    assert difference <= 1e-5
    assert type(theirs).__name__ == ("LlamaForCausalLM" if changes.get("qk_norm") is False else "Qwen3ForCausalLM")
    # And back, from what transformers writes.
    theirs.save_pretrained(tmp_path / "theirs")
    back = hf.load(tmp_path / "theirs")
    assert all(torch.equal(one, two) for one, two in zip(back.parameters(), ours.parameters(), strict=True))
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("O rio é azul, não?", "emoji 🌊 e 日本語", "  two  spaces\n\n"):
        assert loaded(text)["input_ids"] == tokenizer.encode(text)


def test_directories_of_other_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelError, match="expected model_type qwen3 or llama, found 'gpt2'"):
        hf.load(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        hf.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", PRESETS)
def test_counts_of_parameters_are_the_actual_ones(name: str) -> None:
    made = preset(name, 1000)
    with torch.device("meta"):
        model = GPT(made)
    assert sum(parameter.numel() for parameter in model.parameters()) == made.params


def test_the_count_of_the_lecture() -> None:
    assert lecture_params(96, 12288) == pytest.approx(175e9, rel=0.01)
    # With an MLP of 4 d without gate, as GPT-3 has it, blocks hold 12 d²; ours with a gate of 8/3 d hold as many.
    made = ModelConfig(vocab_size=10, layers=3, width=384, heads=6, kv_heads=6, head_dim=64, hidden=1024)
    assert made.layers * made.block_params == pytest.approx(lecture_params(3, 384), rel=0.01)


def test_flops_are_those_that_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made = config(width=64, head_dim=16, hidden=128)
    model = GPT(made)
    ids = torch.randint(0, 300, (1, 64))
    with FlopCounterMode(display=False) as counter:
        model.logits(model(ids)).sum().backward()
    # The kernel of attention makes its scores again on the way back, which is work and no part of the count.
    again = 2 * made.layers * made.heads * made.head_dim * 64
    assert counter.get_total_flops() / 64 == made.flops_per_token(64) + again


def test_no_position_sees_what_comes_after() -> None:
    model = gpt()
    with torch.no_grad():
        before = model(IDS)
        changed = IDS.clone()
        changed[:, 25] = (changed[:, 25] + 1) % 300
        after = model(changed)
    assert torch.equal(before[:, :25], after[:, :25])
    assert not torch.equal(before[:, 25:], after[:, 25:])


def test_documents_in_one_row_are_as_if_alone() -> None:
    model = gpt()
    lengths = [7, 20, 1, 12]
    documents = torch.repeat_interleave(torch.arange(4), torch.tensor(lengths))[None].expand(2, -1)
    with torch.no_grad():
        together = model(IDS, documents)
        alone = torch.cat([model(part) for part in IDS.split(lengths, dim=1)], dim=1)
    assert (together - alone).abs().max() <= 1e-5


def test_rotation_depends_on_distance_alone() -> None:
    made = config()
    x = torch.randn(1, 1, 2, 8, dtype=torch.float64)
    scores = []
    for shift in (0, 100, 1000):
        angles = rotary(torch.tensor([[shift, shift + 5]]), made)
        q, k = (rotate(x, *(one.double() for one in angles))[0, 0, place] for place in (0, 1))
        scores.append(float(q @ k))
    assert max(scores) - min(scores) <= 1e-4


def test_gradients_are_those_of_differences() -> None:
    model = gpt(layers=1, width=8, heads=2, kv_heads=1, head_dim=4, hidden=8, vocab_size=12).double()
    ids, targets = torch.randint(0, 12, (2, 6)), torch.randint(0, 12, (2, 6))

    def loss() -> torch.Tensor:
        return F.cross_entropy(model.logits(model(ids)).flatten(0, 1), targets.flatten())

    loss().backward()
    for parameter in model.parameters():
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)  # type: ignore[union-attr]
        for place in range(0, len(flat), max(1, len(flat) // 3)):
            kept = float(flat[place])
            values = []
            for step in (1e-6, -1e-6):
                flat[place] = kept + step
                values.append(float(loss().detach()))
            flat[place] = kept
            assert abs((values[0] - values[1]) / 2e-6 - float(grad[place])) <= 1e-6


def test_the_first_loss_is_that_of_chance() -> None:
    torch.manual_seed(0)
    model = GPT(config(width=64, head_dim=16))
    with torch.no_grad():
        loss = F.cross_entropy(model.logits(model(IDS)).flatten(0, 1), IDS.roll(-1, 1).flatten())
    assert abs(float(loss) - math.log(300)) <= 0.05


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
def test_chunked_loss_is_the_plain_one(rows: int, z_loss: float) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(50, 16, requires_grad=True)
    weight = torch.randn(30, 16, requires_grad=True)
    targets = torch.randint(0, 30, (50,))
    targets[::7] = IGNORED
    logits = hidden @ weight.T
    plain = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
    total = plain + z_loss * (torch.logsumexp(logits, -1).square() * (targets != IGNORED)).sum()
    wanted = torch.autograd.grad(total / 3, (hidden, weight))
    found, loss = cross_entropy(hidden, weight, targets, z_loss=z_loss, rows=rows)
    grads = torch.autograd.grad(found / 3, (hidden, weight))
    assert float(loss) == pytest.approx(float(plain), rel=1e-6)
    assert float(found) == pytest.approx(float(total), rel=1e-6)
    for one, two in zip(grads, wanted, strict=True):
        assert torch.allclose(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 40])
def test_decoding_with_a_cache_is_the_whole_forward(chunk: int) -> None:
    model = gpt()
    padding = torch.tensor([0, 13])
    padded = torch.cat([IDS[:1], torch.cat([torch.zeros(1, 13, dtype=torch.long), IDS[1:, :27]], dim=1)])
    cache = Cache(model.config, padding, 40, torch.float32)
    with torch.no_grad():
        parts = torch.cat([model(part, cache=cache) for part in padded.split(chunk, dim=1)], dim=1)
        assert (parts[0] - model(IDS[:1])[0]).abs().max() <= 1e-5
        assert (parts[1, 13:] - model(IDS[1:, :27])[0]).abs().max() <= 1e-5


def test_configurations_that_make_no_model() -> None:
    with pytest.raises(ModelError, match="no multiple of kv_heads"):
        config(kv_heads=3)
    with pytest.raises(ModelError, match="did you mean 'layers'"):
        preset("tiny", 300, layer=3)
    with pytest.raises(ModelError, match="known: tiny, 15m"):
        preset("huge", 300)
