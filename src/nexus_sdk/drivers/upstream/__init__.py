"""The HTTP client that calls providers: one exchange at a time, sync and async, HTTP/1.1 over
checked addresses.

Read `exchange.py` first: it is the whole order of an exchange, written once. `blocking.py` and
`evented.py` are the two ways to move its bytes; `http1.py` and `inflate.py` turn bytes into a
response and do no I/O.
"""

from nexus_sdk.drivers.upstream.blocking import SyncBody, SyncUpstream
from nexus_sdk.drivers.upstream.evented import AsyncBody, AsyncUpstream
from nexus_sdk.drivers.upstream.exchange import MAX_ERROR_BYTES, MAX_WHOLE_BYTES
from nexus_sdk.drivers.upstream.failures import StreamBroken

__all__ = [
    "MAX_ERROR_BYTES",
    "MAX_WHOLE_BYTES",
    "AsyncBody",
    "AsyncUpstream",
    "StreamBroken",
    "SyncBody",
    "SyncUpstream",
]
