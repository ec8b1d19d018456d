"""Tokens and signatures for providers that take no fixed key.

`sources.py` says, for each kind of credential, what is read and asked in which order, once for
threads and tasks; `keeper.py` keeps what was granted until shortly before it expires, and lets one
of many ask anew; `signing.py` puts it into a request on its way out.
"""

from nexus_sdk.drivers.credentials.keeper import Keeper
from nexus_sdk.drivers.credentials.signing import AsyncSigning, SyncSigning

__all__ = ["AsyncSigning", "Keeper", "SyncSigning"]
