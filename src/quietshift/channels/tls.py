"""TLS contexts from configured certificates, for HTTP and SMTP alike. A file that was replaced is read anew."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from quietshift.channels.access import Tls

VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1, "TLS11": ssl.TLSVersion.TLSv1_1, "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


def stamp(tls: Tls) -> tuple[tuple[int, int], ...]:
    """What changes when a certificate's file is replaced. Raises OSError where one is missing."""
    found = [Path(file).stat() for file in tls.files]
    return tuple((one.st_mtime_ns, one.st_ino) for one in found)


def context(tls: Tls) -> ssl.SSLContext:
    """The context for these settings. Raises OSError (a missing file) and ValueError (no certificate in it)."""
    return _context(tls, stamp(tls))


@lru_cache(maxsize=64)
def _context(tls: Tls, _stamp: object) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = VERSIONS.get(tls.min_version, ssl.TLSVersion.TLSv1_2)
    if tls.max_version:
        made.maximum_version = VERSIONS[tls.max_version]
    if tls.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    try:
        if tls.ca:
            made.load_verify_locations(cadata=tls.ca.read())
        else:
            made.load_default_certs()
        if tls.cert:
            with _as_file(tls.cert.read()) as cert, _as_file(tls.key.read()) as key:
                made.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        what = "the CA" if tls.ca and not tls.cert else "the client certificate or its key" if not tls.ca else "a certificate"
        raise ValueError(f"tls_config: {what} cannot be used: {error.reason or error.strerror or 'not PEM'}") from None
    return made


def _no_password() -> str:
    raise ValueError("tls_config: the key is encrypted; write it without a passphrase")


@contextmanager
def _as_file(pem: str) -> Iterator[str]:
    """OpenSSL's chain loader takes file names only; a key that is written inline does not have to reach a disk for it."""
    number = os.memfd_create("pem")
    try:
        os.write(number, pem.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
