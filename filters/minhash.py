"""MinHash signatures of word shingles (Broder 1997), compatible with datasketch, and what finds candidates with them.

A signature equals that of ``datasketch.MinHash(num_perm=…, seed=…, scheme="affine64", hashfunc=…)`` with the shingle
hashes below for ``hashfunc``. Words are runs of letters, digits and marks of the text in lower case (NFKC after case
folding), so white space, punctuation, case and composition do not matter; characters of scripts that put no space
between words are words of their own. Numbers are kept unless they are folded: price lists and statutes that differ only
in numbers are then one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import regex
from numpy.typing import NDArray

from filters.words.sequence import Flag, Hashes, Runs, runs

VERSION = "1"

_WORD_CHAR = regex.compile(r"[\w\p{M}]")
_ALONE_CHAR = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}--\p{M}]", regex.VERSION1
)
_WORD = Flag(lambda char: _WORD_CHAR.match(char) is not None)
_ALONE = Flag(lambda char: _ALONE_CHAR.match(char) is not None)
_NUMBER = re.compile(r"\d+")

# Joins the words of a shingle; odd, from the golden ratio like the hash of words.
_JOIN = np.uint64(0xD6E8FEB86659FD93)
# MurmurHash3's finaliser, which datasketch applies first.
_MIX = ((np.uint64(33), np.uint64(0xFF51AFD7ED558CCD)), (np.uint64(33), np.uint64(0xC4CEB9FE1A85EC53)))
# Values computed at once: fewer, and NumPy's calls cost more than its work; more, and they leave the cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What two signatures must share to be compared.

    Attributes:
        bands: stretches of a signature of which one must agree.
        rows: values in each.
        shingle: words in a shingle.
        seed: of the permutations.
        fold_numbers: whether all numbers count as the same.
    """

    bands: int = 14
    rows: int = 8
    shingle: int = 5
    seed: int = 1
    fold_numbers: bool = False

    @property
    def permutations(self) -> int:
        """Values in a signature.

        Returns:
            Bands times rows.
        """
        return self.bands * self.rows

    def chance(self, jaccard: float) -> float:
        """How likely two documents share a band.

        Args:
            jaccard: their similarity.

        Returns:
            The S-curve 1 - (1 - s**rows)**bands.
        """
        return float(1 - (1 - jaccard**self.rows) ** self.bands)


def optimal_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows that make false positives and false negatives together least likely.

    Args:
        threshold: the similarity that is wanted, above 0 and below 1.
        permutations: the most values in a signature.

    Returns:
        Bands and rows, the same as datasketch's ``_optimal_param`` with equal weights.

    Raises:
        ValueError: the threshold is no similarity, or there are no permutations.
    """
    if not 0 < threshold < 1 or permutations < 1:
        raise ValueError(f"expected 0 < threshold < 1 and permutations ≥ 1, found {threshold} and {permutations}")
    nodes, weights = np.polynomial.legendre.leggauss(256)
    below, above = (nodes + 1) / 2 * threshold, threshold + (nodes + 1) / 2 * (1 - threshold)
    best, found = np.inf, (0, 0)
    for bands in range(1, permutations + 1):
        rows = np.arange(1, permutations // bands + 1)[:, None]
        false_positive = ((1 - (1 - below**rows) ** bands) @ weights) * threshold / 2
        false_negative = (((1 - above**rows) ** bands) @ weights) * (1 - threshold) / 2
        errors = (false_positive + false_negative) / 2
        place = int(np.argmin(errors))
        if errors[place] < best:
            best, found = float(errors[place]), (bands, place + 1)
    return found


def fold(text: str) -> str:
    """The form in which words are compared.

    Args:
        text: any string.

    Returns:
        In lower case, composed, with compatible characters made the same.
    """
    return unicodedata.normalize("NFKC", text.casefold())


def words(folded: str) -> Runs:
    """The words of a text.

    Args:
        folded: as :func:`fold` gives it.

    Returns:
        Where they stand, and their hashes.
    """
    return runs(folded, _WORD, _ALONE)


def gram_hashes(hashes: Hashes, size: int) -> Hashes:
    """Hashes of all n-grams.

    Args:
        hashes: those of words.
        size: words in an n-gram.

    Returns:
        One for each, in order; none if there are too few words.
    """
    mixed = _mixed(hashes)
    count = len(mixed) - size + 1
    if count < 1:
        return mixed[:0]
    grams = mixed[:count].copy()
    for place in range(1, size):
        grams *= _JOIN
        grams += mixed[place : place + count]
    return grams


def shingle_hashes(text: str, parameters: Parameters) -> Hashes:
    """Hashes of the distinct shingles of a text.

    Args:
        text: any string.
        parameters: how long shingles are.

    Returns:
        Ascending; none for a text shorter than a shingle.
    """
    folded = fold(text)
    if parameters.fold_numbers:
        folded = _NUMBER.sub("0", folded)
    shingles = gram_hashes(words(folded).hashes, parameters.shingle)
    if not len(shingles):
        return shingles
    shingles.sort()
    first = np.ones(len(shingles), dtype=bool)
    np.not_equal(shingles[1:], shingles[:-1], out=first[1:])
    return shingles[first]


def signature(shingles: Hashes, parameters: Parameters) -> Hashes:
    """The smallest value of each permutation.

    Args:
        shingles: hashes of shingles.
        parameters: how many permutations, and their seed.

    Returns:
        One value for each permutation; none where there are no shingles.
    """
    if not len(shingles):
        return shingles[:0]
    factors, shifts = _permutations(parameters.permutations, parameters.seed)
    mixed = _mixed(shingles)
    found = np.full(parameters.permutations, np.iinfo(np.uint64).max, dtype=np.uint64)
    step = max(1, _BLOCK // min(len(mixed), _BLOCK))
    buffer = np.empty((step, min(len(mixed), _BLOCK)), dtype=np.uint64)
    for start in range(0, len(mixed), _BLOCK):
        block = mixed[start : start + _BLOCK]
        for first in range(0, parameters.permutations, step):
            chosen = slice(first, first + step)
            values = buffer[: len(factors[chosen]), : len(block)]
            np.multiply(factors[chosen, None], block, out=values)
            np.add(values, shifts[chosen, None], out=values)
            np.minimum(found[chosen], np.minimum.reduce(values, axis=1), out=found[chosen])
    return found


def band_hashes(signatures: Hashes, parameters: Parameters) -> Hashes:
    """One hash for each band of each signature.

    Args:
        signatures: D x P values.
        parameters: how a signature is cut.

    Returns:
        D x B hashes; equal bands of equal place have equal hashes, others by chance of 2**-64.
    """
    values = signatures.reshape(-1, parameters.bands, parameters.rows)
    found = np.broadcast_to(np.arange(parameters.bands, dtype=np.uint64), values.shape[:2])
    for row in range(parameters.rows):
        found = _mixed(found * _JOIN + values[:, :, row])
    return found


def jaccard(first: Hashes, second: Hashes) -> float:
    """The similarity of two sets of shingles.

    Args:
        first: distinct hashes.
        second: distinct hashes.

    Returns:
        The size of what they share over that of both together; 0 for two empty sets.
    """
    shared = len(np.intersect1d(first, second, assume_unique=True))
    both = len(first) + len(second) - shared
    return shared / both if both else 0.0


def _mixed(hashes: Hashes) -> Hashes:
    for shift, factor in _MIX:
        hashes = (hashes ^ (hashes >> shift)) * factor
    return hashes ^ (hashes >> _MIX[0][0])


@cache
def _permutations(count: int, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Datasketch's permutations of its scheme ``affine64``."""
    generator = np.random.RandomState(seed)
    factors = generator.randint(0, 1 << 63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return factors, generator.randint(0, 1 << 64, count, dtype=np.uint64)
