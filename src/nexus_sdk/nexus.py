"""One policy in force in this process: its snapshot, its stores, its spool, its connections. Doors
run requests here."""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import secrets
import threading
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nexus_sdk.drivers import matcher
from nexus_sdk.drivers.credentials import AsyncSigning, Keeper, SyncSigning
from nexus_sdk.drivers.exchanges import arun, run
from nexus_sdk.drivers.host import AsyncHost, SyncHost
from nexus_sdk.drivers.memory import MemoryStore
from nexus_sdk.drivers.responses import MemoryResponses
from nexus_sdk.drivers.spool import Spool, load_or_create_key
from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
from nexus_sdk.errors import BadSettings, NexusError
from nexus_sdk.model import Caller
from nexus_sdk.pipeline import handle
from nexus_sdk.policy.included import keys_path
from nexus_sdk.policy.load import load_policy
from nexus_sdk.policy.pepper import pepper
from nexus_sdk.policy.snapshot import compile_policy
from nexus_sdk.settings import Settings, from_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nexus_sdk.drivers.exchanges import AsyncEvents, SyncEvents
    from nexus_sdk.drivers.host import Observe
    from nexus_sdk.drivers.responses import ResponseStore
    from nexus_sdk.model import Answer, Request
    from nexus_sdk.policy.document import Key
    from nexus_sdk.policy.load import Loaded, Source
    from nexus_sdk.policy.snapshot import Snapshot

log = logging.getLogger("nexus")

PROXY_VARIABLES = {
    "http": "HTTP_PROXY",
    "https": "HTTPS_PROXY",
    "all": "ALL_PROXY",
    "no": "NO_PROXY",
}


class SystemClock:
    """The clock and the chance of this machine."""

    now = staticmethod(time.time)
    ticks = staticmethod(time.perf_counter)
    draw = staticmethod(random.random)


class Nexus:
    """A policy in force. Share one among all clients of a process.

    `policy` is a path, a dict, a `Policy`, or None: then the file that `NEXUS_POLICY` names, or the
    default policy, which redacts personal data and secrets reversibly and writes an audit trail on
    this machine. `app` names the application in audit events. `observe` is told of every audit
    event (metrics). `keys`: virtual keys beside the policy's own. `durable`: answers of the
    Responses API are kept in a file of the state folder, and not in memory alone. Raises BadPolicy
    and BadSettings before anything is sent.
    """

    def __init__(
        self,
        policy: Source = None,
        *,
        app: str = "",
        settings: Settings | None = None,
        observe: Observe | None = None,
        keys: Iterable[Key] = (),
        durable: bool = False,
    ) -> None:
        self._observe = observe
        self._keys = list(keys)
        self._files: tuple[Path, ...] = ()
        self._stamps: tuple[tuple[str, int], ...] = ()
        self.settings = settings or from_environment()
        self.app = Caller(key_id=f"app:{app or 'default'}", app=app)
        self._lock = threading.Lock()
        self._closed = False
        self._source = policy if policy is not None else self.settings.policy
        self.clock = SystemClock()
        self._snapshot = self._compile(self._source)
        document = self._snapshot.policy
        self.store = MemoryStore(max_entries=document.cache.max_entries)
        self.responses = self._kept(durable=durable)
        self.spool = self._spool()
        proxies = self._proxies()
        self._sync = SyncUpstream(proxies=proxies)
        self._async = AsyncUpstream(proxies=proxies)
        self._keeper = Keeper(self._sync, self._async, self.settings.lookup)
        self._signs = self._snapshot.signs

    @property
    def snapshot(self) -> Snapshot:
        """The policy in force, compiled."""
        return self._snapshot

    def reload(self, policy: Source = None) -> str:
        """Put another policy in force (None: read the same source again); returns its hash.

        It is compiled first and swapped in whole: requests under way finish under the policy they
        began with, and a policy that is not valid raises BadPolicy and changes nothing.
        """
        source = self._source if policy is None else policy
        fresh = self._compile(source)
        with self._lock:
            fresh = replace(fresh, health=self._snapshot.health)
            self._source, self._snapshot = source, fresh
            self._signs = fresh.signs
        self.store.bound(fresh.policy.cache.max_entries)
        self.responses.bound(fresh.policy.responses.max_bytes)
        return fresh.hash

    def try_reload(self) -> bool:
        """Read the policy's files again; a policy that is not valid is logged, and the one in force
        stays."""
        try:
            log.warning("policy %s is in force", self.reload()[:16])
        except NexusError as err:
            log.error("the changed policy is not valid, the one in force stays: %s", err)  # noqa: TRY400
            return False
        return True

    @property
    def stamps_in_force(self) -> tuple[tuple[str, int], ...]:
        """`source_stamps` as they were when the policy was read that was put in force, or refused,
        last."""
        return self._stamps

    def source_stamps(self) -> tuple[tuple[str, int], ...]:
        """The policy's files, the keys file that may yet come, and when each was last changed, to
        see whether any has."""
        files = {*self._files, *(keys_path(file) for file in self._files[:1])}
        return tuple((str(file), _changed(file)) for file in sorted(files))

    def run(self, request: Request, *, upstream: Any = None) -> Answer | SyncEvents:
        """Serve one request, blocking. A stream settles itself once it is read to its end or
        closed.

        `upstream` makes the HTTP exchanges in place of our own client (`drivers/own_client.py`).
        """
        client = upstream or self._sync
        if self._signs:
            client = SyncSigning(client, self._keeper)
        host = SyncHost(self.store, self.spool, client, self._observe, self.responses)
        return run(handle(request, self._snapshot, self.clock), host)

    async def arun(self, request: Request, *, upstream: Any = None) -> Answer | AsyncEvents:
        """Serve one request on the running event loop."""
        client = upstream or self._async
        if self._signs:
            client = AsyncSigning(client, self._keeper)
        host = AsyncHost(self.store, self.spool, client, self._observe, self.responses)
        return await arun(handle(request, self._snapshot, self.clock), host)

    def wrap[Client](self, client: Client) -> Client:
        """Govern an SDK client that is built on httpx or httpx2 and was made already, or such an
        HTTP client itself. Returns the same client. Raises TypeError for any other."""
        from nexus_sdk.transports import wrap

        wrap(self, client)
        return client

    def transport(
        self, family: str = "httpx", *, user: str = "", tags: Mapping[str, str] | None = None
    ) -> Any:
        """A transport for `httpx.Client(transport=...)`, or for `httpx2.Client` with
        `family="httpx2"`. `user` and
        `tags`: who is calling and for what, for quotas and the audit trail."""
        from nexus_sdk.transports import Traffic, sync_transport

        return sync_transport(Traffic(self, self.caller(user, tags)), family)

    def async_transport(
        self, family: str = "httpx", *, user: str = "", tags: Mapping[str, str] | None = None
    ) -> Any:
        """As `transport`, for the async clients."""
        from nexus_sdk.transports import Traffic, async_transport

        return async_transport(Traffic(self, self.caller(user, tags)), family)

    def caller(self, user: str = "", tags: Mapping[str, str] | None = None) -> Caller:
        """This application as a caller, on behalf of `user`."""
        return replace(self.app, user=user, tags=MappingProxyType(dict(tags or {})))

    def explain(
        self,
        request: Request | dict[str, Any],
        *,
        endpoint: str = "chat",
        caller: Caller | None = None,
    ) -> dict[str, Any]:
        """What would happen to a request and why, as plain JSON values, without sending
        anything."""
        from nexus_sdk.explaining import explain

        return explain(self, request, endpoint, caller)

    def new_id(self) -> str:
        """A request id: sortable by time, unique across machines (UUID version 7, RFC 9562)."""
        stamp = time.time_ns() // 1_000_000
        tail = random.getrandbits(74)
        value = stamp << 80 | 7 << 76 | (tail >> 62) << 64 | 2 << 62 | tail & (1 << 62) - 1
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def close(self) -> None:
        """Write what is still to be written and close connections. Any number of times."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self.spool is not None:
            self.spool.close()
        self.responses.close()
        self._sync.close()

    async def aclose(self) -> None:
        """As `close`, with the connections of the running loop."""
        await self._async.aclose()
        self.close()

    def __enter__(self) -> Nexus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compile(self, source: Source) -> Snapshot:
        self._stamps = self.source_stamps()
        loaded = load_policy(source, environ_lookup=self.settings.lookup)
        if loaded.sources != self._files:
            self._files = loaded.sources
            self._stamps = self.source_stamps()
        if self._keys:
            document = loaded.document
            loaded = replace(
                loaded, document=document.model_copy(update={"keys": [*document.keys, *self._keys]})
            )
        secret = self._secret(loaded)
        snapshot = compile_policy(
            self._audited(loaded),
            node=self.settings.node,
            pepper=secret,
            placeholder_key=hmac.digest(
                secret, b"placeholders\0" + loaded.document.organisation.encode(), hashlib.sha256
            ),
        )
        _prepare(snapshot, self.settings)
        return snapshot

    def _audited(self, loaded: Loaded) -> Loaded:
        """`NEXUS_AUDIT` wins over the policy's own mode."""
        mode = self.settings.audit
        if mode in ("", "off"):
            return loaded
        audit = loaded.document.audit.model_copy(update={"mode": mode})
        return replace(loaded, document=loaded.document.model_copy(update={"audit": audit}))

    def _secret(self, loaded: Loaded) -> bytes:
        """The installation's pepper. Where nothing can be kept and no key needs it, one for this
        process alone: its placeholders then differ from those of the next process."""
        try:
            return pepper(loaded.document, self.settings.state_dir, entropy=secrets.token_bytes)
        except BadSettings as err:
            if loaded.document.keys or self.settings.audit != "off":
                raise
            log.warning("placeholders will change with the next start: %s", err)
            return secrets.token_bytes(32)

    def _kept(self, *, durable: bool) -> ResponseStore:
        max_bytes = self._snapshot.policy.responses.max_bytes
        if not durable:
            return MemoryResponses(max_bytes=max_bytes)
        from nexus_sdk.drivers.responses_file import FILE, FileResponses

        return FileResponses(self.settings.state_dir / FILE, max_bytes=max_bytes)

    def _spool(self) -> Spool | None:
        audit = self._snapshot.policy.audit
        if self.settings.audit == "off":
            if audit.mode == "strict":
                raise BadSettings(
                    "NEXUS_AUDIT=off: the policy demands a strict audit trail; change the policy"
                )
            return None
        folder = self.settings.state_dir
        return Spool(
            folder / "audit",
            key=load_or_create_key(folder / "audit.key"),
            node=self.settings.node,
            max_bytes=audit.max_bytes,
            segment_bytes=audit.segment_bytes,
        )

    def _proxies(self) -> dict[str, str]:
        """The proxies of the environment, by either spelling (the lower one wins, as in curl)."""
        found = {
            key: self.settings.lookup(name.lower()) or self.settings.lookup(name) or ""
            for key, name in PROXY_VARIABLES.items()
        }
        return {key: value for key, value in found.items() if value}


def _changed(file: Path) -> int:
    """When, in nanoseconds since the epoch; 0 when it is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _prepare(snapshot: Snapshot, settings: Settings) -> None:
    """Compile what the first requests would otherwise wait for, in the background."""
    stages = (snapshot.request_hooks, snapshot.response_hooks)
    matcher.attach([stage.scanner for stage in stages], settings.cache_dir)

    def streams() -> None:
        effective = snapshot.response_hooks.effective("", "", "")
        for restoring in (False, True):
            effective.stream_rules(restoring=restoring)

    threading.Thread(target=streams, name="nexus-streams", daemon=True).start()
