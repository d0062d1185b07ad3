"""Byte-level BPE: any text becomes tokens and comes back as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers

from model.errors import ModelError

# Begins every document; what follows it cannot be told from what came before.
BOUNDARY = "<|endoftext|>"
FILE = "tokenizer.json"


class Tokenizer:
    """A trained vocabulary.

    Args:
        backend: of the library ``tokenizers``.
        path: where it came from, for errors.
    """

    def __init__(self, backend: Backend, path: str = "") -> None:
        self.backend = backend
        boundary = backend.token_to_id(BOUNDARY)
        if boundary is None:
            raise ModelError(f"{path or 'tokenizer'}: expected the token {BOUNDARY}, found none")
        self.boundary: int = boundary

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn merges (Sennrich et al. 2016) over bytes (Radford et al. 2019).

        Args:
            texts: what to learn from.
            vocab_size: tokens, the 256 bytes and the boundary among them.

        Returns:
            The tokenizer; the same for the same texts in the same order.

        Raises:
            ModelError: the vocabulary has no room for all bytes.
        """
        if vocab_size < 257:
            raise ModelError(f"vocabulary: expected 257 tokens or more (256 bytes and a boundary), found {vocab_size}")
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[BOUNDARY],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return cls(backend)

    @classmethod
    def load(cls, directory: str | Path) -> Tokenizer:
        """Read a tokenizer.

        Args:
            directory: that holds ``tokenizer.json``.

        Returns:
            The tokenizer.

        Raises:
            ModelError: the file is missing or damaged.
        """
        path = Path(directory) / FILE
        try:
            return cls(Backend.from_str(path.read_text("utf-8")), str(path))
        except OSError as error:
            raise ModelError(f"tokenizer {path}: {error.strerror or error}") from error
        except Exception as error:  # the library raises a bare Exception on bad files
            raise ModelError(f"tokenizer {path}: cannot be read: {error}") from error

    def save(self, directory: str | Path, context: int = 0) -> None:
        """Write it as transformers reads it.

        Args:
            directory: where to.
            context: positions of the model, if it is known.
        """
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        (place / FILE).write_text(self.backend.to_str(), "utf-8")
        described = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOUNDARY,
            "eos_token": BOUNDARY,
            "pad_token": BOUNDARY,
            "clean_up_tokenization_spaces": False,
            **({"model_max_length": context} if context else {}),
        }
        (place / "tokenizer_config.json").write_text(json.dumps(described, indent=1) + "\n")

    @cached_property
    def digest(self) -> str:
        """A digest of everything that makes tokens.

        Returns:
            Hexadecimal SHA-256.
        """
        return hashlib.sha256(str(self.backend.to_str()).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Tokens in the vocabulary.

        Returns:
            Their number.
        """
        return int(self.backend.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without boundary.

        Args:
            text: any string.

        Returns:
            Their ids.
        """
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of several texts, by all cores.

        Args:
            texts: any strings.

        Returns:
            Ids of each.
        """
        found = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens.

        Args:
            ids: tokens; boundaries are left out.

        Returns:
            A string; bytes that are no UTF-8 become U+FFFD.
        """
        return str(self.backend.decode(list(ids), skip_special_tokens=True))

    @cached_property
    def token_bytes(self) -> NDArray[np.int64]:
        """Bytes that each token stands for, from the bytes themselves and not from a decoded string.

        Returns:
            One number a token; 0 for the boundary.
        """
        # The byte-level alphabet has one character a byte.
        lengths = np.zeros(self.size, dtype=np.int64)
        for written, number in self.backend.get_vocab().items():
            lengths[number] = 0 if written == BOUNDARY else len(written)
        return lengths
