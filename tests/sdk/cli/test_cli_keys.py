"""`nexus keys`: what is made is what the sidecar accepts."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.cli.cli_lab import nexus

from nexus_sdk.cli.keys import free_id
from nexus_sdk.errors import Unauthenticated
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.pepper import pepper
from nexus_sdk.settings import from_environment
from nexus_sdk.stages.identity import KeyIndex, identify


@pytest.fixture(autouse=True)
def policy(here: Path) -> Path:
    path = here / "nexus.yaml"
    path.write_text("name: mine\n")
    return path


def create(*args: str) -> dict[str, Any]:
    ended = nexus("keys", "create", "--json", *args)
    assert ended.status == 0, ended.err
    told: dict[str, Any] = ended.json
    return told


def index() -> KeyIndex:
    """The keys as a sidecar of this installation knows them."""
    loaded = load_policy(Path("nexus.yaml"), environ_lookup=lambda _: None)
    secret = pepper(loaded.document, from_environment().state_dir, entropy=secrets.token_bytes)
    return KeyIndex(loaded.document.keys, secret)


def test_the_sidecar_knows_whom_a_key_belongs_to() -> None:
    made = create(
        "--name=Ada",
        "--user=ada",
        "--project=engine",
        "--organisation=acme",
        "--tag=a=1",
        "--tag=b=2=3",
    )
    caller = identify(index(), {"authorization": f"Bearer {made['key']}"}, time.time())
    assert (caller.key_id, caller.user, caller.project, caller.organisation) == (
        "ada",
        "ada",
        "engine",
        "acme",
    )
    assert dict(caller.tags) == {"a": "1", "b": "2=3"}


def test_the_key_is_kept_nowhere(here: Path) -> None:
    made = create()
    for path in here.parent.rglob("*"):
        if path.is_file():
            assert made["key"].encode() not in path.read_bytes()
    assert made["key"] not in nexus("keys", "list").out + nexus("keys", "list", "--json").out
    assert "digest" not in made


def test_the_key_stands_alone_on_standard_output() -> None:
    for args in ((), ("--quiet",)):
        ended = nexus("keys", "create", *args)
        assert re.fullmatch(r"nvk_[0-9a-f]{64}\n", ended.out)
    assert nexus("keys", "create", "--quiet").err == ""


def test_a_revoked_key_is_refused_and_its_id_stays() -> None:
    made = create("--name=Ada")
    assert nexus("keys", "revoke", "ada", "--json").json["status"] == "revoked"
    with pytest.raises(Unauthenticated) as refused:
        identify(index(), {"authorization": f"Bearer {made['key']}"}, time.time())
    assert refused.value.code == "key_revoked"
    assert create("--name=Ada")["id"] == "ada-2"
    listed = {key["id"]: key["status"] for key in nexus("keys", "list", "--json").json["keys"]}
    assert listed == {"ada": "revoked", "ada-2": "active"}


def test_an_expiry_may_be_a_span() -> None:
    made = create("--expires=2h")
    key = {"authorization": f"Bearer {made['key']}"}
    assert identify(index(), key, time.time() + 7000).key_id == made["id"]
    with pytest.raises(Unauthenticated) as refused:
        identify(index(), key, time.time() + 7300)
    assert refused.value.code == "key_expired"


def test_an_expired_key_is_listed_as_such(policy: Path) -> None:
    policy.write_text(f"keys: [{{id: old, digest: {'a' * 64}, expires: '2020-01-01T00:00:00Z'}}]\n")
    assert nexus("keys", "list", "--json").json["keys"][0]["status"] == "expired"
    assert re.search(r"old +expired", nexus("keys", "list").out)


def test_models_are_a_list_of_names() -> None:
    assert create("--models", "gpt-*, fast")["models"] == ["gpt-*", "fast"]
    assert create()["models"] is None


@pytest.mark.parametrize(
    "args",
    [
        ("--tag", "novalue"),
        ("--tag", "=x"),
        ("--expires", "2020-01-01"),
        ("--expires", "soon"),
        ("--models", "a,,b"),
        ("--id", "No Good"),
    ],
)
def test_wrong_usage_makes_nothing(here: Path, args: tuple[str, str]) -> None:
    ended = nexus("keys", "create", *args)
    assert (ended.status, ended.out) == (2, "")
    assert not (here / "nexus.keys.yaml").exists()


def test_an_id_is_unique_in_the_whole_policy(here: Path, policy: Path) -> None:
    (here / "more.yaml").write_text(f"keys: [{{id: taken, digest: {'b' * 64}}}]\n")
    policy.write_text("include: [more.yaml]\n")
    ended = nexus("keys", "create", "--id", "taken", "--json")
    assert (ended.status, ended.error["code"]) == (2, "usage")
    assert create("--name", "taken")["id"] == "taken-2"


def test_a_key_of_the_policy_itself_is_revoked_there(policy: Path) -> None:
    policy.write_text(f"keys: [{{id: written, digest: {'b' * 64}}}]\n")
    assert "revoked: true" in nexus("keys", "revoke", "written").err
    unknown = nexus("keys", "revoke", "wrtten", "--json")
    assert (unknown.status, unknown.error["code"]) == (4, "not_found")


def test_keys_need_a_policy_file(policy: Path) -> None:
    policy.unlink()
    ended = nexus("keys", "create")
    assert ended.status == 3
    assert "nexus init" in ended.err
    assert "nexus keys create" in nexus("keys", "list").err


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("Ada Lovelace", (), "ada-lovelace"),
        ("ada", ("ada", "ada-2"), "ada-3"),
        ("--x--", (), "x"),
        ("a" * 99, (), "a" * 48),
    ],
)
def test_an_id_is_made_of_the_name(name: str, taken: tuple[str, ...], expected: str) -> None:
    assert free_id(name, taken) == expected


def test_a_name_without_letters_gives_a_random_id() -> None:
    assert re.fullmatch(r"key-[0-9a-f]{8}", free_id("漢字", ()))
