"""Spends a limit through the app's Service, and a little more: exactly the limit must pass.

`python probe.py URL TOKENS`; each request is a connection of its own, and so goes to any pod.
"""

import sys
import urllib.error
import urllib.request
from collections import Counter
from secrets import token_hex

TOO_MANY = 10


def ask(url: str, key: str) -> int:
    """Return the status of one request."""
    request = urllib.request.Request(url, headers={"x-api-key": key})  # noqa: S310  # http
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> None:
    """Exit with 1 unless the limit held to the last token."""
    url, tokens = sys.argv[1], int(sys.argv[2])
    key = token_hex(8)
    seen = Counter(ask(url, key) for _ in range(tokens + TOO_MANY))
    wanted = {200: tokens, 429: TOO_MANY}
    sys.stdout.write(f"{dict(seen)}, expected {wanted}\n")
    sys.exit(dict(seen) != wanted)


if __name__ == "__main__":
    main()
