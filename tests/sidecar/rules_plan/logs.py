"""Lines of access logs, as servers write them, and what is read from them."""

from typing import Final

from sidegate.http.request.proxies import NO_PROXIES
from sidegate_sidecar.rules_plan.logged_request import LoggedRequest
from sidegate_sidecar.rules_plan.text_lines import TextLines

BEGIN: Final = 1_790_000_000  # 2026-09-21T14:13:20Z
SECOND: Final = 10**9
CLIENT: Final = "192.0.2.1"


def common(
    at: int = 0, path: str = "/", method: str = "GET", client: str = CLIENT, status: int = 200
) -> str:
    """Return a line of the Common Log Format, `at` so many seconds of the minute."""
    time = f"21/Sep/2026:14:{14 + at // 60}:{at % 60:02} +0000"
    return f'{client} - - [{time}] "{method} {path} HTTP/1.1" {status} 12'


def request_of(line: str) -> LoggedRequest:
    """Return the request that a line of text says."""
    return TextLines(NO_PROXIES).read(line)
