"""Spends a limit through the app's Service, and a little more: exactly the limit must pass.

`python probe.py URL LIMIT`; each request is a connection of its own, and so goes to any pod.
"""

import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from secrets import token_hex

from sidegate import Limits, parse_limits

TOO_MANY = 10


def ask(url: str, key: str) -> int:
    """Return the status of one request."""
    request = urllib.request.Request(url, headers={"x-api-key": key})  # noqa: S310  # http
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        sys.exit(f"{url} doesn't answer: {getattr(error, 'reason', error)}. Are its pods ready?")


def most(limits: Limits, seconds: float) -> int:
    """Return how many may pass in so many seconds: what has come back meanwhile, too."""
    return min(it.burst + int(seconds * it.tokens / it.window) for it in limits)


def main() -> None:
    """Exit with 1 unless the limit held to the last token."""
    url, limits = sys.argv[1], parse_limits(sys.argv[2])
    key, began = token_hex(8), time.monotonic()
    seen = Counter(ask(url, key) for _ in range(limits.smallest_burst + TOO_MANY))
    least, at_most = limits.smallest_burst, most(limits, time.monotonic() - began)
    wanted = f"{least}" if least == at_most else f"{least} to {at_most}"
    sys.stdout.write(f"{dict(seen)}; expected {wanted} times 200, and 429 for the others\n")
    sys.exit(not (least <= seen[200] <= at_most and seen[200] + seen[429] == seen.total()))


if __name__ == "__main__":
    main()
