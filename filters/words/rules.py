"""Words and punctuation as separate tokens, for languages that put white space between words.

The conventions are those of spaCy's blank pipelines, because datatrove counts by them and the thresholds of
FineWeb and FineWeb-2 were fitted on those counts: punctuation is cut off at both ends of a chunk, contractions
are divided (``do n't``), abbreviations and addresses stay whole, some signs divide inside. What stands in
``conventions.yaml`` is data; here is how it is applied.

A chunk between white space always gives the same tokens, so each needs to be divided only once.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import regex
import yaml

from filters.words.division import Division

_DATA = Path(__file__).parent / "conventions.yaml"

# Chunks longer than this are nobody's words (data, or script without spaces): divided by one linear pattern.
LONGEST_CHUNK = 256
# Chunks remembered from text to text; the tail of names and numbers in a crawl would fill memory otherwise.
MOST_REMEMBERED = 200_000

_PUNCTUATION = r",:;!?¿؟¡()\[\]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = r"'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_CURRENCY = r"(?:US\$|C\$|A\$|[$£€¥฿₽﷼₠-₿])"
_UNITS = (
    r"(?:km[²³]?|[mdc]m[²³]?|dm[²³]?|mm[²³]?|m[²³]?|ha|µm|nm|yd|in|ft|kg|g|mg|µg|t|lb|oz|m/s|km/h|kmh|mph|hPa|Pa|"
    r"mbar|[mMkKgGtT][bB]|[TGMK%]|км[²³]?|см[²³]?|мм[²³]?|м[²³]?|кг|г|мг|[КкМмГгТт][бБ])"
)
_LOWER = r"\p{Ll}\p{Lo}\p{Lm}"
_UPPER = r"\p{Lu}\p{Lt}\p{Lo}\p{Lm}"
_LETTER = r"\p{L}\p{M}"
_HYPHEN = r"(?:---?|--|—+|[-–~])"
_DOTS = r"\.\.+|…+"

_ADDRESS = regex.compile(
    r"(?:[\w+\-.]{2,64}://)?(?:[^\s@/]{1,256}@)?"
    r"(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[A-Za-z0-9\u00a1-\uffff][A-Za-z0-9\u00a1-\uffff_\-]{0,63}\.)+"
    rf"[{_LOWER}]{{2,63}})(?::\d{{2,5}})?(?:[/?#]\S*)?"
)
_LINEAR = regex.compile(r"[\p{L}\p{M}\p{N}]{1,4096}|[^\p{L}\p{M}\p{N}\s]")
_AROUND = re.compile(r"([(\[“\"]*)(?:([^\W\d_]+)(['’][sS])?|([0-9]+))(\.?[,;:!?)\]”\"]*)")


class Rules:
    """The rules of one language.

    Args:
        language: ISO 639-1 code; a language without conventions of its own gets the common ones.

    Attributes:
        division: the same for arrays of words.
    """

    def __init__(self, language: str) -> None:
        data = _conventions()
        own = data.get(language, {})
        self._special = _special_cases(data["base"], own)
        hyphens = own.get("hyphens", "divided")
        self._divides_hyphens = hyphens == "divided"
        prefixes = [rf"[§%=—–{_PUNCTUATION}{_QUOTES}\p{{So}}]", r"\+(?![0-9])", _DOTS, _CURRENCY]
        suffixes = [
            rf"[—–{_PUNCTUATION}{_QUOTES}\p{{So}}]",
            _DOTS,
            r"['’][sS]",
            r"(?<=[0-9])\+",
            r"(?<=°[FfCcKk])\.",
            rf"(?<=[0-9]){_CURRENCY}",
            rf"(?<=[0-9]){_UNITS}",
            rf"(?<=[{'' if own.get('ordinals') else '0-9'}{_LOWER}%²\-+{_QUOTES}{_PUNCTUATION}])\.",
            rf"(?<=[{_UPPER}][{_UPPER}])\.",
        ]
        infixes = [
            _DOTS,
            r"\p{So}",
            r"(?<=[0-9])[+\-*^](?=[0-9-])",
            rf"(?<=[{_LOWER}{_QUOTES}])\.(?=[{_UPPER}{_QUOTES}])",
            rf"(?<=[{_LETTER}]),(?=[{_LETTER}])",
            rf"(?<=[{_LETTER}0-9])[:<>=/](?=[{_LETTER}])",
        ]
        if hyphens == "divided":
            infixes.append(rf"(?<=[{_LETTER}{'0-9' if language == 'en' else ''}]){_HYPHEN}(?=[{_LETTER}])")
        elif hyphens == "joined":
            infixes.insert(0, r"\w+-\w+(?:-\w+)*")
        if own.get("slashes") == "divided":
            infixes.append(rf"(?<=[{_LETTER}0-9])/(?=[{_LETTER}0-9])")
        prefixes = own.get("prefixes", []) + prefixes
        if own.get("elision"):
            mark = f"[{own['elision']}]"
            infixes.append(rf"(?<=[{_LETTER}]{mark})(?=[{_LETTER}])")
            prefixes.append(rf"[dlnDLN]{mark}(?=[{_LETTER}])")
        self._prefix = regex.compile("|".join(prefixes))
        self._suffix = regex.compile(f"(?:{'|'.join(suffixes)})$")
        self._infix = regex.compile("|".join(infixes))
        self._known: dict[str, tuple[str, ...]] = {}
        special, self._special = self._special, {}
        divided = {word: tuple(self._affixes(word)) for word, parts in special.items() if parts == (word,)}
        self._special = special
        # Signs that rules cut apart and that stand for themselves, such as the smiley in "print(x):)".
        self._reunited = {parts: word for word, parts in divided.items() if len(parts) > 1}
        own_way = [word for word, parts in special.items() if word.isalpha() and len(parts) > 1]
        own_way += [word for word in (*special, *self._reunited.values()) if word[:-1].isalpha()]
        self.division = Division(self.divide, own_way)
        self._reunited_starts = {parts[0] for parts in self._reunited}
        self._most_reunited = max(map(len, self._reunited))

    @property
    def abbreviations(self) -> Collection[str]:
        """What stays whole although it ends with a full stop.

        Returns:
            The chunks, and others that are divided in a way of their own.
        """
        return self._special

    def tokens(self, text: str) -> list[str]:
        """Divide a text.

        Args:
            text: any string.

        Returns:
            Its tokens without white space, in order.
        """
        known = self._known
        if len(known) > MOST_REMEMBERED:
            known.clear()
        found: list[str] = []
        for chunk in text.split():
            parts = known.get(chunk)
            if parts is None:
                parts = known[chunk] = self.divide(chunk)
            found.extend(parts)
        return found

    def divide(self, chunk: str) -> tuple[str, ...]:
        """Divide what stands between white space.

        Args:
            chunk: without white space.

        Returns:
            Its tokens.
        """
        if chunk in self._special:
            return self._special[chunk]
        if len(chunk) > LONGEST_CHUNK:
            return tuple(_LINEAR.findall(chunk))
        if chunk.isalpha() or chunk.isdecimal():
            return (chunk,)
        # Most other chunks are words with a mark or two around them, which needs no rules to see.
        around = _AROUND.fullmatch(chunk)
        if around:
            before, word, genitive, digits, after = around.groups(default="")
            stem = word + genitive or digits
            if "." not in after or stem[-1].islower():
                middle = self._special.get(stem) or ((word, genitive) if genitive else (stem,))
                whole = (*before, *middle, *after)
                return self._reunite(whole) if len(before) > 1 or len(after) > 1 else whole
        if self._divides_hyphens and "-" in chunk and all(map(str.isalpha, parts := chunk.split("-"))):
            return tuple(chain(*((part, "-") for part in parts[:-1]), parts[-1:]))
        return self._reunite(tuple(self._affixes(chunk)))

    def _reunite(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        if len(parts) < 2 or self._reunited_starts.isdisjoint(parts[:-1]):
            return parts
        found: list[str] = []
        at = 0
        while at < len(parts):
            for size in range(min(self._most_reunited, len(parts) - at), 1, -1):
                word = self._reunited.get(parts[at : at + size])
                if word is not None:
                    found.append(word)
                    at += size
                    break
            else:
                found.append(parts[at])
                at += 1
        return tuple(found)

    def _affixes(self, rest: str) -> list[str]:
        """Cut prefixes and suffixes off until none is left or what is left stays as it is."""
        before: list[str] = []
        after: list[str] = []
        while rest and rest not in self._special:
            start = self._prefix.match(rest)
            cut = start.end() if start else 0
            if cut and rest[cut:] in self._special:
                before.append(rest[:cut])
                rest = rest[cut:]
                break
            end = self._suffix.search(rest, cut)
            length = len(rest) - end.start() if end else 0
            if length and rest[:-length] in self._special:
                after.append(rest[-length:])
                rest = rest[:-length]
                break
            if not cut and not length:
                break
            if cut:
                before.append(rest[:cut])
            if length:
                after.append(rest[-length:])
            rest = rest[cut : len(rest) - length]
        return before + self._inside(rest) + after[::-1]

    def _inside(self, rest: str) -> list[str]:
        if not rest:
            return []
        if rest in self._special:
            return list(self._special[rest])
        if rest.isalpha() or _ADDRESS.fullmatch(rest):
            return [rest]
        parts: list[str] = []
        start = 0
        for match in self._infix.finditer(rest):
            if match.start() == 0:
                continue
            parts += [rest[start : match.start()], match.group()]
            start = match.end()
        return [part for part in (*parts, rest[start:]) if part]


@cache
def rules(language: str) -> Rules:
    """The rules of a language, made once.

    Args:
        language: ISO 639-1 code; languages without conventions of their own share the common rules.

    Returns:
        The rules.
    """
    return Rules(language) if language in _conventions() or language == "und" else rules("und")


@cache
def _conventions() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(_DATA.read_text("utf-8"))
    return values


def _special_cases(base: dict[str, Any], own: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    cases: dict[str, tuple[str, ...]] = {word: (word,) for word in base["whole"]}
    cases.update({f"{letter}.": (f"{letter}.",) for letter in base["letters"]})
    for group in own.get("divided", ()):
        for head in group["heads"]:
            for tail in group["tails"]:
                for start in dict.fromkeys((head, head[0].upper() + head[1:])):
                    parts = (start, *tail.split())
                    cases["".join(parts)] = parts
    for word in own.get("undivided", ()):
        cases.pop(word, None)
        cases.pop(word[0].upper() + word[1:], None)
    cases.update({word: (word,) for word in own.get("whole", ())})
    curly = {key.replace("'", "’"): tuple(part.replace("'", "’") for part in parts) for key, parts in cases.items()}
    return {**curly, **cases}
