"""Failures to get an answer, as clients print them.

Knows words of clients and of the system (errno names, OpenSSL's and curl's texts), not what caused the failure.
"""

from __future__ import annotations

from collections.abc import Iterable

from mantle_iam.mantle.exchange import Exchange, TransportFailure, TransportFailureKind
from mantle_iam.mantle.transcript.found import Found, compiled, line_end, line_start, places

_Kind = TransportFailureKind

# Exact causes come first: one trouble is usually told several times, from the cause to `Connection error.`
_PHRASES: tuple[tuple[_Kind, tuple[str, ...]], ...] = (
    (
        _Kind.PROXY,
        (
            "ProxyError", "Tunnel connection failed", "from proxy after CONNECT", "Cannot connect to proxy",
            "Unable to connect to proxy", "Could not resolve proxy", "407 Proxy Authentication Required",
        ),
    ),
    (
        _Kind.DNS,
        (
            "Could not resolve host", "ENOTFOUND", "NXDOMAIN", "EAI_AGAIN", "EAI_NONAME", "Name or service not known",
            "nodename nor servname", "Temporary failure in name resolution", "No address associated with hostname",
            "getaddrinfo failed", "no such host", "NameResolutionError", "UnknownHostException", "Failed to resolve",
            "failed to lookup address", "name resolution failed", "No such host is known",
        ),
    ),
    (
        _Kind.TLS,
        (
            "CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "SELF_SIGNED_CERT", "self-signed certificate",
            "self signed certificate", "unable to get local issuer", "UNABLE_TO_GET_ISSUER_CERT",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SSL certificate problem", "CERT_HAS_EXPIRED", "certificate has expired",
            "ERR_TLS_CERT_ALTNAME_INVALID", "PKIX path building failed", "SSLHandshakeException", "x509: certificate",
            "invalid peer certificate", "tls: failed to verify", "SSL: WRONG_VERSION_NUMBER", "SSL_ERROR_SYSCALL",
            "SSL_connect", "SSLError", "SSLCertVerificationError",
        ),
    ),
    (
        _Kind.CONNECT,
        (
            "ECONNREFUSED", "Connection refused", "connection refused", "ECONNRESET", "Connection reset by peer",
            "EHOSTUNREACH", "ENETUNREACH", "No route to host", "Network is unreachable", "Failed to connect to",
            "Couldn't connect to server", "NewConnectionError", "actively refused",
        ),
    ),
    (
        _Kind.TIMEOUT,
        (
            "ConnectTimeout", "ReadTimeout", "ETIMEDOUT", "Connection timed out", "Operation timed out", "Request timed out",
            "request timed out", "timed out after", "Read timed out", "Connect timeout on endpoint", "Read timeout on endpoint",
            "APITimeoutError", "APIConnectionTimeoutError", "context deadline exceeded", "UND_ERR_CONNECT_TIMEOUT",
            "UND_ERR_HEADERS_TIMEOUT", "TimeoutException", "SocketTimeoutException", "operation timed out", "timed out",
        ),
    ),
    (
        _Kind.PROTOCOL,
        (
            "RemoteProtocolError", "Server disconnected without sending", "Empty reply from server", "BadStatusLine",
            "IncompleteRead", "Received HTTP/0.9 when not allowed", "socket hang up", "UND_ERR_SOCKET",
        ),
    ),
    (
        _Kind.CONNECT,
        (
            "Could not connect to the endpoint URL", "EndpointConnectionError", "APIConnectionError", "Connection error.",
            "Unable to connect to API", "Unable to connect", "error sending request for url", "TypeError: fetch failed",
            "FetchError", "All connection attempts failed", "ConnectError",
        ),
    ),
)  # fmt: skip
_CURL = r"\bcurl: \((?P<code>[0-9]{1,2})\) (?P<detail>[^\n]{0,400})"
_CURL_KINDS = {
    5: _Kind.PROXY, 6: _Kind.DNS, 7: _Kind.CONNECT, 28: _Kind.TIMEOUT, 35: _Kind.TLS, 51: _Kind.TLS, 52: _Kind.PROTOCOL,
    56: _Kind.CONNECT, 58: _Kind.TLS, 60: _Kind.TLS, 77: _Kind.TLS, 97: _Kind.PROXY,
}  # fmt: skip
"""Exit codes of https://everything.curl.dev/cmdline/exitcode.html that mean that no answer came."""

_URL = r"https?://[^\s\"'`<>)}\],]{4,2000}"
_HOST = (
    r"(?i)(?:host(?:name)?(?:[:=]|\s)\s{0,2}['\"]?|ENOTFOUND |EAI_AGAIN |lookup |resolve (?:host:? )?['\"]?|connect to |for )"
    r"((?:[a-z0-9${}_-]{1,63}\.){1,6}[a-z]{2,12}|localhost|"
    r"(?:[0-9]{1,3}\.){3}[0-9]{1,3})(?:[:, '\"]{1,4}(?:port[ =]{1,3})?([0-9]{2,5}))?"
)
_AROUND = 1_500


def find_failures(text: str) -> Iterable[Found]:
    """Every failure to get an answer, each once; the exact cause where the text names several for one host."""
    seen: dict[tuple[str | None, TransportFailureKind], None] = {}
    told: set[str | None] = set()
    lines: set[str] = set()
    for start, end, kind, detail in _candidates(text):
        if detail in lines:
            continue
        lines.add(detail)
        url = _url(text, start, end)
        if (url, kind) in seen or url in told or (url is None and told):
            continue
        seen[url, kind] = None
        told.add(url)
        yield Found(start, end, Exchange(url=url, failure=TransportFailure(kind, detail)))


def _candidates(text: str) -> Iterable[tuple[int, int, TransportFailureKind, str]]:
    if "curl: (" in text:
        for match in compiled(_CURL).finditer(text):
            kind = _CURL_KINDS.get(int(match["code"]))
            if "proxy" in match["detail"]:
                kind = _Kind.PROXY
            if kind is not None:
                yield match.start(), match.end(), kind, match[0]
    for kind, phrases in _PHRASES:
        for at, length in sorted((at, len(phrase)) for phrase in phrases for at in places(text, phrase)):
            start = max(line_start(text, at), at - 300)
            end = min(line_end(text, at + length), at + length + 300)
            yield start, end, kind, text[start:end].strip()


def _url(text: str, start: int, end: int) -> str | None:
    """The URL, or the host as one, in the words of the failure or near them."""
    own = text[start:end]
    near = text[max(0, start - _AROUND) : end + 300]
    for part in (own, near):
        url = compiled(_URL).search(part)
        if url:
            return url[0].rstrip(".,;:")
        host = compiled(_HOST).search(part)
        if host:
            port = f":{host[2]}" if host[2] and host[2] != "443" else ""
            return f"https://{host[1]}{port}"
    return None
