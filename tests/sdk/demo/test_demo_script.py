from __future__ import annotations

import re

import pytest

from nexus_sdk.demo import script as module
from nexus_sdk.demo.script import BEHAVIOURS, PLAIN, BadScript, read


def test_the_docstring_is_the_table() -> None:
    rows = re.findall(r"^    ([a-z0-9-]+)(=[A-Z]+)? ", module.__doc__ or "", re.MULTILINE)
    assert {name: bool(value) for name, value in rows} == {
        name: kind != "flag" for name, kind in BEHAVIOURS.items()
    }


def test_model_name_and_header_are_joined_and_the_header_wins() -> None:
    script = read("gpt-4o;delay=1;chunks=3", " delay=0.5 ; say=two%20words%3B;bom;")
    assert script.rows == {"delay": "0.5", "chunks": "3", "say": "two words;", "bom": ""}
    assert script.seconds("delay") == 0.5
    assert script.count("chunks", 0) == 3
    assert "bom" in script
    assert script.text("think", "none") == "none"


def test_no_script_is_plain() -> None:
    assert read("gpt-4o", "") is PLAIN
    assert not PLAIN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("delya=1", "no behaviour is called 'delya'"),
        ("chunks=many", "expected a whole number"),
        ("chunks=-1", "expected a whole number"),
        ("delay=soon", "expected a number of seconds"),
        ("bom=1", "expected no value"),
    ],
)
def test_a_wrong_row_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadScript, match=says):
        read("m", text)


def test_equal_scripts_have_equal_keys() -> None:
    assert read("a;bom;times=2", "").key() == read("b", "times=2;bom").key()
    assert read("a;bom", "").key() != read("a;cr", "").key()
