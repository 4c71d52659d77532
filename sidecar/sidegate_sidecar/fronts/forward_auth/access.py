"""Access: which proxies are answered, and whose word on their clients is taken."""

from __future__ import annotations

from functools import lru_cache
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sidegate.http.request.proxies import MAX_ADDRESSES, parse_ip, parse_proxies
from sidegate_sidecar.fronts.forward_auth.proxied_request import SECRET

if TYPE_CHECKING:
    from sidegate.http.request.proxies import Proxies
    from sidegate_sidecar.config import Config
    from sidegate_sidecar.fronts.forward_auth.heads import AuthHead

MAX_REMEMBERED: Final = 64  # characters of X-Forwarded-For: 16,384 of these take 4 MB


class ProxyAccess:
    """Decides by the address, which is among those that were named, or by the secret.

    Where TLS takes the secret's place whoever comes has shown a certificate.
    """

    def __init__(self, config: Config) -> None:
        self.proxies = parse_proxies(config.auth_proxies)
        self._config = config
        self._remembered = lru_cache(MAX_ADDRESSES)(self._client)  # an eighth of all that we do

    def trusts(self, address: str) -> bool:
        """Tell whether a proxy at that address needs no secret."""
        by_certificate = self._config.tls is not None and not self._config.http_tokens()
        return by_certificate or self.proxies.trusts(address)

    def proves(self, head: AuthHead) -> bool:
        """Tell whether a proxy shows the secret."""
        shown = head.fields.get(SECRET, ())
        if len(shown) != 1:
            return False
        right = [compare_digest(shown[0], it) for it in self._config.http_tokens()]
        return any(right)  # after all of them: time tells nothing

    def proxies_with(self, address: str) -> Proxies:
        """Return the proxies that are named, and the one at that address."""
        if self.proxies.trusts(address):
            return self.proxies
        return parse_proxies([*self._config.auth_proxies, str(parse_ip(address))])

    def client(self, proxy: str, forwarded: str) -> str:
        """Return the address of the client for which a proxy asks that we believe."""
        if len(forwarded) > MAX_REMEMBERED:
            return self._client(proxy, forwarded)
        return self._remembered(proxy, forwarded)

    def _client(self, proxy: str, forwarded: str) -> str:
        return self.proxies_with(proxy).client(proxy, forwarded)
