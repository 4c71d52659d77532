"""What a client takes from its arguments, or else from the environment; read at one place.

What is wrong in code raises ValueError, where the code is. What is wrong in the environment is the
fault of whoever deploys, and must not take the app down: the log says it, and checks go by
`on_unreachable`.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from sidegate.buckets.decision import OnUnreachable, require_on_unreachable
from sidegate.client.environment import NO, YES, unknown
from sidegate.client.memory import MODES
from sidegate.client.unreachable.alone import Alone
from sidegate.client.unreachable.outage import CONSEQUENCE
from sidegate.errors import shown
from sidegate.link.address import Address, parse_address
from sidegate.link.endpoint import Endpoint
from sidegate.protocol.handshake import MAX_NAME_BYTES, Identity, is_name
from sidegate.trust.secrets import MIN_BYTES, SecretFile, known, parse_secrets
from sidegate.trust.tls import Tls

if TYPE_CHECKING:
    from sidegate.buckets.decision import Decision
    from sidegate.buckets.limits import Limits
    from sidegate.client.rules.pushed_rules import PushedRules
    from sidegate.client.unreachable.fallback import Fallback
    from sidegate.protocol.handshake import Secrets
    from sidegate.ruleset.ruleset import RuleSet
    from sidegate.telemetry.checks import CheckTelemetry

C = TypeVar("C", bound="Configured")

log = logging.getLogger("sidegate")

DEFAULT_SIDECAR = "127.0.0.1:7171"
DEFAULT_BUDGET = 0.05  # seconds: what a request may lose to a limiter that doesn't answer
MAX_BUDGET = 60.0
NOWHERE = Address("127.0.0.1", 0)  # nobody can listen there, and nobody is asked
_NO_OTEL = "opentelemetry-api to be installed, which is what the extra sidegate[otel] has"
_CURE = "Set it to the sidecar's --link, such as 127.0.0.1:7171."


class AsksForRules(Protocol):
    """What asks the sidecar in one loop, or for the threads of one process."""

    def rules(self, pushed: PushedRules, /) -> RuleSet | None:
        """Return the sidecar's rules, and hear of them from now on."""
        ...


class Configured(ABC):
    """What is made from the options of a client: Client and BlockingClient, which have the same."""

    def __init__(
        self,
        sidecar: str | None = None,
        *,
        budget: float = DEFAULT_BUDGET,
        on_unreachable: str = "open",
        secret: str | bytes | None = None,
        tls: Tls | None = None,
        remember_denials: bool = True,
        name: str = "app",
        otel: bool | None = None,
        lease: bool | None = None,
    ) -> None:
        """Read the options; ValueError names one that can't be used.

        - `sidecar`: "HOST:PORT" or "unix:/PATH" (default: SIDEGATE_SIDECAR, or 127.0.0.1:7171);
          "memory" keeps limits in this process only, "off" allows everything: nobody is asked.
        - `budget`: the seconds that a check may take, up to 60.
        - `on_unreachable`: what is answered when the sidecar doesn't: "open", "closed" or "local".
        - `secret`: proves who we are on TCP (default: that in the file SIDEGATE_SECRET_FILE, which
          may change, or SIDEGATE_SECRET); of several, one a line, the first.
        - `tls`: the files for TLS; none are needed on a Unix socket.
        - `remember_denials`: False asks about each check, also where it was denied a moment ago.
        - `name`: how the sidecar's log calls this app.
        - `otel`: True makes spans and counts of OpenTelemetry (default: SIDEGATE_OTEL, or False);
          see docs/running/tracing.md.
        - `lease`: False borrows no tokens of busy keys ahead (default: SIDEGATE_LEASE, or True);
          see docs/apps/leases.md.
        """
        options = client_options(
            *(sidecar, budget, secret, tls, name),
            on_unreachable=on_unreachable,
            otel=otel,
            lease=lease,
        )
        alone = Alone(str(options.sidecar), on_unreachable)
        self._pushed: PushedRules | None = None  # once somebody wants the sidecar's rules
        self._set_up(options, alone, remembers=remember_denials)

    @abstractmethod
    def _set_up(self, options: Endpoint, alone: Alone, *, remembers: bool) -> None:
        """Called once, with what the options say."""

    def watch_rules(self, copy: object = None, *, follows: bool = False) -> PushedRules:
        """Want the rules of the sidecar, of which `rules` then tells; the first call counts.

        `copy` is a file that keeps what was pushed last. Who `follows` decides without the sidecar
        as those rules say, and lets through where they say nothing.
        """
        if self._pushed is None:
            from sidegate.client.rules.pushed_rules import PushedRules  # noqa: PLC0415 - few do

            self._pushed = PushedRules(copy, self._follow if follows else None)
        elif copy is not None:
            raise _wrong("rules_copy", copy, "none, for a client whose rules are watched already")
        return self._pushed

    def _follow(self, policy: OnUnreachable | None) -> None:
        self._without_sidecar().change_policy(policy or OnUnreachable.OPEN)

    def rules(self) -> RuleSet | None:
        """Return the rules in force at the sidecar, None while none are known here.

        It waits for nothing. From the first call on, in each event loop, they are heard of: at each
        connection, and as they change; in threads by a thread over a connection of its own.
        """
        return self._here().rules(self._pushed or self.watch_rules())

    @property
    def fallback(self) -> Fallback:
        """What decides when the sidecar doesn't; all loops and threads share its buckets."""
        return self._without_sidecar().fallback

    @property
    def nodes(self) -> int:
        """How many nodes are on the ring, as the sidecar last said."""
        return self._without_sidecar().nodes

    def decide_alone(self, key: str, limits: Limits, cost: int, why: str) -> Decision:
        """Decide a check by `on_unreachable`, where it can't be asked; `why` is for the log."""
        return self._without_sidecar().unreachable((key, limits.text, cost), limits, why)

    @abstractmethod
    def _without_sidecar(self) -> Alone:
        """Return what decides for this process when the sidecar doesn't."""

    @abstractmethod
    def _here(self) -> AsksForRules:
        """Return what asks here."""


def client_options(
    sidecar: object,
    budget: object,
    secret: object,
    tls: object,
    name: object,
    *,
    on_unreachable: object = OnUnreachable.OPEN,
    otel: object = None,
    lease: object = None,
) -> Endpoint:
    """Return what the options of a client say. ValueError names an argument that can't be used.

    None for `sidecar`, `secret`, `otel` or `lease` means: take it from SIDEGATE_SIDECAR,
    SIDEGATE_OTEL, SIDEGATE_LEASE, SIDEGATE_SECRET_FILE or SIDEGATE_SECRET. What is wrong there is
    logged once, and `fault` says it if it stays wrong.
    """
    policy = require_on_unreachable(on_unreachable)
    seconds, who = require_seconds("budget", budget), _name(name)
    if tls is not None and not isinstance(tls, Tls):
        raise _wrong("tls", tls, "a sidegate.Tls, or None")
    telemetry, leases = _telemetry(otel), _leases(lease)
    mode = _mode(sidecar)
    address = None if mode else _address(sidecar)
    for line in unknown(os.environ):
        log_once(logging.WARNING, f"sidegate: {line}")
    if mode:
        return replace(_without_sidecar(mode, seconds, who, secret, tls), telemetry=telemetry)
    address, fault = (address, "") if address else _address_of_environment(policy)
    least = 1 if address.is_local else MIN_BYTES
    given = None if secret is None else _secrets(secret, least)
    secrets, other = (given, "") if given else _secrets_of_environment(policy, least)
    identity = Identity("app", who, "", secrets)
    fault = fault or other
    return Endpoint(address, seconds, identity, tls, fault, telemetry=telemetry, leases=leases)


def _mode(sidecar: object) -> str:
    """Return which of MODES is in the place of an address, "" for none."""
    given = sidecar or os.environ.get("SIDEGATE_SIDECAR")
    return given if isinstance(given, str) and given in MODES else ""


def _without_sidecar(
    mode: str, seconds: float, who: str, secret: object, tls: Tls | None
) -> Endpoint:
    """Return what nobody dials; a wrong secret in code is an error all the same."""
    decide, says = MODES[mode]
    log_once(logging.WARNING, f"sidegate: {says}")
    if secret is not None:
        _secrets(secret)
    return Endpoint(NOWHERE, seconds, Identity("app", who, "", known()), tls, instead=decide)


@lru_cache(maxsize=256)  # lines; what is wrong with an environment takes a few
def log_once(level: int, line: str) -> None:
    """Log a line about the environment, which all clients of a process share: once a process."""
    log.log(level, "%s", line)


# --- from code


def require_seconds(option: str, value: object, most: float = MAX_BUDGET) -> float:
    """Return the seconds that an option says; ValueError unless they are above 0, and not too many.

    `most` of them, by default what a budget may have.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
        return value
    raise _wrong(option, value, f"seconds, more than 0 and at most {most:g}")


def require_client(client: object, kind: type[C]) -> C | None:
    """Return the client that an option gives, None for none; ValueError for another kind."""
    if client is None or isinstance(client, kind):
        return client
    raise _wrong("client", client, f"a {kind.__name__}, or None")


def _name(name: object) -> str:
    if isinstance(name, str) and is_name(name):
        return name
    raise _wrong("name", name, f"1 to {MAX_NAME_BYTES} bytes of printable text")


def _address(sidecar: object) -> Address | None:
    """Return the address given, None if it is to come from the environment."""
    if sidecar is None:
        return None
    if not isinstance(sidecar, str):
        raise _wrong("sidecar", sidecar, "HOST:PORT, [IPV6]:PORT or unix:/PATH as text")
    if not sidecar:
        return None
    try:
        return parse_address(sidecar)
    except ValueError as error:
        raise ValueError(f"sidecar={shown(sidecar)}: {_reason(error, sidecar)}") from None


def _secrets(secret: object, least: int = 1) -> Secrets:
    """Return the secrets in an argument or a variable; ValueError, which never shows one."""
    if not isinstance(secret, (str, bytes)):
        kind = type(secret).__name__
        raise ValueError(f"secret (not shown): expected text or bytes, not {kind}")  # noqa: TRY004  # as any option
    if not secret:
        return known()
    try:
        # What isn't UTF-8 in the environment comes as surrogates, and is to be what it was.
        text = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
        return known(*parse_secrets(text, least))
    except UnicodeEncodeError:  # its text has some of the secret in it
        raise ValueError("secret (not shown): expected text in UTF-8, or bytes") from None
    except ValueError as error:
        raise ValueError(f"secret (not shown): {error}") from None


def _telemetry(otel: object) -> CheckTelemetry | None:
    """Return what makes spans and counts, None where that is switched off."""
    if otel is None:
        return _telemetry_of_environment()
    if not isinstance(otel, bool):
        raise _wrong("otel", otel, "True, False or None")
    try:
        return _new_telemetry() if otel else None
    except ImportError:
        raise _wrong("otel", otel, _NO_OTEL) from None


def _leases(lease: object) -> bool:
    """Return whether tokens of busy keys are borrowed; ValueError for what says neither."""
    if lease is None:
        return _leases_of_environment()
    if isinstance(lease, bool):
        return lease
    raise _wrong("lease", lease, "True, False or None")


def _new_telemetry() -> CheckTelemetry:
    from sidegate.telemetry.checks import CheckTelemetry  # noqa: PLC0415 - of an extra

    return CheckTelemetry()


# --- from the environment


def _telemetry_of_environment() -> CheckTelemetry | None:
    """Return what SIDEGATE_OTEL switches on; where it can't be, the log says so."""
    text = os.environ.get("SIDEGATE_OTEL", "").strip().lower()
    fault = "" if text in YES | NO else "expected 1, true, yes or on; or 0, false, no or off"
    try:
        if text in YES:
            return _new_telemetry()
    except ImportError:
        fault = f"expected {_NO_OTEL}"
    if fault:
        line = f"sidegate: SIDEGATE_OTEL={shown(text)}: {fault}. Nothing is traced or counted"
        log_once(logging.ERROR, line)
    return None


def _leases_of_environment() -> bool:
    """Return what SIDEGATE_LEASE says; where it says nothing that can be read, the log does."""
    text = os.environ.get("SIDEGATE_LEASE", "").strip().lower()
    if text and text not in YES | NO:
        fault = "expected 1, true, yes or on; or 0, false, no or off"
        log_once(logging.ERROR, f"sidegate: SIDEGATE_LEASE={shown(text)}: {fault}. It is on")
    return not text or text not in NO


def _address_of_environment(policy: OnUnreachable) -> tuple[Address, str]:
    """Return the address in SIDEGATE_SIDECAR and what is wrong with it, if anything is."""
    text = os.environ.get("SIDEGATE_SIDECAR") or DEFAULT_SIDECAR
    try:
        return parse_address(text), ""
    except ValueError as error:
        fault = f"SIDEGATE_SIDECAR={shown(text)}: {_reason(error, text)}"
    _tell(f"{fault}; no sidecar is asked", policy, _CURE)
    return NOWHERE, fault


def _secrets_of_environment(policy: OnUnreachable, least: int) -> tuple[Secrets, str]:
    """Return the secrets in the environment and what stays wrong with them, if anything does.

    Those in a file are read again when it changes, and it may come later.
    """
    if path := os.environ.get("SIDEGATE_SECRET_FILE"):
        return _file_of_environment(path, policy, least), ""
    try:
        return _secrets(os.environ.get("SIDEGATE_SECRET", ""), least), ""
    except ValueError as error:
        fault = f"SIDEGATE_SECRET{str(error).removeprefix('secret')}"
    _tell(f"{fault}; no sidecar is asked", policy, "Set it to the secret of the sidecar.")
    return known(), fault


def _file_of_environment(path: str, policy: OnUnreachable, least: int) -> SecretFile:
    file = SecretFile(path, required=False, least=least)
    if file.fault:
        why = file.fault.removeprefix(f"secret file {path!r}: ")
        fault = (
            f"SIDEGATE_SECRET_FILE={shown(path)}: {why}; until that is mended no sidecar is asked"
        )
        _tell(fault, policy, "Put the secret of the sidecar there; no restart is needed.")
    return file


def _tell(fault: str, policy: OnUnreachable, cure: str) -> None:
    consequence = f"requests are {CONSEQUENCE[policy]} (on_unreachable={policy.value})"
    log_once(logging.ERROR, f"sidegate: {fault}, and {consequence}. {cure}")


# --- what is wrong


def _wrong(option: str, value: object, expected: str) -> ValueError:
    return ValueError(f"{option}={shown(value)}: expected {expected}")


def _reason(error: ValueError, text: str) -> str:
    """Return what is wrong with an address, without the address, however long that is."""
    return str(error).removeprefix(f"address {text!r}: ")
