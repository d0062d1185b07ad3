"""Adapters: nothing at first, the same merged, and the same in PEFT."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from model import hf, lora  # noqa: E402
from model.errors import ModelError  # noqa: E402
from model.gpt import GPT  # noqa: E402
from model.tokenizer import Tokenizer  # noqa: E402
from tests.model.conftest import gpt  # noqa: E402

IDS = torch.randint(0, 300, (2, 20), generator=torch.Generator().manual_seed(1))


def trained(rank: int = 4, targets: tuple[str, ...] = lora.TARGETS) -> GPT:
    model = gpt()
    lora.inject(model, rank, 8.0, targets)
    torch.manual_seed(2)
    with torch.no_grad():
        for module in lora.adapters(model).values():
            module.b.normal_(std=0.1)
    return model


def test_at_first_the_model_is_as_it_was() -> None:
    model = gpt()
    with torch.no_grad():
        before = model(IDS)
        names = lora.inject(model, 1, 2.0)
        assert torch.equal(model(IDS), before)
    assert len(names) == 2 * 7
    left = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert left == {f"{name}.{letter}" for name in names for letter in "ab"}


def test_merged_is_the_same() -> None:
    model = trained()
    with torch.no_grad():
        before = model(IDS)
        lora.merge(model)
        assert (model(IDS) - before).abs().max() <= 1e-5
    assert not lora.adapters(model)
    assert (before - gpt()(IDS)).abs().max() > 1e-2


@pytest.mark.parametrize("targets", [lora.TARGETS, ("q_proj", "v_proj")])
def test_peft_loads_what_we_write_and_we_what_it_writes(
    targets: tuple[str, ...], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    transformers = pytest.importorskip("transformers")
    model = trained(targets=targets)
    hf.export(gpt(), tokenizer, tmp_path / "base")
    lora.save(model, tmp_path / "adapter", str(tmp_path / "base"))
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of missing keys
        theirs = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    with torch.no_grad():
        ours = model.logits(model(IDS))
        assert (theirs(IDS).logits - ours).abs().max() <= 1e-5
        theirs.save_pretrained(tmp_path / "theirs")
        back = gpt()
        lora.load(back, tmp_path / "theirs")
        assert (back.logits(back(IDS)) - ours).abs().max() <= 1e-5
        lora.merge(model)
        merged = theirs.merge_and_unload()
        assert (merged(IDS).logits - model.logits(model(IDS))).abs().max() <= 1e-5


def test_adapters_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rank: expected 1 or more"):
        lora.inject(gpt(), 0, 1.0)
    with pytest.raises(ModelError, match="targets: expected some of"):
        lora.inject(gpt(), 1, 1.0, ("nothing",))
    with pytest.raises(ModelError, match="cannot be read"):
        lora.load(gpt(), tmp_path)
    lora.save(trained(), tmp_path)
    with pytest.raises(ModelError, match=r"expected lora_A of model\.layers\.0\.self_attn\.q_proj"):
        lora.load(gpt(width=64), tmp_path)
