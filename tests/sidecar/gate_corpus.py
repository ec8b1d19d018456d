"""Requests that are refused, and their twins that are not.

Collected from what ten HTTP servers read differently in a comparison, and from RFC 9112's warnings.
Each row is what goes over the wire; a second request is always sent behind it, and must never be
answered.
"""

from __future__ import annotations

HOST = b"Host: h\r\n"
POST = b"POST /v1/x HTTP/1.1\r\n" + HOST
GET = b"GET /v1/x HTTP/1.1\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
BODY = b"\r\nabc"
CHUNKS = b"\r\n3\r\nabc\r\n0\r\n\r\n"
CLOSE = b"Connection: close\r\n"
MANY = b"".join(b"X-%d: 1\r\n" % number for number in range(98))

REFUSED: dict[str, bytes] = {
    # framing: content-length
    "length-and-chunked": CHUNKED + b"Content-Length: 3\r\n" + CHUNKS,
    "chunked-and-length": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" + CHUNKS,
    "length-twice-equal": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n" + BODY,
    "length-twice-different": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n" + BODY,
    "length-list": POST + b"Content-Length: 3, 3\r\n" + BODY,
    "length-plus": POST + b"Content-Length: +3\r\n" + BODY,
    "length-minus": POST + b"Content-Length: -3\r\n" + BODY,
    "length-hex": POST + b"Content-Length: 0x3\r\n" + BODY,
    "length-underscore": POST + b"Content-Length: 1_0\r\n" + BODY,
    "length-empty": POST + b"Content-Length: \r\n" + BODY,
    "length-two-words": POST + b"Content-Length: 3 3\r\n" + BODY,
    "length-fraction": POST + b"Content-Length: 3.0\r\n" + BODY,
    "length-overflow": POST + b"Content-Length: 18446744073709551619\r\n" + BODY,
    "length-superscript": POST + b"Content-Length: \xc2\xb3\r\n" + BODY,
    "length-in-disguise": POST + b"Content_Length: 3\r\nContent-Length: 3\r\n" + BODY,
    # framing: transfer-encoding
    "encoding-identity": POST + b"Transfer-Encoding: identity\r\n" + BODY,
    "encoding-list": POST + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS,
    "encoding-chunked-twice": POST + b"Transfer-Encoding: chunked, chunked\r\n" + CHUNKS,
    "encoding-two-headers": CHUNKED + b"Transfer-Encoding: chunked\r\n" + CHUNKS,
    "encoding-other-case-twice": CHUNKED + b"transfer-encoding: identity\r\n" + CHUNKS,
    "encoding-vertical-tab": POST + b"Transfer-Encoding: \x0bchunked\r\n" + CHUNKS,
    "encoding-nul": POST + b"Transfer-Encoding: chunked\x00\r\n" + CHUNKS,
    "encoding-space-before-colon": POST + b"Transfer-Encoding : chunked\r\n" + CHUNKS,
    "encoding-misspelt": POST + b"Transfer-Encoding: xchunked\r\n" + CHUNKS,
    "encoding-quoted": POST + b'Transfer-Encoding: "chunked"\r\n' + CHUNKS,
    "encoding-parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n" + CHUNKS,
    "encoding-empty": POST + b"Transfer-Encoding: \r\n" + CHUNKS,
    "encoding-in-disguise": POST + b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n" + BODY,
    "encoding-on-1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKS,
    # framing: chunks
    "chunk-hex-prefix": CHUNKED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "chunk-plus": CHUNKED + b"\r\n+3\r\nabc\r\n0\r\n\r\n",
    "chunk-minus": CHUNKED + b"\r\n-3\r\nabc\r\n0\r\n\r\n",
    "chunk-space": CHUNKED + b"\r\n3 \r\nabc\r\n0\r\n\r\n",
    "chunk-nine-digits": CHUNKED + b"\r\n000000003\r\nabc\r\n0\r\n\r\n",
    "chunk-overflow": CHUNKED + b"\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk-empty-size": CHUNKED + b"\r\n\r\nabc\r\n0\r\n\r\n",
    "chunk-no-hex": CHUNKED + b"\r\ng\r\nabc\r\n0\r\n\r\n",
    "chunk-bare-lf": CHUNKED + b"\r\n3\nabc\r\n0\r\n\r\n",
    "chunk-bare-lf-behind": CHUNKED + b"\r\n3\r\nabc\n0\r\n\r\n",
    "chunk-no-end": CHUNKED + b"\r\n3\r\nabc0\r\n\r\n",
    "chunk-too-long": CHUNKED + b"\r\n2\r\nabc\r\n0\r\n\r\n",
    "chunk-extension": CHUNKED + b"\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
    "chunk-extension-lf": CHUNKED + b"\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"\r\n3\r\nabc\r\n0\r\nX-A: evil\r\n\r\n",
    "trailer-authorization": CHUNKED + b"\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
    # the head
    "bare-lf-head": b"GET /v1/x HTTP/1.1\nHost: h\n\n",
    "bare-lf-in-head": GET + b"Host: h\nX-A: 1\r\n\r\n",
    "bare-cr-in-head": GET + b"Host: h\rX-A: 1\r\n\r\n",
    "cr-before-colon": GET + HOST + b"X-A\r: 1\r\n\r\n",
    "obs-fold": GET + HOST + b"X-A: 1\r\n 2\r\n\r\n",
    "obs-fold-tab": GET + HOST + b"X-A: 1\r\n\t2\r\n\r\n",
    "first-header-folded": GET + b" Host: h\r\n\r\n",
    "nul-in-value": GET + HOST + b"X-A: a\x00b\r\n\r\n",
    "nul-in-name": GET + HOST + b"X\x00A: 1\r\n\r\n",
    "control-in-value": GET + HOST + b"X-A: a\x1bb\r\n\r\n",
    "delete-in-value": GET + HOST + b"X-A: a\x7fb\r\n\r\n",
    "no-colon": GET + HOST + b"X-A 1\r\n\r\n",
    "empty-name": GET + HOST + b": 1\r\n\r\n",
    "space-in-name": GET + HOST + b"X A: 1\r\n\r\n",
    "space-behind-name": GET + HOST + b"X-A : 1\r\n\r\n",
    "quote-in-name": GET + HOST + b'X"A: 1\r\n\r\n',
    "not-ascii-in-name": GET + HOST + b"X\xc3\xa4: 1\r\n\r\n",
    "key-in-disguise": GET + HOST + b"X_Api_Key: k\r\n\r\n",
    "two-authorizations": GET + HOST + b"Authorization: a\r\nAuthorization: b\r\n\r\n",
    # host
    "no-host": GET + b"\r\n",
    "no-host-1.0": b"GET /v1/x HTTP/1.0\r\n\r\n",
    "two-hosts": GET + HOST + HOST + b"\r\n",
    "two-hosts-other-case": GET + HOST + b"hOST: other\r\n\r\n",
    "empty-host": GET + b"Host:\r\n\r\n",
    "host-slash": GET + b"Host: h/v1\r\n\r\n",
    "host-question": GET + b"Host: h?x\r\n\r\n",
    "host-fragment": GET + b"Host: h#x\r\n\r\n",
    "host-user": GET + b"Host: u@h\r\n\r\n",
    "host-list": GET + b"Host: h, other\r\n\r\n",
    # the request line
    "absolute-form": b"GET http://h/v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute-form-other-host": b"GET https://other/v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "authority-form": b"CONNECT h:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect-with-path": b"CONNECT /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk-form": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "trace": b"TRACE /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "unknown-method": b"BREW /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "lower-case-method": b"get /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "version-0.9": b"GET /v1/x\r\n\r\n",
    "version-1.2": b"GET /v1/x HTTP/1.2\r\n" + HOST + b"\r\n",
    "version-2": b"GET /v1/x HTTP/2.0\r\n" + HOST + b"\r\n",
    "version-lower-case": b"GET /v1/x http/1.1\r\n" + HOST + b"\r\n",
    "version-long": b"GET /v1/x HTTP/1.10\r\n" + HOST + b"\r\n",
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls-hello": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    "two-spaces": b"GET  /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "tab-for-space": b"GET\t/v1/x\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "space-behind-version": b"GET /v1/x HTTP/1.1 \r\n" + HOST + b"\r\n",
    "space-in-path": b"GET /v1/ x HTTP/1.1\r\n" + HOST + b"\r\n",
    "empty-line-first": b"\r\nGET /v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "not-ascii-path": b"GET /v1/\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul-in-path": b"GET /v1/x\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    # the path
    "dot-segments": b"GET /v1/x/../admin HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-dots": b"GET /v1/x/%2e%2e/admin HTTP/1.1\r\n" + HOST + b"\r\n",
    "half-escaped-dots": b"GET /v1/x/.%2E/admin HTTP/1.1\r\n" + HOST + b"\r\n",
    "twice-escaped-dots": b"GET /v1/x/%252e%252e/admin HTTP/1.1\r\n" + HOST + b"\r\n",
    "double-slash": b"GET //v1/x HTTP/1.1\r\n" + HOST + b"\r\n",
    "double-slash-inside": b"GET /v1//x HTTP/1.1\r\n" + HOST + b"\r\n",
    "backslash": b"GET /v1\\x HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-backslash": b"GET /v1/x/%5c..%5c HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-nul": b"GET /v1/x/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-line-end": b"GET /v1/x/%0d%0aX-A:%201 HTTP/1.1\r\n" + HOST + b"\r\n",
    "parameter": b"GET /v1/x;a=b HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-slash-in-route": b"GET /v1%2fx HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped-letters": b"GET /v1/x/%61dmin HTTP/1.1\r\n" + HOST + b"\r\n",
    "overlong-utf8": b"GET /v1/x/%c0%ae%c0%ae HTTP/1.1\r\n" + HOST + b"\r\n",
    "broken-escape": b"GET /v1/x/%4 HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /v1/x#y HTTP/1.1\r\n" + HOST + b"\r\n",
}
"""Refused with status 400."""

REFUSED_OTHERWISE: dict[str, tuple[int, bytes]] = {
    "too-many-headers": (
        431,
        GET + HOST + b"".join(b"X-%d: 1\r\n" % n for n in range(100)) + b"\r\n",
    ),
    "large-head": (431, GET + HOST + b"X-A: " + b"a" * 66_000 + b"\r\n\r\n"),
    "endless-header": (431, GET + HOST + b"X-A: " + b"a" * 66_000),
    "endless-target": (431, b"GET /" + b"a" * 66_000),
    "large-length": (413, POST + b"Content-Length: 1001\r\n\r\n" + b"a" * 1001),
    "huge-length": (413, POST + b"Content-Length: 999999999999999\r\n\r\n"),
    "large-chunk": (413, CHUNKED + b"\r\n3e9\r\n"),
    "many-chunks": (413, CHUNKED + b"\r\n" + b"1\r\na\r\n" * 1001),
    "unknown-expectation": (417, POST + b"Expect: 200-ok\r\nContent-Length: 3\r\n" + BODY),
}

SERVED: dict[str, tuple[bytes, bytes]] = {
    "get": (GET + HOST + CLOSE + b"\r\n", b"GET /v1/x "),
    "length": (POST + CLOSE + b"Content-Length: 3\r\n" + BODY, b"POST /v1/x abc"),
    "length-zeros": (POST + CLOSE + b"Content-Length: 003\r\n" + BODY, b"POST /v1/x abc"),
    "length-zero": (POST + CLOSE + b"Content-Length: 0\r\n\r\n", b"POST /v1/x "),
    "length-limit": (
        POST + CLOSE + b"Content-Length: 1000\r\n\r\n" + b"a" * 1000,
        b"POST /v1/x " + b"a" * 1000,
    ),
    "chunked": (CHUNKED + CLOSE + CHUNKS, b"POST /v1/x abc"),
    "chunked-other-case": (
        POST + CLOSE + b"transfer-ENCODING: Chunked\r\n" + CHUNKS,
        b"POST /v1/x abc",
    ),
    "chunk-eight-digits": (
        CHUNKED + CLOSE + b"\r\n00000003\r\nabc\r\n00\r\n\r\n",
        b"POST /v1/x abc",
    ),
    "chunk-limit": (
        CHUNKED + CLOSE + b"\r\n3E8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n",
        b"POST /v1/x " + b"a" * 1000,
    ),
    "no-space-behind-colon": (GET + b"Host:h\r\n" + CLOSE + b"\r\n", b"GET /v1/x "),
    "spaces-around-value": (GET + b"Host: \t h\t \r\n" + CLOSE + b"\r\n", b"GET /v1/x "),
    "empty-value": (GET + HOST + CLOSE + b"X-A:\r\n\r\n", b"GET /v1/x "),
    "not-ascii-value": (GET + HOST + CLOSE + b"X-A: \xc3\xa4\r\n\r\n", b"GET /v1/x "),
    "own-underscore": (GET + HOST + CLOSE + b"my_header: 1\r\n\r\n", b"GET /v1/x "),
    "header-repeated": (GET + HOST + CLOSE + b"Accept: a\r\nAccept: b\r\n\r\n", b"GET /v1/x "),
    "version-1.0": (b"GET /v1/x HTTP/1.0\r\n" + HOST + b"\r\n", b"GET /v1/x "),
    "hundred-headers": (GET + HOST + CLOSE + MANY + b"\r\n", b"GET /v1/x "),
    "escaped-slash": (
        b"GET /v1/models/org%2Fname HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        b"GET /v1/models/org/name ",
    ),
    "escaped-model": (
        b"GET /model/a%3A0/x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        b"GET /model/a:0/x ",
    ),
    "query": (b"GET /v1/x?a=..//;%2e HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", b"GET /v1/x "),
    "upgrade-ignored": (
        POST
        + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        + b"Content-Length: 3\r\n"
        + BODY,
        b"POST /v1/x abc",
    ),
    "ipv6-host": (GET + b"Host: [::1]:8080\r\n" + CLOSE + b"\r\n", b"GET /v1/x "),
}
"""By name: the bytes, and what the application says to them."""
