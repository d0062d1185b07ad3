"""robots.txt by RFC 9309: who is addressed, what is allowed, and what is said of use.

Ours, because the standard library's parser is wrong on a quarter of hard decisions on real files, the known libraries
on some (digits in product tokens, prefixes of them), and none reads the rules of use that stand inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from filters.consent.patterns import Pattern, pattern, target

# RFC 9309 §2.5: at least 500 KiB. What a limit cuts in the middle of a line is not read.
LIMIT_BYTES = 500 << 10
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANK = " \t\v\f\0"
_AGENT = "user-agent"
# Misspellings that Google's parser has long read (robotstxt, robots.cc, "kAllowFrequentTypos").
_TYPOS = {
    "useragent": _AGENT,
    "user agent": _AGENT,
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
}
_KNOWN = frozenset({_AGENT, "allow", "disallow", "content-usage", "content-signal", "license"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A line ``Allow`` or ``Disallow``.

    Attributes:
        allow: which.
        pattern: what it is about.
        line: as it is written.
        number: of the line, from 1.
    """

    allow: bool
    pattern: Pattern
    line: str
    number: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line that is no rule of access: of use, or the address of a licence.

    Attributes:
        key: ``content-usage``, ``content-signal`` or ``license``.
        value: what follows the colon.
        number: of the line, from 1.
    """

    key: str
    value: str
    number: int


@dataclass(slots=True, eq=False)
class Group:
    """What is said to some agents; groups of one agent are merged.

    Attributes:
        rules: of access, in order.
        said: everything else.
    """

    rules: list[Rule] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    _prefixes: dict[str, Rule] | None = None
    _lengths: tuple[int, ...] = ()
    _wild: tuple[tuple[int, Callable[[str], bool], Rule], ...] = ()

    def decide(self, path: str) -> Rule | None:
        """The rule for a path: the longest pattern that fits, among equals one that allows.

        Args:
            path: as ``patterns.target`` gives it.

        Returns:
            The rule, or None where none fits (the path is allowed then).
        """
        if self._prefixes is None:
            self._index()
        best: Rule | None = None
        prefixes = self._prefixes or {}
        for length in self._lengths:
            best = prefixes.get(path[:length])
            if best is not None:
                break
        least = -1 if best is None else _rank(best)
        for rank, matches, rule in self._wild:
            if rank <= least:
                break
            if matches(path):
                return rule
        return best

    def _index(self) -> None:
        """Plain beginnings by length, longest first; patterns with wildcards in the order of their rank."""
        prefixes: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.pattern.plain:
                before = prefixes.get(rule.pattern.head)
                if before is None or (rule.allow and not before.allow):
                    prefixes[rule.pattern.head] = rule
        self._lengths = tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True))
        wild = [(_rank(rule), rule.pattern.matches, rule) for rule in self.rules if not rule.pattern.plain]
        self._wild = tuple(sorted(wild, key=lambda found: -found[0]))
        self._prefixes = prefixes


def _rank(rule: Rule) -> int:
    return 2 * len(rule.pattern.text) + rule.allow


@dataclass(frozen=True)
class Robots:
    """A file that was read.

    Attributes:
        groups: by product token in lower case; ``*`` for all others.
        said: lines of use before any group.
        truncated: whether it was longer than is read.
    """

    groups: dict[str, Group]
    said: tuple[Said, ...] = ()
    truncated: bool = False
    _found: dict[tuple[str, ...], Group | None] = field(default_factory=dict, compare=False, repr=False)

    def own(self, agents: Iterable[str]) -> Group | None:
        """What is said to agents by name.

        Args:
            agents: their product tokens; one is enough.

        Returns:
            Their group (of several, that of the first that has one), or None.
        """
        return next((self.groups[name] for agent in agents if (name := token(agent)) in self.groups), None)

    def group(self, agents: Iterable[str]) -> Group | None:
        """What applies to agents: their own group, else that of all.

        Args:
            agents: their product tokens.

        Returns:
            The group, or None where the file says nothing to them.
        """
        return self.own(agents) or self.groups.get("*")

    def decide(self, agents: Sequence[str], url: str) -> tuple[bool, Rule | None]:
        """Whether agents may fetch a URL.

        Args:
            agents: their product tokens.
            url: the URL, or its path.

        Returns:
            The answer, and the rule that decides, if any.
        """
        path = target(url)
        asked = tuple(agents)
        if asked not in self._found:
            self._found[asked] = self.group(asked)
        group = self._found[asked]
        rule = group.decide(path) if group and path != "/robots.txt" else None
        return rule is None or rule.allow, rule


def token(agent: str) -> str:
    """A product token as tokens are compared: whole, digits and all, without a version.

    Args:
        agent: for example ``CCBot`` or ``CCBot/2.0``.

    Returns:
        In lower case.
    """
    return agent.split("/")[0].strip(_BLANK).lower()


def decode(data: bytes) -> tuple[str, bool]:
    """The text of a file of whatever encoding; octets that are no UTF-8 become surrogates and so keep their value.

    Args:
        data: the file.

    Returns:
        Its text without a byte order mark, and whether it was cut at the limit.
    """
    cut = len(data) > LIMIT_BYTES
    data = data[:LIMIT_BYTES]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        # Half a mark is no text either.
        mark = next((mark for mark in (b"\xef\xbb\xbf", b"\xef\xbb", b"\xef") if data.startswith(mark)), b"")
        text = data.removeprefix(mark).decode("utf-8", "surrogateescape")
    if cut:
        ends = [match.end() for match in _LINE_END.finditer(text)]
        text = text[: ends[-1]] if ends else ""
    return text, cut


def parse(content: bytes | str, *, lenient: bool = True) -> Robots:
    """Read a file; whatever it holds, there is an answer.

    Args:
        content: the file, or its text.
        lenient: read also lines without a colon, common misspellings, the first word of an agent's name,
            lists of agents, and ``/dir/index.html`` as ``/dir/``.

    Returns:
        Its groups.
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    text, truncated = decode(data)
    reader = _Reader(lenient)
    for number, line in enumerate(_LINE_END.split(text), 1):
        reader.read(line, number)
    return Robots(reader.groups, tuple(reader.said), truncated)


class _Reader:
    """Reads line by line: a group is one agent or more, then rules."""

    def __init__(self, lenient: bool) -> None:
        self.groups: dict[str, Group] = {}
        self.said: list[Said] = []
        self._lenient = lenient
        self._current: list[Group] = []
        self._open = False  # whether further agents belong to the current group

    def read(self, line: str, number: int) -> None:
        plain = line.split("#", 1)[0].strip(_BLANK)
        if not plain:
            return
        key, value = self._split(plain)
        if key == _AGENT:
            self._address(value)
        elif key in ("allow", "disallow"):
            self._open = False
            self._rule(key == "allow", value, Rule(key == "allow", pattern(value), line.strip(_BLANK), number))
        elif key in _KNOWN:
            # AIPREF's Content-Usage is a rule of its group (draft-ietf-aipref-attach §3); the others are none.
            self._open = self._open and key != "content-usage"
            found = Said(key, value, number)
            for group in self._current:
                group.said.append(found)
            if not self._current:
                self.said.append(found)

    def _split(self, line: str) -> tuple[str, str]:
        key, colon, value = line.partition(":")
        if not colon and self._lenient:
            words = line.split()
            key, value = words if len(words) == 2 else ("", "")
        key = key.strip(_BLANK).lower()
        return _TYPOS.get(key, key) if self._lenient else key, value.strip(_BLANK)

    def _address(self, value: str) -> None:
        if not self._open:
            self._current, self._open = [], True
        names = {token(value)}
        if self._lenient:
            # "Kangaroo Bot" is also written Kangaroo, and some sites list agents with commas.
            names |= {token(part.split()[0]) for part in value.split(",") if part.split()}
        for name in sorted(names):
            group = self.groups.setdefault(name, Group())
            if group not in self._current:
                self._current.append(group)

    def _rule(self, allow: bool, value: str, rule: Rule) -> None:
        if not value:
            return  # an empty pattern matches nothing
        for group in self._current:
            group.rules.append(rule)
            if self._lenient and allow and value.endswith(("/index.html", "/index.htm")):
                directory = value[: value.rindex("/") + 1] + "$"
                group.rules.append(Rule(allow, pattern(directory), rule.line, rule.number))
