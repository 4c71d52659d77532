"""Rules that come from the sidecar: what options say of them, and how requests get them."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from sidegate.buckets.limits import Limits
from sidegate.errors import shown
from sidegate.http.request.request import Request
from sidegate.http.request_limiter import RequestLimiter
from sidegate.http.rules import Rule, read_limits

if TYPE_CHECKING:
    from sidegate.ruleset.compiled import CompiledRule
    from sidegate.ruleset.ruleset import RuleSet

log = logging.getLogger("sidegate")

SIDECAR: Final = "sidecar"
ALLOW: Final = "allow"
_OF_THE_FILE: Final = ("limits", "key", "cost", "preflights")  # what each rule says for itself
_WITH_IT: Final = ("default", "rules_copy")  # what has no meaning without


def comes_from_sidecar(options: Mapping[str, Any]) -> bool:
    """Tell whether rules do; ValueError for options that contradict it."""
    rules = options.get("rules")
    if isinstance(rules, str) and rules != SIDECAR:
        raise ValueError(f"rules={shown(rules)}: expected a list of Rules, or {SIDECAR!r}")
    others = _OF_THE_FILE if rules == SIDECAR else _WITH_IT
    for name in others:
        value: object = options.get(name)
        if value is not None and value is not False:
            why = "each rule of the file says that itself" if rules == SIDECAR else ""
            raise ValueError(f"{name}={shown(value)}: {why or f'belongs to rules={SIDECAR!r}'}")
    return rules == SIDECAR


def default_of(options: Mapping[str, Any]) -> object:
    """Return the limits or rules that apply until the sidecar's are there; () for none."""
    default: object = options.get("default")
    if default is None or default == ALLOW:  # without rules nothing is limited
        return ()
    if isinstance(default, str | Limits):
        return read_limits(default, "default")
    if type(default) in {list, tuple} and default:
        listed = cast("Sequence[object]", default)
        return read_limits(listed, "default") if isinstance(listed[0], str) else listed
    raise ValueError(
        f"default={shown(default)}: expected what applies until the sidecar's rules are there:"
        f" {ALLOW!r}, limits such as '100/minute', or a list of Rules"
    )


class RulesOfSidecar:
    """Those of a client's sidecar, for a RequestLimiter."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - a client, or what has several
        self._client = client
        self._said = ""  # why it couldn't say
        self._unknown: set[str] = set()  # names in code that no rule has, as far as was told

    def now(self) -> "RuleSet | None":
        """Return what is in force, None while nothing is known; the client hears of changes."""
        try:
            rules: RuleSet | None = self._client.rules()
        except Exception as error:  # noqa: BLE001 - the app must not suffer for its limiter
            self._failed(str(error) or type(error).__name__)
            return None
        return rules

    def _failed(self, why: str) -> None:
        if why != self._said:  # in a loop that ends, or isn't known: each request would say it
            self._said = why
            log.warning("sidegate: no rules from the sidecar: %s; what default= says applies", why)

    def questions(self, request: Request, root: str) -> Sequence[tuple[Rule, str, int]] | None:
        """Return what they ask about a request, None while there are none."""
        rules = self.now()
        return None if rules is None else rules.questions(request, time.time(), root)

    def named(self, name: str, done: str) -> "CompiledRule | None":
        """Return the rule of a name. Where there is none, the log says so, and what is `done`."""
        rules = self.now()
        found = None if rules is None else rules.by_name.get(name)
        if found is not None:
            self._unknown.discard(name)
        elif name not in self._unknown:
            self._unknown.add(name)
            why = "the sidecar's rules aren't known here" if rules is None else "it isn't there"
            log.warning("sidegate: rule %r of the sidecar: %s; %s", name, why, done)
        return found


def watch(
    limiter: RequestLimiter,
    client: Any,  # noqa: ANN401 - as above
    options: Mapping[str, Any],
    *,
    is_own: bool,
) -> None:
    """Have requests limited by the sidecar's rules. ValueError for a client that knows none.

    One that is our own decides as they say when the sidecar can't be asked, unless code says how.
    """
    if not hasattr(client, "watch_rules"):
        raise ValueError(f"client={shown(client)}: expected a Client where rules={SIDECAR!r}")
    follows = is_own and options.get("on_unreachable") is None
    client.watch_rules(options.get("rules_copy"), follows=follows)
    if not limiter.settings.enabled:  # then nobody is asked for anything
        return
    limiter.sidecar = limiter.names = RulesOfSidecar(client)
    if follows:
        limiter.policy = lambda: client.fallback.policy
