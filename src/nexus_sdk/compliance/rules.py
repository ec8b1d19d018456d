"""Rules and packs of rules: the values, and how they are read from YAML or from the policy's own
words.

What a rule finds is decided in three steps: one pass over the text says which expressions matched,
`re` confirms and gives the span, then boundary, validator, entropy and context decide. A *number
rule* has no expression: it is one reading of the digit runs that `numbers.CANDIDATE` finds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from nexus_sdk.compliance.entropy import MAX_BITS
from nexus_sdk.compliance.expressions import examine
from nexus_sdk.compliance.validators import VALIDATORS
from nexus_sdk.errors import BadPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

type Severity = Literal["hard", "soft", "warn"]
type Boundary = Literal["word", "digit", "none"]

BUILT_IN = ("nexus/pii", "nexus/secrets")
"""Names of the packs that come with the library: `packs/<last part>.yaml`."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One thing to find. Equal only to itself, so that sets of rules are cheap keys.

    `expression`: empty for a number rule; its one capture group, if any, is the value. `boundary`:
    the match may not touch [A-Za-z0-9_] (word), [0-9] (digit). `entropy`: least Shannon bits per
    character, 0 for off. `context`: lower case; near one of them the rule is surer, or with
    `context_required` only there sure enough. `label`: the placeholder's type name. `digits`:
    counts of digits of a number rule; `shape`: what its raw text must match in full. `literals`:
    lower-case, one of them is in every lower-cased match; `max_length`: characters, None without
    bound (both derived).
    """

    id: str
    pack: str = "own"
    category: str = "custom"
    severity: Severity = "soft"
    description: str = ""
    source: str = ""
    expression: str = ""
    ignore_case: bool = False
    boundary: Boundary = "word"
    validator: str = ""
    entropy: float = 0.0
    context: tuple[str, ...] = ()
    context_required: bool = False
    label: str = "CUSTOM"
    digits: tuple[int, ...] = ()
    shape: str = ""
    literals: tuple[str, ...] = ()
    max_length: int | None = None
    examples: tuple[str, ...] = field(default=(), repr=False)
    counterexamples: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    name: str
    version: str
    maintainer: str
    description: str
    licence: str
    rules: tuple[Rule, ...]


class Options(TypedDict, total=False):
    """What a rule of the policy's own may say besides what it looks for. `where`: the file, for
    messages."""

    ignore_case: bool
    boundary: Boundary
    category: str
    severity: Severity
    description: str
    where: str


# ---- reading -------------------------------------------------------------------------------------


@cache
def built_in(name: str) -> Pack:
    """The pack of that name of `BUILT_IN`. Raises BadPolicy when there is none."""
    if name not in BUILT_IN:
        raise BadPolicy([f"pack {name!r} is not built in; known: {', '.join(BUILT_IN)}"])
    file = files("nexus_sdk.compliance") / "packs" / f"{name.rpartition('/')[2]}.yaml"
    return load_pack(file.read_text(encoding="utf-8"), f"{name} (built in)", examples_required=True)


def load_pack(text: str, where: str, *, examples_required: bool = False) -> Pack:
    """The pack written as YAML in `text`; `where` names it in messages.

    A top-level `defaults` holds fields that its rules share. An example may be a list of parts,
    which are joined: so that a file of invented secrets does not look like a leak. Raises BadPolicy
    with every problem.
    """
    document = _parse_yaml(text, where)
    problems = [
        f"{where}: {key}: unknown field" for key in sorted(map(str, document.keys() - _PACK_FIELDS))
    ]
    head = {name: str(document.get(name, "")) for name in _HEAD}
    problems += [f"{where}: {name}: missing" for name in ("name", "version") if not head[name]]
    defaults, entries = document.get("defaults") or {}, document.get("rules")
    if not isinstance(entries, list) or not entries or not isinstance(defaults, dict):
        raise BadPolicy(
            [
                *problems,
                f"{where}: rules: a list of rules, and optionally a mapping `defaults`, is needed",
            ]
        )
    rules: list[Rule] = []
    for index, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            problems.append(f"{where}: rule {index}: a mapping is needed")
            continue
        reader = _Reader(defaults | entry, f"{where}: rule {entry.get('id', index)}")
        rule = reader.rule(head["name"])
        if examples_required and not rule.examples:
            reader.complain("examples", "missing")
        problems += reader.problems
        rules.append(rule)
    ids = [rule.id for rule in rules]
    problems += [
        f"{where}: rule {name}: id: used twice"
        for name in sorted({i for i in ids if ids.count(i) > 1})
    ]
    if problems:
        raise BadPolicy(problems)
    return Pack(**head, rules=tuple(rules))


def rule_from_expression(rule_id: str, expression: str, **options: Unpack[Options]) -> Rule:
    """A rule of the policy's own. Raises BadPolicy with every reason why it cannot be one."""
    where = options.pop("where", "policy")
    reader = _Reader(
        {"id": rule_id, "expression": expression, "label": _label_of(rule_id), **options},
        f"{where}: rule {rule_id}",
    )
    rule = reader.rule("own")
    if reader.problems:
        raise BadPolicy(reader.problems)
    return rule


def rule_from_words(rule_id: str, words: Sequence[str], **options: Unpack[Options]) -> Rule:
    """A rule that finds any of `words` or phrases; white space in a phrase matches any, up to eight
    characters.

    Raises BadPolicy as `rule_from_expression` does, also when a word is empty.
    """
    ignore_case = options.get("ignore_case", True)
    if not words or not all(word.strip() for word in words):
        where = options.get("where", "policy")
        raise BadPolicy([f"{where}: rule {rule_id}: words: at least one is needed, none empty"])
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    ways = "|".join(_words_expression(word, ignore_case=ignore_case) for word in longest_first)
    options["ignore_case"] = ignore_case
    return rule_from_expression(rule_id, f"(?:{ways})", **options)


def _words_expression(word: str, *, ignore_case: bool) -> str:
    """Engines fold the case of ASCII only; other letters are spelled out in both cases."""

    def char_expression(char: str) -> str:
        if char.isascii() or not ignore_case:
            return re.escape(char)
        ways = sorted({char, char.lower(), char.upper()})
        return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"

    return r"\s{1,8}".join("".join(map(char_expression, part)) for part in word.split())


def _label_of(rule_id: str) -> str:
    return re.sub(r"[^A-Z]+", "_", rule_id.upper()).strip("_") or "CUSTOM"


def _parse_yaml(text: str, where: str) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)  # noqa: S506  a safe loader, in C where there is one
    except yaml.YAMLError as err:
        raise BadPolicy([f"{where}: not YAML: {err}"]) from None
    if not isinstance(document, dict):
        raise BadPolicy([f"{where}: a mapping with `name`, `version` and `rules` is needed"])
    return document


_HEAD = ("name", "version", "maintainer", "description", "licence")
_PACK_FIELDS = {*_HEAD, "defaults", "rules"}
_DERIVED = {"pack", "literals", "max_length"}
_RULE_FIELDS = {f.name for f in fields(Rule)} - _DERIVED


def _strings(value: object) -> tuple[str, ...]:
    """A list of strings; a list inside of it is the parts of one string."""
    if not isinstance(value, list):
        raise TypeError
    return tuple("".join(item) if isinstance(item, list) else _checked(item, str) for item in value)


def _checked[T](value: object, kind: type[T]) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    return value


_READ: Mapping[type, tuple[Callable[[Any], object], str]] = {
    str: (lambda value: _checked(value, str), "a string is needed"),
    bool: (lambda value: _checked(value, bool), "true or false is needed"),
    float: (
        lambda value: float(value) if isinstance(value, int) else _checked(value, float),
        "a number is needed",
    ),
    tuple: (_strings, "a list of strings is needed"),
    int: (
        lambda value: tuple(_checked(item, int) for item in _checked(value, list)),
        "a list of numbers is needed",
    ),
}
_KIND_OF: Mapping[str, type] = {
    "ignore_case": bool, "context_required": bool, "entropy": float, "digits": int,
    "context": tuple, "examples": tuple, "counterexamples": tuple,
}  # fmt: skip


def _one_of(*allowed: str) -> tuple[str, str]:
    return "|".join(map(re.escape, allowed)), "one of " + ", ".join(filter(None, allowed))


# Field, what its text must match, and how to say so.
_PATTERNS: Mapping[str, tuple[str, str]] = {
    "id": (r"[a-z0-9][a-z0-9._-]{0,63}", "up to 64 of a-z, 0-9, `.`, `_` and `-` are needed"),
    "label": (r"[A-Z][A-Z_]{0,39}", "up to 40 of A-Z and `_` are needed"),
    "severity": _one_of("hard", "soft", "warn"),
    "boundary": _one_of("word", "digit", "none"),
    "validator": _one_of("", *sorted(VALIDATORS)),
}


class _Reader:
    """Reads one rule and notes everything that is wrong with it. The rule is meant only when
    `problems` is empty."""

    def __init__(self, raw: Mapping[str, object], where: str) -> None:
        self._raw = raw
        self._where = where
        self.problems: list[str] = []

    def complain(self, name: str, reason: str) -> None:
        self.problems.append(f"{self._where}: {name}: {reason}")

    def rule(self, pack: str) -> Rule:
        values = self._values()
        for name, (pattern, reason) in _PATTERNS.items():
            if name in values and not re.fullmatch(pattern, values[name]):
                self.complain(name, reason)
        if values.get("context_required") and not values.get("context"):
            self.complain("context", "needed with `context_required`")
        if any(word != word.lower() for word in values.get("context", ())):
            self.complain("context", "lower case is needed")
        if not 0 <= values.get("entropy", 0) <= MAX_BITS:
            self.complain("entropy", f"0 to {MAX_BITS:g} bits per character")
        values |= self._number(values) if values.get("digits") else self._expression(values)
        return Rule(**{"id": "", "pack": pack} | values)

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in self._raw.items():
            if name not in _RULE_FIELDS:
                self.complain(str(name), "unknown field")
                continue
            read, reason = _READ[_KIND_OF.get(name, str)]
            try:
                values[name] = read(value)
            except TypeError:
                self.complain(name, reason)
        if "id" not in self._raw:
            self.complain("id", "missing")
        return values

    def _expression(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if (self._raw.keys() & {"expression", "digits"}) - values.keys():
            return {}
        if not values.get("expression"):
            self.complain("expression", "needed, or `digits` for a number rule")
            return {}
        if values.get("shape"):
            self.complain("shape", "only a number rule (`digits`) has one")
        facts = examine(values["expression"])
        for problem in facts.problems:
            self.complain("expression", problem)
        return {"literals": facts.literals, "max_length": facts.max_length}

    def _number(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A number may hold two separators between its digits and two signs before them
        (`numbers.CANDIDATE`)."""
        if values.get("expression"):
            self.complain("expression", "a number rule (`digits`) has none: use `shape`")
        for problem in examine(values["shape"]).problems if values.get("shape") else ():
            self.complain("shape", problem)
        return {"max_length": 3 * max(values["digits"])}
