"""The validators, against python-stdnum as an oracle and against what their sources say."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from zlib import crc32

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum import luhn as stdnum_luhn
from stdnum.us import ssn as stdnum_ssn

from nexus_sdk.compliance.validators import CHECKSUMS, VALIDATORS
from nexus_sdk.compliance.validators.finance import _IBAN_LENGTHS

DIGITS = st.text("0123456789", min_size=1, max_size=24)
ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def accepts(name: str, text: str) -> bool:
    return VALIDATORS[name](text) is not None


def with_one_digit_wrong(text: str, at: int, by: int) -> str:
    place = [index for index, char in enumerate(text) if char.isdigit()][at]
    return text[:place] + str((int(text[place]) + by) % 10) + text[place + 1 :]


def test_every_checksum_is_a_validator() -> None:
    assert set(VALIDATORS) >= CHECKSUMS


@given(st.sampled_from(sorted(VALIDATORS)), st.text(max_size=200))
@example("iban", "DE")
@example("email", "@")
@example("jwt", "eyJ")
@example("basic_credentials", "é")
def test_any_text_gives_a_span_inside_it_or_none(name: str, text: str) -> None:
    span = VALIDATORS[name](text)
    assert span is None or 0 <= span[0] <= span[1] <= len(text)


# ---- cards ----------------------------------------------------------------------------------


@given(DIGITS)
def test_luhn_agrees_with_the_oracle(digits: str) -> None:
    assert accepts("luhn", digits) == stdnum_luhn.is_valid(digits)


@given(DIGITS, st.data())
def test_luhn_catches_each_wrong_digit(body: str, data: st.DataObject) -> None:
    number = body + stdnum_luhn.calc_check_digit(body)
    at = data.draw(st.integers(0, len(number) - 1))
    by = data.draw(st.integers(1, 9))
    assert accepts("luhn", number)
    assert not accepts("luhn", with_one_digit_wrong(number, at, by))


@given(
    st.sampled_from(
        [
            ("4", 16), ("4", 13), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16),
            ("34", 15), ("37", 15), ("300", 14), ("36", 14), ("38", 14), ("6011", 16), ("65", 16),
            ("644", 16), ("3528", 16), ("3589", 16), ("62", 19), ("81", 16), ("50", 12), ("69", 19),
            ("1800", 15), ("2131", 15),
        ]
    ),
    st.data(),
)  # fmt: skip
def test_each_network_is_known(network: tuple[str, int], data: st.DataObject) -> None:
    prefix, length = network
    rest = length - len(prefix) - 1
    body = prefix + data.draw(st.text("0123456789", min_size=rest, max_size=rest))
    assert accepts("card", body + stdnum_luhn.calc_check_digit(body))


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111112",  # check digit
        "411111111111111",  # fifteen digits of Visa
        "2220000000000008",  # below Mastercard's second range
        "2721000000000004",  # above it
        "3527000000000007",  # below JCB's
        "378282246310",  # Amex, three digits short
        "0000000000000000",
        "9111111111111111",
        "",
    ],
)
def test_other_numbers_are_no_cards(number: str) -> None:
    assert not accepts("card", number)


# ---- bank accounts --------------------------------------------------------------------------


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(sorted(_IBAN_LENGTHS)))
    rest = _IBAN_LENGTHS[country] - 4
    account = draw(st.text(ALNUM, min_size=rest, max_size=rest))
    number = int("".join(str(int(char, 36)) for char in account + country + "00"))
    return f"{country}{98 - number % 97:02}{account}"


@given(ibans(), st.booleans())
def test_an_iban_of_every_country_is_valid(iban: str, in_groups: bool) -> None:
    text = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if in_groups else iban
    assert VALIDATORS["iban"](text) == (0, len(text))


@given(ibans())
def test_where_the_oracle_takes_an_iban_so_do_we(iban: str) -> None:
    assume(stdnum_iban.is_valid(iban, check_country=False))
    assert accepts("iban", iban)


@given(ibans(), st.data())
def test_iban_catches_each_wrong_digit(iban: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, sum(map(str.isdigit, iban)) - 1))
    wrong = with_one_digit_wrong(iban, at, data.draw(st.integers(1, 9)))
    assert not accepts("iban", wrong)
    assert not stdnum_iban.is_valid(wrong, check_country=False)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("BE68 5390 0754 7034 WORD MORE", 19),
        ("NL91 ABNA 0417 1643 00", 22),
        ("gb82west12345698765432", 22),
        ("DE89-3704-0044-0532-0130-00", 27),
    ],
)
def test_an_iban_is_cut_at_its_length(text: str, length: int) -> None:
    assert VALIDATORS["iban"](text) == (0, length)


@pytest.mark.parametrize(
    "text", ["BE68539007547034WORD", "BE68 5390 0754", "XX68 5390 0754 7034", ""]
)
def test_what_goes_on_or_is_short_is_no_iban(text: str) -> None:
    assert not accepts("iban", text)


# ---- people ---------------------------------------------------------------------------------


@given(st.text("0123456789", min_size=9, max_size=9))
@example("078051120")
@example("219099999")
@example("457555462")
@example("666121234")
@example("900121234")
@example("123001234")
@example("123450000")
@example("000121234")
def test_ssn_agrees_with_the_oracle(digits: str) -> None:
    text = f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"
    assert accepts("us_ssn", text) == stdnum_ssn.is_valid(text)


def test_a_label_allows_other_areas_only() -> None:
    assert accepts("us_ssn_labelled", "955-34-3707")
    assert accepts("us_ssn_labelled", "666-12-3456")
    assert not accepts("us_ssn_labelled", "955-00-3707")
    assert not accepts("us_ssn_labelled", "000-12-3456")
    assert not accepts("us_ssn_labelled", "078-05-1120")


@pytest.mark.parametrize(
    ("group", "assigned"),
    [(49, False), (50, True), (65, True), (66, False), (69, False), (70, True), (88, True),
     (89, False), (90, True), (92, True), (93, False), (94, True), (99, True)],
)  # fmt: skip
def test_itin_groups(group: int, assigned: bool) -> None:
    assert accepts("us_itin", f"912-{group}-1234") is assigned
    assert not accepts("us_itin", f"812-{group}-1234")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("+1 (652) 341-5055", True),
        ("+1 652 341 505", False),  # ten digits after country code 1
        ("+41 37 174 64 88", True),
        ("+46 (0)993 756 79", True),
        ("+442079460958", True),
        ("+7 495 123-45-67", True),
        ("+999 123 456 789", False),  # not assigned
        ("+210 123 456 789", False),
        ("+44 1234", False),  # short
        ("+44 12345678901234", False),  # over fifteen digits
        ("+1 000 000 0000", False),
    ],
)
def test_e164(text: str, valid: bool) -> None:
    assert accepts("phone_e164", text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("(212) 736-4400", True),
        ("1-415-682-7719", True),
        ("123-456-7890", False),  # area begins with 1
        ("211-682-7719", False),  # area N11
        ("415-911-7719", False),  # exchange N11
        ("415-182-7719", False),  # exchange begins with 1
        ("555-555-5555", False),
        ("415-682-771", False),
    ],
)
def test_north_american_numbers(text: str, valid: bool) -> None:
    assert accepts("phone_nanp", text) is valid


@pytest.mark.parametrize("text", ["81 60 93 06", "(07700) 102499", "07700458683", "4152827719"])
def test_local_numbers(text: str) -> None:
    assert accepts("phone_local", text)


@pytest.mark.parametrize(
    "text",
    ["2024-05-13", "(2024-05-13", "13/05/2024", "1.5.2024 12", "536-90-4399", "10.20.30.40",
     "1700197476", "555 5555"],
)  # fmt: skip
def test_what_stands_beside_call_and_is_no_number(text: str) -> None:
    assert not accepts("phone_local", text)


# ---- network --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mara.l+news@post.fjord.se", "mara.l+news@post.fjord.se"),
        ("'ann@x.org", "ann@x.org"),
        ("**ann@x.org", "ann@x.org"),
        ("请写信给lin.wei@mail.com，谢谢", "lin.wei@mail.com"),
        ("lin@mail.com谢谢", "lin@mail.com"),
        ("磊.胡89@hotmail.com", "磊.胡89@hotmail.com"),
        ("jörg@münchen.de", "jörg@münchen.de"),
        ("user@xn--bcher-kva.xn--p1ai", "user@xn--bcher-kva.xn--p1ai"),
        ("k.osei@example.org", "k.osei@example.org"),
    ],
)
def test_email_spans(text: str, found: str) -> None:
    span = VALIDATORS["email"](text)
    assert span is not None
    assert text[slice(*span)] == found


@pytest.mark.parametrize(
    "text",
    [
        "image@2x.png", "git@github.com", "dev@example.com", "a@b", "a@b.c1", "a..b@x.org",
        "a.@x.org", "a@-x.org", "a@x-.org", "a@x..org", "@x.org", f"{'a' * 65}@x.org",
        f"a@{'b' * 64}.org", f"a@{'b.' * 130}org",
    ],
)  # fmt: skip
def test_no_emails(text: str) -> None:
    assert not accepts("email", text)


@given(st.ip_addresses(v=4))
def test_every_routable_ipv4_is_taken(address: object) -> None:
    text = str(address)
    assume(text.partition(".")[0] not in ("0", "127", "255"))
    assert VALIDATORS["ipv4"](text) == (0, len(text))


@pytest.mark.parametrize(
    "text", ["256.1.1.1", "01.2.3.4", "127.0.0.1", "0.0.0.0", "255.255.255.0", "1.2.3", "1.2.3.4.5"]
)
def test_no_ipv4(text: str) -> None:
    assert not accepts("ipv4", text)
    assert not accepts("ipv4_distinct", text)


def test_version_numbers_are_not_distinct() -> None:
    assert not accepts("ipv4_distinct", "1.2.3.4")
    assert not accepts("ipv4_distinct", "10.0.0.1")
    assert accepts("ipv4_distinct", "10.0.0.12")


@given(st.ip_addresses(v=6))
def test_ipv6_agrees_with_the_standard_library(address: object) -> None:
    text = str(address)
    assume(any(map(str.isdigit, text)) and text not in ("::", "::1"))
    assert VALIDATORS["ipv6"](text) == (0, len(text))
    assert VALIDATORS["ipv6"](text + ".") == (0, len(text))


@pytest.mark.parametrize("text", ["::1", "ab:6a:3d:23:63:00", "12:34:56", "face::add", "1:::2"])
def test_no_ipv6(text: str) -> None:
    assert not accepts("ipv6", text)


# ---- secrets --------------------------------------------------------------------------------


def base62(number: int) -> str:
    digits = ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits


def test_github_checksum_of_a_foreign_token() -> None:
    body = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"  # a sample that this code did not make
    assert accepts("github_token", "ghp_" + body + "0mLq17")
    assert not accepts("github_token", "ghp_" + body + "0mLq18")


@given(st.text(BASE62, min_size=30, max_size=30), st.integers(0, 29), st.sampled_from(BASE62))
def test_github_checksum_catches_each_wrong_character(body: str, at: int, char: str) -> None:
    check = base62(crc32(body.encode()))
    assert accepts("github_token", "gho_" + body + check)
    assume(body[at] != char)
    assert not accepts("github_token", "gho_" + body[:at] + char + body[at + 1 :] + check)


def test_aws_access_key_ids() -> None:
    assert accepts("aws_access_key_id", "AKIA" + "QYLPMN5HFIQR7XYA")
    assert not accepts("aws_access_key_id", "AKIA" + "QYLPMN5HFIQR7XY1")  # 1 is not base32
    assert not accepts("aws_access_key_id", "AKIA" + "IOSFODNN7EXAMPLE")
    assert not accepts("aws_access_key_id", "AKIA" + "QYLPMN5HFIQR7XY")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), st.booleans())
def test_a_jwt_has_an_algorithm(header: dict[str, str], has_algorithm: bool) -> None:
    header.pop("alg", None)
    if has_algorithm:
        header["alg"] = "HS256"
    head = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    assert accepts("jwt", f"{head}.e30.c2ln") is has_algorithm


@given(st.binary(max_size=40))
def test_basic_credentials_are_printable_text_with_a_colon(raw: bytes) -> None:
    try:
        user, colon, word = raw.decode().partition(":")
        expected = bool(user and colon and word) and (user + word).isprintable()
    except UnicodeDecodeError:
        expected = False
    assert accepts("basic_credentials", b64encode(raw).decode()) is expected


KEY = "MIIEowIBAAKCAQEA0Vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78L"


@pytest.mark.parametrize(
    "text",
    [
        f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{KEY}",
        f"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,7F2A\n\n{KEY}",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{KEY}",
    ],
)
def test_private_keys_with_a_body(text: str) -> None:
    assert VALIDATORS["private_key"](text) == (0, len(text))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- and then the lines of the key follow",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2.0.22 and Nothing Else 123\n\n",
        KEY,
    ],
)
def test_private_keys_without_a_body(text: str) -> None:
    assert not accepts("private_key", text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("v8Kq2nXw7ZtR4mLp", True),
        ("867e6213-eb8f-7f56-67ef-8688bcfe293c", True),
        ("s.ero2lrameb62kkctwxbf0psl", True),
        ("process.env.API_KEY", False),
        ("self.config.token2", False),
        ("getToken(user1)", False),
        ("/run/secrets/token1", False),
        ("config/prod1/app.yaml", False),
        ("sort-by-created-at", False),
        ("your_api_key_here1", False),
        ("aaaaaaaa1111", False),
        ("abcdefghijklmnop", False),
        ("MOSTLYLETTERSHERE", False),
    ],
)
def test_labelled_secrets(text: str, valid: bool) -> None:
    assert accepts("secret", text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("jI4-v0yxQBhhX", True),
        ("Tr0mbone&fig", True),
        ("MySecretPass1!", True),  # people do use the word
        ("Prestigitariu$", True),
        ("required", False),
        ("changeme123", False),
        ("${DB_PASS1}", False),
        ("<password1>", False),
        ("self.config.pass", False),
        ("getpass.getpass()", False),
        ("********", False),
    ],
)
def test_chosen_passwords(text: str, valid: bool) -> None:
    assert accepts("password", text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [("x93kdTRw0q", True), ("tumble-weed", True), ("password", False), ("PASS", False),
     ("${DB_PASS}", False), ("{password}", False), ("your_password", False)],
)  # fmt: skip
def test_passwords_of_urls(text: str, valid: bool) -> None:
    assert accepts("url_password", text) is valid
