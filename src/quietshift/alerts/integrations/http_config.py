"""`http_config` and `tls_config`: who we are to a server, and whom we trust."""

from __future__ import annotations

from urllib.parse import urlsplit

from quietshift.alerts.integrations.fields import Place, exclusive, web_address
from quietshift.channels.access import NONE, HttpAccess, OAuth2, Proxy, Secret, Tls
from quietshift.kernel.config import Node

AUTH = ("basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file")
PROXY = ("proxy_url", "proxy_from_environment", "no_proxy", "proxy_connect_header")
HTTP_FIELDS = (*AUTH, "tls_config", *PROXY, "http_headers", "follow_redirects", "enable_http2")
TLS_FIELDS = (
    "ca", "ca_file", "cert", "cert_file", "key", "key_file", "server_name", "insecure_skip_verify", "min_version", "max_version",
)
OAUTH2_FIELDS = (
    "client_id", "client_secret", "client_secret_file", "scopes", "token_url", "endpoint_params", "tls_config", *PROXY,
    "grant_type",
)
VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
# what a request needs itself, or what says who we are: has settings of its own
RESERVED = frozenset({
    "authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive",
    "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding", "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds", "x-amz-date", "x-amz-security-token",
    "x-amz-content-sha256",
})  # fmt: skip


def access(node: Node, place: Place) -> HttpAccess:
    """What is written here; nothing is inherited within it, as in Alertmanager."""
    f = node.fields(*HTTP_FIELDS)
    basic = f["basic_auth"].fields("username", "username_file", "password", "password_file")
    token = f["authorization"].fields("type", "credentials", "credentials_file")
    exclusive(node, *(f[key] for key in AUTH))
    scheme = token["type"].text("Bearer").strip() or "Bearer"
    if scheme.lower() == "basic":
        token["type"].error("for basic authentication use basic_auth")
    f["enable_http2"].boolean(True)
    return HttpAccess(
        username=_secret(basic, "username", place),
        password=_secret(basic, "password", place),
        scheme=scheme if not f["authorization"].missing else "",
        credentials=_secret(token, "credentials", place) or _secret(f, "bearer_token", place),
        oauth2=_oauth2(f["oauth2"], place),
        tls=certificates(f["tls_config"], place),
        proxy=_proxy(node, f),
        headers=_headers(f["http_headers"], place),
        follow_redirects=f["follow_redirects"].boolean(True),
    )


def certificates(node: Node, place: Place) -> Tls:
    """A `tls_config`; one that is not written is the default."""
    f = node.fields(*TLS_FIELDS)
    made = Tls(
        ca=_secret(f, "ca", place),
        cert=_secret(f, "cert", place),
        key=_secret(f, "key", place),
        server_name=f["server_name"].text(),
        insecure_skip_verify=f["insecure_skip_verify"].boolean(),
        min_version=_version(f["min_version"]),
        max_version=_version(f["max_version"]),
    )
    if made.cert and not made.key:
        node.error("a certificate needs its key: key or key_file")
    if made.key and not made.cert:
        node.error("a key needs its certificate: cert or cert_file")
    if made != Tls():
        _usable(node, made)
    return made


def _usable(node: Node, made: Tls) -> None:
    """Certificates that are there have to be some; files may come later, as with Alertmanager."""
    from quietshift.channels import tls

    try:
        tls.context(made)
    except OSError as error:
        node.warning(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        node.error(str(error).removeprefix("tls_config: "))


def _version(node: Node) -> str:
    return "" if node.missing else node.choice(*VERSIONS)


def _oauth2(node: Node, place: Place) -> OAuth2 | None:
    if node.missing:
        return None
    f = node.fields(*OAUTH2_FIELDS)
    if f["grant_type"].text("client_credentials") != "client_credentials":
        f["grant_type"].error("only client_credentials is supported")
    return OAuth2(
        client_id=f["client_id"].required(),
        token_url=f["token_url"].parsed(web_address, "") if f["token_url"].required() else "",
        client_secret=_secret(f, "client_secret", place),
        scopes=tuple(f["scopes"].texts()),
        endpoint_params=tuple((name, Secret(each.text())) for name, each in f["endpoint_params"].entries().items()),
        tls=certificates(f["tls_config"], place),
        proxy=_proxy(node, f),
    )


def _proxy(node: Node, f: dict[str, Node]) -> Proxy:
    url, environment = f["proxy_url"].parsed(_proxy_address, ""), f["proxy_from_environment"].boolean()
    exceptions = f["no_proxy"].text()
    header = [
        (name, Secret(each.text()))
        for name, values in f["proxy_connect_header"].entries().items()
        for each in values.items()
    ]
    if environment and url:
        node.error("with proxy_from_environment there is no proxy_url")
    if environment and exceptions:
        node.error("with proxy_from_environment there is no no_proxy: it is taken from the environment too")
    if exceptions and not url and not environment:
        f["no_proxy"].error("needs a proxy_url")
    if header and not url and not environment:
        f["proxy_connect_header"].error("needs proxy_url or proxy_from_environment")
    return Proxy(Secret(url) if url else NONE, environment, exceptions, tuple(header))


def _proxy_address(text: str) -> str:
    if text and urlsplit(text).scheme.startswith("socks"):
        raise ValueError("SOCKS proxies are not supported yet: http or https")
    return web_address(text) if text else ""


def _headers(node: Node, place: Place) -> tuple[tuple[str, Secret], ...]:
    found: list[tuple[str, Secret]] = []
    for name, entry in node.entries().items():
        if name.lower() in RESERVED or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            entry.error("a header of this name cannot be set here")
        f = entry.fields("values", "secrets", "files")
        found += [(name, Secret(each.text())) for key in ("values", "secrets") for each in f[key].items()]
        found += [(name, Secret(file=place.file(each))) for each in f["files"].items()]
    return tuple(found)


def _secret(f: dict[str, Node], name: str, place: Place) -> Secret:
    inline, file = f[name], f[f"{name}_file"]
    exclusive(inline if not inline.missing else file, inline, file)
    if not file.missing:
        return Secret(file=place.file(file))
    return Secret(inline.text()) if inline.text() else NONE
