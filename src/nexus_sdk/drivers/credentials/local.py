"""The machine's own metadata services, and nothing else.

The client for providers refuses their addresses always, because they hand out the machine's
credentials to whoever asks. Here they are asked on purpose: these hosts alone, in the clear, past
any proxy, by spelling and not by name, and no redirection is followed.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from nexus_sdk.providers.oauth import TokenRequest

HOSTS = frozenset(
    {
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
        "127.0.0.1",
        "::1",
        "localhost",
    }
)
"""The metadata service of virtual machines (Google, Azure), ECS, EKS Pod Identity, and a process
beside this one (App Service)."""
WITHIN_S = 5.0
MAX_BYTES = 256 * 1024


def fetch(request: TokenRequest) -> Response | Failure:
    """One exchange. Blocks for at most `WITHIN_S` at each step."""
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host not in HOSTS:
        return Failure("refused_address", f"{host or 'no host'} is no metadata service")
    connection = HTTPConnection(host, parts.port or 80, timeout=WITHIN_S)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request(
            request.method, target, body=request.body or None, headers=dict(request.headers)
        )
        reply = connection.getresponse()
        return Response(reply.status, {}, reply.read(MAX_BYTES))
    except TimeoutError:
        return Failure("timeout", f"{host} did not answer; is this machine one of that cloud's?")
    except (OSError, HTTPException) as err:
        return Failure("connect", f"{host} cannot be asked ({type(err).__name__})")
    finally:
        connection.close()
