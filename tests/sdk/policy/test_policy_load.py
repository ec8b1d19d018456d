"""A policy comes from a file, text, values or nothing, with includes, references and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.errors import BadPolicy
from nexus_sdk.policy import defaults
from nexus_sdk.policy.document import Limit, Policy
from nexus_sdk.policy.load import load_policy

if TYPE_CHECKING:
    from pathlib import Path

NOTHING: dict[str, str] = {}
UNCLOSED = "while parsing a flow sequence, did not find expected ',' or ']'"
CANARY = "sk-canary-0123456789"
LIMIT = "{{name: {}, unit: usd, max: 1, window: day}}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def load(source: Any, **environment: str) -> Policy:
    return load_policy(source, environ_lookup=environment.get).document


def problems(source: Any, **environment: str) -> list[str]:
    with pytest.raises(BadPolicy) as caught:
        load(source, **environment)
    return list(caught.value.problems)


# what a policy may come from


def test_a_file_text_values_and_a_policy_give_the_same_document(tmp_path: Path) -> None:
    text = "name: a\nlimits: [{name: x, unit: usd, max: 1, window: day}]\n"
    write(tmp_path, nexus=text)
    limit = Limit(name="x", unit="usd", max=1, window="day")
    values = {"name": "a", "limits": [limit.model_dump(exclude_unset=True)]}
    made = Policy(name="a", limits=[limit])
    sources = ["nexus.yaml", tmp_path / "nexus.yaml", text, values, made]
    assert [load(source) for source in sources] == [made] * 5


@pytest.mark.parametrize("text", ["\n", "# nothing\n", "---\n", "null\n", "{}\n"])
def test_an_empty_text_is_the_default_policy(text: str) -> None:
    assert load(text) == Policy()


def test_values_that_json_cannot_hold_are_refused() -> None:
    cycle: dict[str, Any] = {}
    cycle["include"] = cycle
    assert problems(cycle) == ["policy: is nested deeper than 32 levels"]
    assert problems({"name": b"x"}) == [
        "policy: holds a value of the type bytes, which is not JSON's"
    ]
    assert problems({1: 2}) == ["policy: has a key that is no text"]
    assert problems(7) == ["policy: must be a map of fields, like `limits:`"]


def test_values_that_repeat_one_list_too_often_are_refused() -> None:
    rows: Any = ["x"] * 10
    for _ in range(8):
        rows = [rows] * 10
    assert problems({"include": rows}) == ["policy: holds more than 500000 values"]


# scalars, as YAML 1.2 reads them


@pytest.mark.parametrize("word", ["no", "on", "12:30", "0x1F", "2026-01-31", "1_000", "=", ".inf"])
def test_a_word_that_yaml_1_1_would_change_stays_text(word: str) -> None:
    assert load(f"name: {word}\n").name == word


def test_the_key_on_and_numbers_as_faults_are_read_as_meant() -> None:
    text = (
        "providers: {o: {kind: openai}}\n"
        "routing: {models: {m: {fallback: [o/x], on: [429, 5xx]}}}\n"
    )
    node = load(text).routing.models["m"]
    assert node.model_dump()["on"] == ["429", "5xx"]


def test_quoted_scalars_are_text() -> None:
    assert load("name: 'true'\norganisation: '12'\n") == Policy(name="true", organisation="12")


def test_merge_keys_add_what_is_not_there() -> None:
    text = (
        "limits:\n- &a {name: a, unit: usd, max: 1, window: day}\n"
        "- {<<: *a, name: b}\n- {<<: [{name: c, max: 3}, *a]}\n"
    )
    assert [(limit.name, limit.max) for limit in load(text).limits] == [
        ("a", 1),
        ("b", 1),
        ("c", 3),
    ]


# references to the environment


def test_references_are_replaced_inside_of_texts() -> None:
    text = 'name: "${A}-${B:-two}-${C:-}-$${A}"\norganisation: a$|{2,4}${1}\n'
    assert load(text, A="one", B="") == Policy(name="one-two--${A}", organisation="a$|{2,4}${1}")


def test_a_reference_may_stand_for_a_number() -> None:
    assert load("cache: {ttl_s: '${TTL}'}\n", TTL="60").cache.ttl_s == 60


def test_references_in_a_made_policy_are_left_alone() -> None:
    assert load(Policy(name="${A}"), A="x").name == "${A}"


# includes


def test_maps_are_merged_lists_joined_and_own_scalars_win(tmp_path: Path) -> None:
    write(
        tmp_path,
        nexus=f"include: [one.yaml, two.yaml]\nname: top\nlimits: [{LIMIT.format('top')}]\n"
        "cache: {ttl_s: 1}\n",
        one=f"name: one\norganisation: one\nlimits: [{LIMIT.format('one')}]\n"
        "cache: {ttl_s: 2, enabled: true}\n",
        two=f"organisation: two\nlimits: [{LIMIT.format('two')}]\n",
    )
    policy = load("nexus.yaml")
    assert (policy.name, policy.organisation, policy.include) == ("top", "two", [])
    assert [limit.name for limit in policy.limits] == ["top", "two", "one"]
    assert (policy.cache.ttl_s, policy.cache.enabled) == (1, True)


def test_a_routing_tree_is_taken_whole(tmp_path: Path) -> None:
    write(
        tmp_path,
        nexus="include: [base.yaml]\nrouting: {models: {a: o/new}}\n",
        base="providers: {o: {kind: openai}}\n"
        "routing: {models: {a: {fallback: [o/old]}, b: o/b}}\n",
    )
    models = load("nexus.yaml").routing.models
    assert [(name, node.model_dump()) for name, node in models.items()] == [
        ("a", {"single": "o/new"}),
        ("b", {"single": "o/b"}),
    ]


def test_a_file_included_twice_counts_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        nexus="include: [a.yaml, b.yaml]\n",
        a="include: [c.yaml]\n",
        b="include: [./c.yaml]\n",
        c=f"limits: [{LIMIT.format('c')}]\n",
    )
    loaded = load_policy("nexus.yaml", environ_lookup=NOTHING.get)
    assert len(loaded.document.limits) == 1
    assert [str(path) for path in loaded.sources] == ["nexus.yaml", "a.yaml", "c.yaml", "b.yaml"]


def test_a_cycle_is_told_where_it_closes(tmp_path: Path) -> None:
    write(tmp_path, nexus="include: [a.yaml]\n", a="name: a\ninclude:\n- nexus.yaml\n")
    assert problems("nexus.yaml") == ["a.yaml:3: include.0: 'nexus.yaml' includes itself"]


def test_problems_of_every_file_are_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        nexus="include: [parts/a.yaml, parts/b.yaml, parts/c.yaml]\nname: 1\n",
        parts__a="name: ok\ncache: {ttl_s: 0}\n",
        parts__b="name: [a\n",
    )
    assert problems("nexus.yaml") == [
        "nexus.yaml:2: name: must be text; put it in quotes",
        "parts/a.yaml:2: cache.ttl_s: must be greater than 0",
        f"parts/b.yaml:2: is not YAML: {UNCLOSED}",
        "parts/c.yaml: cannot be read: No such file or directory",
    ]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    names = [f"f{n}" for n in range(70)]
    write(tmp_path, nexus=f"include: [{', '.join(f'{name}.yaml' for name in names)}]\n")
    write(tmp_path, **dict.fromkeys(names, ""))
    told = problems("nexus.yaml")
    assert len(told) == 7
    assert told[0] == (
        "nexus.yaml:1: include.63: 'f63.yaml' is one file too many; a policy may have 64"
    )


@pytest.mark.parametrize("source", ["a\0b", {"include": ["a\0b"]}])
def test_a_name_that_no_file_can_have_is_told(source: Any) -> None:
    assert problems(source)[0].endswith(": cannot be read: no such name")


@pytest.mark.parametrize("include", ["a.yaml", "[[a.yaml]]", "{a: b}"])
def test_an_include_of_another_shape_is_a_problem(include: str) -> None:
    told = problems(f"include: {include}\n")
    assert len(told) == 1
    assert "policy:1: include" in told[0]


# packs


PACK = (
    "name: mine\nversion: '1'\nrules:\n- id: mine.word\n  expression: bluebird\n"
    "  description: a name\n"
)


def test_a_pack_file_is_read_from_beside_the_file_that_names_it(tmp_path: Path) -> None:
    hooks = "compliance: {hooks: [{name: a, packs: [./mine.yaml], rules: {mine.word: block}}]}\n"
    write(tmp_path, nexus="include: [parts/a.yaml]\n", parts__a=hooks, parts__mine=PACK)
    loaded = load_policy(tmp_path / "nexus.yaml", environ_lookup=NOTHING.get)
    assert loaded.document.compliance is not None
    assert loaded.document.compliance.hooks[0].packs == ["parts/mine.yaml"]
    assert loaded.packs == {"parts/mine.yaml": PACK}
    assert loaded.sources[-1] == tmp_path / "parts/mine.yaml"


def test_a_rule_that_is_wrong_in_a_pack_is_told_with_the_pack(tmp_path: Path) -> None:
    hooks = "compliance: {hooks: [{name: a, packs: [./mine.yaml], rules: {other: block}}]}\n"
    write(tmp_path, nexus=hooks, mine=PACK.replace("bluebird", "'(a'"))
    told = problems("nexus.yaml")
    assert len(told) == 1
    assert told[0].startswith("mine.yaml: rule mine.word: expression: ")


def test_an_expression_that_cannot_be_a_rule_is_told_with_its_line() -> None:
    told = problems(
        "compliance:\n  hooks:\n  - name: a\n    own:\n    - {id: x, expression: '(a'}\n"
        "    - {id: y, words: ['']}\n"
    )
    assert told[0].startswith("policy:5: compliance.hooks.0.own.0.expression: ")
    assert told[1].startswith("policy:6: compliance.hooks.0.own.1.words: ")


# the keys file


def test_the_keys_file_beside_the_policy_is_loaded_with_it(tmp_path: Path) -> None:
    digest = "b" * 64
    write(tmp_path, nexus="name: a\n")
    (tmp_path / "nexus.keys.yaml").write_text(f"keys:\n- {{id: ci, digest: {digest}}}\n")
    loaded = load_policy("nexus.yaml", environ_lookup=NOTHING.get)
    assert [key.id for key in loaded.document.keys] == ["ci"]
    assert [str(path) for path in loaded.sources] == ["nexus.yaml", "nexus.keys.yaml"]


def test_the_keys_file_holds_nothing_but_keys(tmp_path: Path) -> None:
    write(tmp_path, nexus="name: a\n")
    (tmp_path / "nexus.keys.yaml").write_text("keys: []\nswitches: {kill: true}\n")
    assert problems("nexus.yaml") == [
        "nexus.keys.yaml:2: switches: does not belong into the keys file, which holds `keys` alone"
    ]


# what the environment adds


def test_nothing_at_all_gives_the_providers_of_the_environment() -> None:
    policy = load(None, OPENAI_API_KEY=CANARY, OPENAI_BASE_URL="http://localhost:9/v1")
    assert list(policy.providers) == ["openai"]
    provider = policy.providers["openai"]
    assert provider.api_key is not None
    assert provider.api_key.get_secret_value() == CANARY
    assert (provider.base_url, provider.private_network) == ("http://localhost:9/v1", True)
    assert not load(None, OPENAI_API_KEY=CANARY).providers["openai"].private_network
    assert list(load(None, ANTHROPIC_API_KEY=CANARY).providers) == ["anthropic"]
    assert load(None).providers == {}


def test_own_providers_keep_the_environments_out_unless_a_target_names_them() -> None:
    text = "providers: {o: {kind: openai}}\n"
    assert list(load(text, OPENAI_API_KEY=CANARY).providers) == ["o"]
    text += "routing: {models: {m: {fallback: [o/x, anthropic/y]}}}\n"
    both = {"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY}
    assert list(load(text, **both).providers) == ["o", "anthropic"]


def test_a_target_brings_its_vendor_when_the_vendor_s_own_variable_is_set() -> None:
    text = "routing: {models: {m: {fallback: [groq/x, mistral/y]}}}\n"
    keys = {"GROQ_API_KEY": CANARY, "MISTRAL_API_KEY": CANARY, "XAI_API_KEY": CANARY}
    policy = load(text, **keys)
    assert list(policy.providers) == ["mistral", "groq"]
    assert {provider.kind for provider in policy.providers.values()} == {"mistral", "groq"}
    assert load(None, **keys).providers == {}
    named = "routing: {models: {m: {conditional: [{when: {model: [groq]}, then: mistral/y}]}}}\n"
    assert list(load(named, **keys).providers) == ["mistral"]
    assert "add it, or set GROQ_API_KEY" in problems(text, MISTRAL_API_KEY="x")[0]


def test_a_provider_that_is_defined_is_not_the_environments() -> None:
    policy = load("providers: {openai: {kind: openai, api_key: own}}\n", OPENAI_API_KEY=CANARY)
    key = policy.providers["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == "own"


def test_a_bad_address_of_the_environment_is_told_as_such() -> None:
    assert problems(None, OPENAI_API_KEY="x", OPENAI_BASE_URL="ftp://u:canary@x") == [
        "environment: providers.openai.base_url: must begin with https:// or http://"
    ]


@pytest.mark.parametrize("providers", ["1", "[]", "[a]", "''"])
def test_providers_of_no_shape_are_still_told(providers: str) -> None:
    text = f"name: a\nproviders: {providers}\n"
    assert problems(text, OPENAI_API_KEY="x") == ["policy:2: providers: must be a map"]


def test_an_empty_section_of_providers_defines_none() -> None:
    assert list(load("name: a\nproviders:\n", OPENAI_API_KEY="x").providers) == ["openai"]


def test_an_absolute_pack_path_stays(tmp_path: Path) -> None:
    pack = (tmp_path / "mine.yaml").as_posix()
    write(tmp_path, nexus="include: [parts/a.yaml]\n", mine=PACK)
    write(tmp_path, parts__a=f"compliance: {{hooks: [{{name: a, packs: ['{pack}']}}]}}\n")
    loaded = load_policy("nexus.yaml", environ_lookup=NOTHING.get)
    assert loaded.packs == {pack: PACK}


# defaults


def test_a_policy_without_compliance_has_the_default_hooks() -> None:
    hooks = defaults.compliance(load(None)).hooks
    assert [(hook.stages, hook.packs, hook.action) for hook in hooks] == [
        (["request"], ["nexus/pii", "nexus/secrets"], "redact"),
        (["response"], ["nexus/secrets"], "redact"),
        (["response"], ["nexus/pii"], "approve"),
    ]
    assert load(Policy(compliance=defaults.COMPLIANCE)).compliance == defaults.COMPLIANCE


def test_a_policy_with_an_empty_compliance_has_no_hooks() -> None:
    assert defaults.compliance(load("compliance: {}\n")).hooks == []


# the hash


def digest(source: Any, **environment: str) -> str:
    return load_policy(source, environ_lookup=environment.get).hash


KEYED = "providers: {o: {kind: openai, api_key: '${KEY}'}}\n"


def test_equal_policies_have_equal_hashes_however_they_are_written(tmp_path: Path) -> None:
    write(tmp_path, nexus="include: [a.yaml]\ncache: {ttl_s: 60}\n", a="name: x\n")
    assert digest("nexus.yaml") == digest("{name: x, cache: {ttl_s: 60.0}}\n")
    assert len(digest(None)) == 64


def test_every_change_changes_the_hash_also_that_of_a_secret(tmp_path: Path) -> None:
    hooks = "compliance: {hooks: [{name: a, packs: [./mine.yaml]}]}\n"
    write(tmp_path, mine=PACK)
    first = digest(hooks)
    write(tmp_path, mine=PACK.replace("bluebird", "nightjar"))
    pepper = "keys_pepper: " + "p" * 40 + "\n"
    hashes = {
        first,
        digest(hooks),
        digest(None),
        digest("name: a\n"),
        digest(KEYED, KEY="one"),
        digest(KEYED, KEY="two"),
        digest(KEYED + pepper, KEY="one"),
    }
    assert len(hashes) == 7


def test_nothing_of_a_secret_is_in_a_repr_or_a_dump() -> None:
    loaded = load_policy(KEYED, environ_lookup={"KEY": CANARY}.get)
    policy = loaded.document
    for text in (repr(loaded), str(policy), policy.model_dump_json(), str(policy.model_dump())):
        assert CANARY not in text
