"""The stock client opens its WebSockets itself, past our transport: nothing on them would come
through the policy, so they are refused."""

from __future__ import annotations

from typing import Any, NoReturn

from nexus_sdk.errors import NotAllowed

_INSTEAD = {
    "responses": "use responses.create",
    "realtime": "speech in both directions is not governed yet, so it is not let through",
}


def refusal(name: str) -> NotAllowed:
    """For `connect` of the client's resource `name`."""
    kind = name.rpartition(".")[2]
    return NotAllowed(
        f"{name}.connect opens a WebSocket that goes past the policy; {_INSTEAD[kind]}",
        code="ungoverned_connection",
    )


def without_sockets(resource: Any, name: str = "realtime") -> Any:
    """The resource, whose `connect` and that of its `translations` raise NotAllowed."""

    def connect(*_given: object, **_options: object) -> NoReturn:
        raise refusal(name)

    resource.connect = connect
    if hasattr(type(resource), "translations"):
        resource.translations.connect = connect
    return resource
