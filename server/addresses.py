"""From which addresses a server may be reached without TLS, and whose forwarded headers it believes. Pure."""

import ipaddress
from typing import Final

from server.refused import RefusedError
from server.settings import Settings

_MAPPED_BITS: Final = 96


def require_private(settings: Settings) -> None:
    """Raises RefusedError where others could reach this server without TLS, and nobody said that they may."""
    if settings.certificate or settings.proxies or settings.plain_http or is_loopback(settings.host):
        return
    message = (
        f"Plain HTTP on {settings.host} would show every record to the network: name --certificate and "
        "--certificate-key, or the proxies that end TLS with --proxies, or set ROUNDBOOK_PLAIN_HTTP=1 where the "
        "network itself is encrypted."
    )
    raise RefusedError(message)


def trusted(proxies: str) -> list[str]:
    """Addresses and networks, each also as a socket for both families writes it (::ffff:10.0.0.1)."""
    found = []
    for named in proxies.split(","):
        network = ipaddress.ip_network(named.strip())
        found.append(str(network))
        if network.version == 4:  # noqa: PLR2004 (the family)
            found.append(f"::ffff:{network.network_address}/{_MAPPED_BITS + network.prefixlen}")
    return found


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone. Of names, only localhost is known to be."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
