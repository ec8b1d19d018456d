"""Strict JSON: what two readers could read differently is refused, and edits touch nothing else."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexus_sdk.errors import Malformed
from nexus_sdk.wire.json import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_KEYS,
    Path,
    at,
    dumps,
    insert,
    parse,
    splice,
)


def refusal(raw: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.status == 400
    return caught.value.message


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"x":{"model":1,"model":1}}',
        b'[{"a":1},{"a":1,"a":2}]',
        b'{"":1,"":2}',
    ],
)
def test_a_repeated_key_however_it_is_written(raw: bytes) -> None:
    assert "twice" in refusal(raw)


def test_the_repeated_key_is_named() -> None:
    with pytest.raises(Malformed) as caught:
        parse(b'{"model":"a","mod\\u0065l":"b"}')
    assert caught.value.param == "model"


def test_a_key_may_stand_in_two_objects() -> None:
    assert parse(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"{",
        b'{"a":1}}',
        b'{"a":1} {"b":2}',
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1.}',
        b'{"a":0x10}',
        b'{"a":1_000}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":"\x01"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b"// no\n{}",
        b"{}\x00",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
    ],
)
def test_what_is_no_strict_json(raw: bytes) -> None:
    refusal(raw)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_bounded(opening: bytes, closing: bytes) -> None:
    parse(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    deeper = MAX_DEPTH + 1
    assert f"over {MAX_DEPTH} levels" in refusal(opening * deeper + b"1" + closing * deeper)


@pytest.mark.parametrize("depth", [1_000, 1_000_000])
def test_a_depth_without_end_is_refused_without_a_crash(depth: int) -> None:
    refusal(b"[" * depth)
    refusal(b"[" * depth + b"]" * depth)
    refusal(b'{"a":' * depth + b"1" + b"}" * depth)


def test_brackets_in_strings_are_no_depth() -> None:
    assert parse(dumps({"a": "[" * 1000})) == {"a": "[" * 1000}
    assert parse(dumps("{" * 1000)) == "{" * 1000


def test_the_keys_of_all_objects_count() -> None:
    half = MAX_KEYS // 2

    def doc(extra: int) -> bytes:
        return dumps([{f"k{n}": 0 for n in range(half)}, {f"k{n}": 0 for n in range(half + extra)}])

    parse(doc(0))
    assert f"over {MAX_KEYS} keys" in refusal(doc(1))


def test_colons_in_strings_are_no_keys() -> None:
    assert parse(dumps({"a": ":" * (MAX_KEYS + 1)}))["a"].count(":") == MAX_KEYS + 1


@pytest.mark.parametrize("sign", [b"", b"-"])
def test_the_digits_of_a_number_are_bounded(sign: bytes) -> None:
    assert isinstance(parse(b"[" + sign + b"1" * MAX_DIGITS + b"]")[0], float)
    assert f"over {MAX_DIGITS} digits" in refusal(b"[" + sign + b"1" * (MAX_DIGITS + 1) + b"]")


def test_a_body_of_our_own_encoding_is_not_looked_at_twice() -> None:
    assert parse(b'{"a": 1}', own_encoding=True) == {"a": 1}
    with pytest.raises(Malformed):
        parse(b'{"a":', own_encoding=True)


# ---- the same verdict as a slow reader -----------------------------------------------------------


class Ambiguous(Exception):
    pass


def oracle(raw: bytes) -> Any:
    """The document by the standard library, or Ambiguous."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in found}) < len(found):
            raise Ambiguous
        return dict(found)

    def never(_: str) -> Any:
        raise Ambiguous

    def real(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise Ambiguous
        return value

    def whole(text: str) -> int | float:
        if len(text.lstrip("-")) > MAX_DIGITS:
            raise Ambiguous
        value = int(text)
        return value if -(2**63) <= value < 2**64 else float(value)

    return json.loads(
        raw, object_pairs_hook=pairs, parse_constant=never, parse_float=real, parse_int=whole
    )


SPACE = st.sampled_from(["", "", "", " ", "\n", "\t ", " \r\n"])
KEYS = st.sampled_from(["a", "b", "A", "model", "é", "", '"', "a\\b"])


@st.composite
def spelled_string(draw: st.DrawFn, text: str) -> str:
    """`text` as a JSON string, some characters escaped though they need not be."""
    out = []
    for char in text:
        plain = json.dumps(char, ensure_ascii=False)[1:-1]
        escaped = json.dumps(char)[1:-1] if char > "\uffff" else f"\\u{ord(char):04x}"
        out.append(draw(st.sampled_from([plain, plain, plain, escaped])))
    return f'"{"".join(out)}"'


@st.composite
def spelled(draw: st.DrawFn, depth: int = 3) -> str:
    """A JSON text with any white space and any escapes, its keys maybe repeated."""

    def space() -> str:
        return draw(SPACE)

    kinds = ["string", "number", "word"] + (["object", "list"] * 2 if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "string":
        return draw(spelled_string(draw(st.text(st.characters(codec="utf-8"), max_size=8))))
    if kind == "word":
        return draw(st.sampled_from(["true", "false", "null", "NaN", "-Infinity"]))
    if kind == "number":
        return draw(
            st.sampled_from(
                ["0", "-0", "1", "1.0", "1e5", "1E-7", "-12.50", "1e999", "18446744073709551616"]
            )
        )
    items = [draw(spelled(depth=depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    if kind == "list":
        return f"[{space()}{f'{space()},{space()}'.join(items)}{space()}]"
    members = [f"{draw(spelled_string(draw(KEYS)))}{space()}:{space()}{item}" for item in items]
    return f"{{{space()}{f'{space()},{space()}'.join(members)}{space()}}}"


@settings(max_examples=1500, deadline=None)
@given(spelled(), SPACE, SPACE)
@example('{"a":1,"\\u0061":2}', "", "")
@example('{"a":-0}', "", "")
def test_the_verdict_is_that_of_a_slow_reader(text: str, before: str, after: str) -> None:
    raw = f"{before}{text}{after}".encode()
    try:
        wanted = oracle(raw)
    except Ambiguous:
        refusal(raw)
        return
    assert parse(raw) == wanted


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_we_write_we_read(doc: Any) -> None:
    assert parse(dumps(doc)) == doc


@given(JSON)
def test_what_others_write_we_read(doc: Any) -> None:
    assert parse(json.dumps(doc, indent=2).encode()) == doc


@given(st.binary(max_size=40) | st.text('{}[]",:\\u0eE+-. \n1aN', max_size=24).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        found = parse(raw)
    except Malformed:
        return
    assert found == oracle(raw)


# ---- edits ---------------------------------------------------------------------------------------


def paths_of(doc: Any, path: Path = ()) -> list[Path]:
    """Every place of the document, the root too."""
    found = [path]
    if isinstance(doc, dict):
        for key, value in doc.items():
            found += paths_of(value, (*path, key))
    elif isinstance(doc, list):
        for index, value in enumerate(doc):
            found += paths_of(value, (*path, index))
    return found


def put(doc: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    at(doc, path[:-1])[path[-1]] = value
    return doc


def apart(paths: list[Path]) -> list[Path]:
    """Those of which none stands inside another."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: (len(path), list(map(str, path)))):
        if not any(path[: len(other)] == other for other in kept):
            kept.append(path)
    return kept


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, Any, dict[Path, Any]]:
    text = draw(spelled().filter(_is_strict))
    doc = parse(text.encode())
    chosen = apart(draw(st.lists(st.sampled_from(paths_of(doc)), max_size=4)))
    return text.encode(), doc, {path: draw(JSON) for path in chosen}


def _is_strict(text: str) -> bool:
    try:
        parse(text.encode())
    except Malformed:
        return False
    return True


@settings(max_examples=1000, deadline=None)
@given(edited())
def test_an_edit_changes_the_value_and_no_other_byte(
    case: tuple[bytes, Any, dict[Path, Any]],
) -> None:
    raw, doc, edits = case
    result = splice(raw, edits)
    wanted = doc
    for path, value in edits.items():
        wanted = put(wanted, path, value)
    assert orjson.loads(result) == wanted
    # Each value put back where it came from gives the very bytes that were there.
    rest = result
    pieces = _outside(raw, edits)
    for piece in pieces:
        place = rest.find(piece)
        assert place >= 0
        rest = rest[place + len(piece) :]
    assert len(result) == sum(map(len, pieces)) + sum(len(dumps(value)) for value in edits.values())


def _outside(raw: bytes, edits: dict[Path, Any]) -> list[bytes]:
    """The bytes around the edited values, found by writing a mark of its own into each."""
    marks = {path: f"\x07mark{number}\x07" for number, path in enumerate(edits)}
    marked = splice(raw, marks)
    pieces = [marked]
    for mark in marks.values():
        quoted = dumps(mark)
        pieces = [part for piece in pieces for part in piece.split(quoted)]
    return pieces


def test_no_edit_gives_the_very_same_object() -> None:
    raw = b' {"a" : 1}'
    assert splice(raw, {}) is raw


def test_edits_at_every_kind_of_place() -> None:
    raw = b'{ "a" : [1, {"b\\u0062": "x"}, [2 , 3]], "c":{"d":null}, "e":true }'
    edits: dict[Path, Any] = {
        ("a", 0): "one",
        ("a", 1, "bb"): {"y": 'q"'},
        ("a", 2): 7,
        ("c", "d"): [],
        ("e",): None,
    }
    assert splice(raw, edits) == (
        b'{ "a" : ["one", {"b\\u0062": {"y":"q\\""}}, 7], "c":{"d":[]}, "e":null }'
    )


@pytest.mark.parametrize(
    "path",
    [("b",), ("a", 3), ("a", "0"), ("a", 1, "b"), ("a", 0, "x"), ("a", 1, "b", 0), ("", "a")],
)
def test_an_edit_without_a_place_is_never_lost(path: Path) -> None:
    with pytest.raises(KeyError):
        splice(b'{"a":[1,{"c":2}]}', {path: 1})
    with pytest.raises(KeyError):
        splice(b'{"a":[1,{"c":2}]}', {path: 1, ("a", 0): 2})


def test_one_edit_inside_another_has_no_place() -> None:
    with pytest.raises(KeyError):
        splice(b'{"a":{"b":1}}', {("a",): 1, ("a", "b"): 2})


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), JSON, SPACE, SPACE)
def test_a_member_is_inserted_first(
    doc: dict[str, Any], value: Any, before: str, inside: str
) -> None:
    doc.pop("new", None)
    plain = dumps(doc).decode()
    raw = f"{before}{{{inside}{plain[1:]}".encode()
    result = insert(raw, "new", value)
    assert parse(result) == {"new": value, **doc}
    assert result.endswith(raw[raw.index(b"{") + 1 :])


def test_the_value_at_a_path() -> None:
    doc = {"a": [0, {"b": 2}]}
    assert at(doc, ()) is doc
    assert at(doc, ("a", 1, "b")) == 2
    for path in (("b",), ("a", 5)):
        with pytest.raises(LookupError):
            at(doc, path)
