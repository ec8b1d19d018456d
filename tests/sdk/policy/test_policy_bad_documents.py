"""What is wrong with a policy is said with file, line, field and a reason that helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy.load import load_policy
from nexus_sdk.providers.table import TABLE
from nexus_sdk.wire.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {"SOME_KEY": "sk-canary-0123456789", "SHORT": "tiny", "BLANK": ""}


def _cases() -> Iterator[tuple[str, str, list[str]]]:
    """Name, document and problems of every case in `bad_documents.txt`."""
    text = Path(__file__).with_name("bad_documents.txt").read_text(encoding="utf-8")
    for case in text.split("\n== ")[1:]:
        name, _, rest = case.partition("\n")
        document, *problems = rest.rstrip("\n").split("\n=> ")
        expected = [
            text.replace("<kinds>", ", ".join(TABLE)).replace("<endpoints>", ", ".join(ENDPOINTS))
            for text in problems
        ]
        yield name, document + "\n", expected


CASES = {name: (document, expected) for name, document, expected in _cases()}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table_was_read() -> None:
    assert len(CASES) >= 50
    assert all(expected for _, expected in CASES.values())


@pytest.mark.parametrize("case", CASES)
def test_the_problem_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    text, expected = CASES[case]
    (tmp_path / "nexus.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadPolicy) as caught:
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)
    assert list(caught.value.problems) == expected
    assert "canary" not in str(caught.value)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "cache: {ttl_s: 0}\nnmae: x\naudit: {mode: x}\nproviders: {a: {kind: x, api_key: $}}\n"
    (tmp_path / "nexus.yaml").write_text(text.replace("$", "'${NO_KEY}'"))
    with pytest.raises(BadPolicy) as caught:
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)
    lines = [problem.split(":")[1] for problem in caught.value.problems]
    assert lines == ["1", "2", "3", "4"]


def test_aliases_may_repeat_only_so_much(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "nexus.yaml").write_text("\n".join(rows))
    with pytest.raises(BadPolicy, match=r"aliases repeat more than 10000 values") as caught:
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_without_recursion(opening: str, tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").write_text("include:\n " + opening * 50_000)
    with pytest.raises(BadPolicy, match=r"nested deeper than 32 levels|is not YAML"):
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)


def test_a_depth_hidden_behind_aliases_is_counted(tmp_path: Path) -> None:
    half = "[" * 20 + "]" * 20
    text = f"name: &a {half}\norganisation: {'[' * 20}*a{']' * 20}\n"
    (tmp_path / "nexus.yaml").write_text(text)
    with pytest.raises(BadPolicy, match="nested deeper than 32 levels"):
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").write_bytes(b"#" * 5_000_001)
    with pytest.raises(BadPolicy, match=r"nexus\.yaml: is over 5000000 bytes"):
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)


def test_a_file_that_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").write_bytes(b"name: a\norganisation: \xff\n")
    with pytest.raises(BadPolicy, match=r"nexus\.yaml:2: is not UTF-8"):
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)


def test_control_characters_are_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").write_bytes(b"name: a\x07\n")
    with pytest.raises(BadPolicy, match=r"nexus\.yaml.*is not YAML"):
        load_policy("nexus.yaml", environ_lookup=ENVIRONMENT.get)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(BadPolicy, match=r"nope\.yaml: cannot be read: No such file"):
        load_policy("nope.yaml", environ_lookup=ENVIRONMENT.get)
