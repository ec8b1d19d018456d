"""Images and sound behind the sidecar, with OpenAI's own client: governed like any other call."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from tests.media_server import SOUND, Media
from tests.sidecar.app_stack import PEPPER, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

EMAIL = b"bob@corp-mail.com"
RULES = {
    "compliance": {
        "hooks": [
            {
                "name": "mail",
                "stages": ["request", "response"],
                "reversible": False,
                "own": [
                    {"id": "own.mail", "expression": r"[a-z]+@corp-mail\.com"},
                    {"id": "own.bird", "words": ["Nightjar"]},
                ],
                "rules": {"own.bird": "block"},
            }
        ]
    },
    "keys_pepper": PEPPER,
    "prices": {"media/gpt-image-1": {"input": 5, "output": 40}},
}


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


@pytest.fixture(scope="module")
def media_stack(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("media"), lambda _: media.policy(**RULES)) as stack:
        yield stack


@pytest.fixture
def client(media_stack: Stack, media: Media) -> Iterator[openai.OpenAI]:
    media.asked.clear()
    with media_stack.openai() as made:
        yield made


def last(stack: Stack, before: int) -> Any:
    (event,) = stack.events(before, count=1)
    return event


def test_an_image_is_made_redacted_both_ways_and_priced(
    client: openai.OpenAI, media: Media, media_stack: Stack
) -> None:
    before = len(media_stack.events())
    made = client.images.generate(model="picture", prompt="a fox for bob@corp-mail.com")
    assert made.data is not None
    assert made.data[0].b64_json == "aWk="
    assert "corp-mail" not in str(made.data[0].revised_prompt)
    path, headers, body = media.asked[0]
    assert path == "/v1/images/generations"
    assert headers["authorization"] == "Bearer the-media-key"
    assert headers["content-type"] == "application/json"
    assert EMAIL not in body
    assert b'"gpt-image-1"' in body
    event = last(media_stack, before)
    assert (event["endpoint"], event["decision"]) == ("image_generations", "redact")
    assert (event["usage"]["output"], event["cost_usd"]) == (20, "0.00085")


def test_an_image_is_edited_and_its_bytes_are_not_touched(
    client: openai.OpenAI, media: Media, media_stack: Stack
) -> None:
    before = len(media_stack.events())
    picture = io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    picture.name = "a.png"
    client.images.edit(model="picture", image=picture, prompt="ask bob@corp-mail.com")
    path, headers, body = media.asked[0]
    assert path == "/v1/images/edits"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert picture.getvalue() in body
    assert b"\r\n\r\ngpt-image-1\r\n" in body
    assert EMAIL not in body
    notes = last(media_stack, before)["notes"]
    assert notes == ["unscanned: parts of the form are no text: image (image/png)"]


def test_speech_is_streamed_byte_for_byte_and_unpriced(
    client: openai.OpenAI, media: Media, media_stack: Stack
) -> None:
    before = len(media_stack.events())
    with client.audio.speech.with_streaming_response.create(
        model="voice", voice="alloy", input="hello bob@corp-mail.com"
    ) as spoken:
        assert spoken.headers["content-type"] == "audio/mpeg"
        assert b"".join(spoken.iter_bytes()) == SOUND
    assert EMAIL not in media.asked[0][2]
    event = last(media_stack, before)
    assert (event["outcome"], event["cost_usd"]) == ("complete", None)
    assert "unpriced: media/tts-1" in event["notes"]


def test_speech_that_is_cut_off_does_not_end_like_a_whole_one(
    client: openai.OpenAI, media_stack: Stack
) -> None:
    before = len(media_stack.events())
    with (
        client.audio.speech.with_streaming_response.create(
            model="voice", voice="cut-voice", input="hello"
        ) as spoken,
        pytest.raises(httpx2.RemoteProtocolError, match="peer closed"),
    ):
        b"".join(spoken.iter_bytes())
    assert last(media_stack, before)["outcome"] == "truncated"


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_was_heard_is_inspected(
    client: openai.OpenAI, media: Media, media_stack: Stack, form: Any
) -> None:
    before = len(media_stack.events())
    found = client.audio.transcriptions.create(
        model="ear", file=("a.mp3", b"\xff\xfb\x90", "audio/mpeg"), response_format=form
    )
    said = found if isinstance(found, str) else found.text
    assert said.startswith("call ")
    assert "corp-mail" not in said
    assert b"\r\n\r\nwhisper-1\r\n" in media.asked[0][2]
    assert last(media_stack, before)["endpoint"] == "transcriptions"


def test_a_blocked_prompt_of_a_form_leaves_nothing(client: openai.OpenAI, media: Media) -> None:
    with pytest.raises(openai.PermissionDeniedError, match=r"own\.bird"):
        client.audio.transcriptions.create(
            model="ear", file=("a.mp3", b"\xff", "audio/mpeg"), prompt="the Nightjar"
        )
    assert media.asked == []


def test_a_provider_without_the_operation_and_an_unknown_model_are_refused(
    client: openai.OpenAI, media: Media
) -> None:
    with pytest.raises(
        openai.NotFoundError, match=r"has no image_generations operation; route .* to one that"
    ):
        client.images.generate(model="elsewhere", prompt="x")
    with pytest.raises(openai.NotFoundError, match="picture"):
        client.images.generate(model="pictures", prompt="x")
    assert media.asked == []


def test_nobody_comes_in_without_a_key(media_stack: Stack, media: Media) -> None:
    media.asked.clear()
    with (
        media_stack.openai(api_key="nx-none") as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.images.generate(model="picture", prompt="x")
    assert media.asked == []
