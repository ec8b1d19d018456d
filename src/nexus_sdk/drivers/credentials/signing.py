"""An upstream client that first gets what a request's credential grants: a token into its header,
or a signature over all of it. Without a credential it is the client itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nexus_sdk.model import Failure
from nexus_sdk.providers.sigv4 import Unsigned, sign

if TYPE_CHECKING:
    from nexus_sdk.drivers.credentials.keeper import Keeper
    from nexus_sdk.drivers.credentials.sources import Grant
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Credential, Response, Upstream

_SIGNED = frozenset({"content-type"})
"""What is signed beside the host: what nothing on the way writes anew."""


class SyncSigning:
    """Has `send` as `SyncUpstream` does."""

    def __init__(self, client: Any, keeper: Keeper) -> None:
        self._client = client
        self._keeper = keeper

    def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, Any]:
        """Make one exchange."""
        if (credential := upstream.credential) is not None:
            grant = self._keeper.get(credential)
            if isinstance(grant, Failure):
                return grant, None
            upstream = granted(upstream, credential, grant, self._keeper.world.now())
        sent: tuple[Response | Failure, Any] = self._client.send(upstream, opening)
        return sent


class AsyncSigning:
    """Has `send` as `AsyncUpstream` does."""

    def __init__(self, client: Any, keeper: Keeper) -> None:
        self._client = client
        self._keeper = keeper

    async def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, Any]:
        """Make one exchange."""
        if (credential := upstream.credential) is not None:
            grant = await self._keeper.aget(credential)
            if isinstance(grant, Failure):
                return grant, None
            upstream = granted(upstream, credential, grant, self._keeper.world.now())
        sent: tuple[Response | Failure, Any] = await self._client.send(upstream, opening)
        return sent


def granted(upstream: Upstream, credential: Credential, grant: Grant, now: float) -> Upstream:
    """The exchange with what was granted for it."""
    if grant.keys is None:
        own = {credential.header: credential.form.format(grant.token)}
    else:
        shown = {name: text for name, text in upstream.headers.items() if name in _SIGNED}
        own = sign(
            Unsigned(upstream.method, upstream.url, shown, upstream.body),
            grant.keys,
            region=credential.get("region"),
            at=datetime.fromtimestamp(now, UTC),
            service=credential.audience,
        )
    return replace(upstream, headers={**upstream.headers, **own})
