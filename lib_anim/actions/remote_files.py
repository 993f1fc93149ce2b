"""Download files that settings name by URL, where the host allows it."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lib_anim.actions.uploads import Uploads
from lib_anim.errors import FlipbookError, Problem, under_field

PATIENCE = 20.0
"""Seconds without a byte after which it is given up."""

LONGEST = 600.0
"""Seconds that one file may take."""

MOST_TURNS = 5
"""Redirections that are followed."""

AGENT = "Flipbook"


@dataclass(frozen=True)
class RemoteFiles:
    """What may be fetched, in the words of the WebUI's options."""

    enable: bool = False
    """`api_enable_requests`: whether addresses are fetched at all."""
    forbid_local: bool = True
    """`api_forbid_local_requests`: whether those of this machine and its network are refused."""
    agent: str = AGENT
    """`api_useragent`."""

    def fetch(self, address: str, uploads: Uploads, field: str) -> str:
        """The file of an http(s) address as an upload. Raises FlipbookError.

        The name is looked up once and the connection goes to the very number that was checked, so that a
        name which means something else a moment later leads nowhere. Every redirection is checked again.
        """
        if not self.enable:
            sentence = "addresses are not downloaded here; upload the file, or name a file of this machine"
            raise FlipbookError(Problem(sentence, field=field, code="url.not_downloaded"))
        for _ in range(MOST_TURNS + 1):
            try:
                with under_field(field):
                    found, turn = self._get(address, uploads)
            except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
                raise FlipbookError(
                    Problem(f"cannot be fetched ({_reason(error)})", field=field, code="url.not_downloaded")
                ) from error
            if found:
                return found
            address = urljoin(address, turn)
        raise FlipbookError(Problem("redirects without end", field=field, code="url.not_downloaded"))

    def _get(self, address: str, uploads: Uploads) -> tuple[str, str]:
        """(the upload, "") or ("", where to go on)."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FlipbookError(Problem("is not an http or https address", code="url.not_downloaded"))
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        number = self._number(parts.hostname, port)
        with closing(_Connection(number, parts.hostname, port, secure)) as connection:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            host = parts.netloc.rpartition("@")[2]
            connection.request("GET", target, headers={"Host": host, "User-Agent": self.agent})
            answer = connection.getresponse()
            if answer.status in (301, 302, 303, 307, 308):
                return "", answer.getheader("Location") or ""
            if answer.status != 200:
                raise FlipbookError(
                    Problem(f"responds with status {answer.status}", code="url.not_downloaded")
                )
            end = time.monotonic() + LONGEST
            with uploads.receive() as receiving:
                while piece := answer.read(1 << 16):
                    receiving.write(piece)
                    if time.monotonic() > end:
                        raise FlipbookError(
                            Problem(
                                f"takes longer than {LONGEST / 60:.0f} minutes", code="url.not_downloaded"
                            )
                        )
                return receiving.keep(), ""

    def _number(self, host: str, port: int) -> str:
        """The IP address to connect to. Raises FlipbookError when one of the name's must not be."""
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if self.forbid_local and not all(_is_public(number) for number in found):
            raise FlipbookError(
                Problem(
                    "resolves to an address of this machine's own network, which is not allowed here",
                    code="url.not_downloaded",
                )
            )
        return found[0]


def _is_public(number: str) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global and not (mapped or address).is_multicast


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


class _Connection(http.client.HTTPConnection):
    """A connection to a number that was checked, under the name that it was asked by."""

    def __init__(self, number: str, host: str, port: int, secure: bool) -> None:
        super().__init__(host, port, timeout=PATIENCE)
        self._number, self._secure = number, secure

    def connect(self) -> None:
        self.sock = socket.create_connection((self._number, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
