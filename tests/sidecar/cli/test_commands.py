"""The command: what it is told, what it says, and with which code it ends."""

from pathlib import Path
from socket import gethostname

import pytest

from sidegate.buckets.decision import OnUnreachable
from sidegate.link.address import parse_address
from sidegate.protocol.standing_messages import OnSplit
from sidegate.trust.secrets import SecretFile
from sidegate.trust.tls import Tls
from sidegate.version import __version__
from sidegate_sidecar import process
from sidegate_sidecar.config import Config, Role
from sidegate_sidecar.reports.shown_keys import ShownKeys
from tests.support.certificates import Authority
from tests.support.in_process.commands import Ending, Run

Told = list[tuple[Config, str]]


# --- help


def test_help_says_what_there_is(run: Run) -> None:
    """Each command explains itself, with what its exit codes mean."""
    for command in (
        "",
        "serve",
        "check",
        "nodes",
        "owner",
        "peek",
        "reset",
        "leave",
        "forget",
        "top",
        "health",
        "demo",
    ):
        ending = run(*command.split(), "--help")
        assert ending.code == 0
        assert "Exit codes" in ending.out
    assert run("serve", "-h").code == 0


def test_without_a_command_there_is_help(run: Run) -> None:
    """Nothing to do is wrong usage; the help goes to stderr."""
    ending = run()
    assert (ending.code, ending.out) == (2, "")
    assert "serve" in ending.err


def test_the_version_is_said(run: Run) -> None:
    assert run("--version") == Ending(0, f"sidegate {__version__}\n", "")


def test_help_names_each_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help of serve has every option with its name in the environment."""
    monkeypatch.setenv("COLUMNS", "200")
    text = run("serve", "--help").out
    for option, variable in VARIABLES.items():
        assert f"{option} " in text
        assert f"[env var: {variable}]" in text
    for itself in ("SIDEGATE_SECRET.", "SIDEGATE_NODE_SECRET.", "SIDEGATE_HTTP_TOKEN."):
        assert itself in text


# --- options of serve

RING_SEED = b"0123456789abcdef"
NAMES = (
    *("name", "link", "socket", "socket-mode", "http", "resp", "auth", "cluster", "secret-file"),
    "auth-proxies",
    *("node-secret-file", "http-token-file", "ring-seed-file", "tls-cert", "tls-key", "tls-ca"),
    *("insecure", "on-unreachable", "on-split", "budget", "max-memory", "max-connections"),
    *("role", "zone", "drain"),
    *("state-file", "rules", "report-rules", "report-memory", "report-keys", "log-level"),
)
VARIABLES = {f"--{name}": f"SIDEGATE_{name.replace('-', '_').upper()}" for name in NAMES}
VARIABLES["--seed"] = "SIDEGATE_SEEDS"


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, str]]:
    """Return what serve was told, instead of serving: options and log level."""
    told: list[tuple[Config, str]] = []

    def note(config: Config, log_level: str) -> None:
        told.append((config, log_level))

    monkeypatch.setattr(process, "run_until_signal", note)
    return told


def test_serve_has_defaults(run: Run, configured: Told) -> None:
    """Without any option a sidecar is for this machine, under the name of the host."""
    assert run("serve").code == 0
    assert configured == [(Config(name=gethostname()), "info")]


@pytest.fixture
def everything(tmp_path: Path) -> dict[str, str]:
    """Return a value for each option of serve, none of them the default."""
    for what in ("secret", "node", "token"):
        (tmp_path / what).write_text(f"the {what} that opens it\n")
    ring_seed = tmp_path / "ring-seed"
    ring_seed.write_bytes(RING_SEED + b"\r\n")
    tls = Authority().issue(tmp_path / "tls", "n1")
    return {
        "--name": "n1",
        "--link": "[::1]:1",
        "--socket": "/run/h.sock",
        "--socket-mode": "0606",
        "--http": "127.0.0.1:2",
        "--resp": "[::1]:4",
        "--auth": "[::1]:5",
        "--auth-proxies": "10.0.0.0/8,192.0.2.7",
        "--seed": "a:1, b:2,[::1]:3",
        "--cluster": "blue",
        "--secret-file": str(tmp_path / "secret"),
        "--node-secret-file": str(tmp_path / "node"),
        "--http-token-file": str(tmp_path / "token"),
        "--ring-seed-file": str(ring_seed),
        "--tls-cert": tls.cert,
        "--tls-key": tls.key,
        "--tls-ca": tls.ca,
        "--insecure": "true",
        "--on-unreachable": "local",
        "--on-split": "hold-down",
        "--budget": "0.2",
        "--max-memory": "64MiB",
        "--max-connections": "64",
        "--role": "leaf",
        "--zone": "eu-1a",
        "--drain": "2.5",
        "--state-file": str(tmp_path / "state"),
        "--rules": str(rules_in(tmp_path)),
        "--report-rules": "5",
        "--report-memory": "2MiB",
        "--report-keys": "hashed",
        "--log-level": "error",
    }


def rules_in(folder: Path) -> Path:
    file = folder / "rules.yaml"
    file.write_text("version: 1\nrules: [{name: api, limits: 5/minute}]\n")
    return file


def expected(given: dict[str, str]) -> Config:
    return Config(
        name="n1",
        link=parse_address("[::1]:1"),
        http=parse_address("127.0.0.1:2"),
        resp=parse_address("[::1]:4"),
        auth=parse_address("[::1]:5"),
        auth_proxies=("10.0.0.0/8", "192.0.2.7"),
        socket="/run/h.sock",
        socket_mode=0o606,
        seeds=tuple(map(parse_address, ("a:1", "b:2", "[::1]:3"))),
        cluster="blue",
        secret_file=SecretFile(given["--secret-file"]),
        node_secret_file=SecretFile(given["--node-secret-file"]),
        http_token_file=SecretFile(given["--http-token-file"]),
        ring_seed=RING_SEED,
        tls=Tls(given["--tls-cert"], given["--tls-key"], given["--tls-ca"]),
        insecure=True,
        on_unreachable=OnUnreachable.LOCAL,
        on_split=OnSplit.HOLD_DOWN,
        budget=0.2,
        max_memory=64 << 20,
        max_connections=64,
        role=Role.LEAF,
        zone="eu-1a",
        drain=2.5,
        state_file=given["--state-file"],
        rules=given["--rules"],
        report_rules=5,
        report_memory=2 << 20,
        report_keys=ShownKeys.HASHED,
    )


def test_options_come_from_flags(run: Run, configured: Told, everything: dict[str, str]) -> None:
    assert everything.keys() == VARIABLES.keys()
    words = [word for option in everything.items() for word in option]
    words.remove("true")
    assert run("serve", *words).code == 0
    assert configured == [(expected(everything), "error")]


def test_options_come_from_the_environment(
    run: Run, configured: Told, everything: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for option, value in everything.items():
        monkeypatch.setenv(VARIABLES[option], value)
    assert run("serve").code == 0
    assert configured == [(expected(everything), "error")]


def test_empty_variables_are_none(
    run: Run, configured: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that a template left empty is as good as not set."""
    for variable in [*VARIABLES.values(), "SIDEGATE_SECRET", "SIDEGATE_RING_SEED"]:
        monkeypatch.setenv(variable, "")
    assert run("serve").code == 0
    assert configured == [(Config(name=gethostname()), "info")]


def test_seeds_may_be_repeated(run: Run, configured: Told) -> None:
    """--seed several times, each perhaps with several."""
    run("serve", "--seed", "a:1,b:2", "--seed", "c:3")
    assert [str(seed) for seed in configured[0][0].seeds] == ["a:1", "b:2", "c:3"]


def test_the_secret_comes_from_the_environment(
    run: Run, configured: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SIDEGATE_SECRET is the secret itself; a file, where one is given, has the last word."""
    monkeypatch.setenv("SIDEGATE_SECRET", "schlüssel")
    file = tmp_path / "secret"
    file.write_text("from the file")
    run("serve")
    run("serve", "--secret-file", str(file))
    monkeypatch.setenv("SIDEGATE_SECRET", "new\nold")
    run("serve")
    assert [told.secrets() for told, _ in configured] == [
        ("schlüssel".encode(),),
        (b"from the file",),
        (b"new", b"old"),
    ]


WRONG = {
    "--name": ("a\tb", "'a\\tb': expected 1 to 253 bytes of printable text"),
    "--link": ("7171", "'7171': expected HOST:PORT"),
    "--http": ("127.0.0.1:70000", "expected HOST:PORT or [IPV6]:PORT, with a port from 0 to 65535"),
    "--resp": ("7173", "'7173': expected HOST:PORT"),
    "--auth": ("127.0.0.1:7175", "'127.0.0.1:7175': expected --rules FILE beside it"),
    "--auth-proxies": ("10.0.0.1/8", "'10.0.0.1/8': expected networks: 10.0.0.1/8 has host bits"),
    "--socket": ("/" + "s" * 200, "expected at most 103 bytes"),
    "--socket-mode": ("rw", "'rw': expected a mode in octal, such as 660"),
    "--seed": ("a:1,b", "'b': expected HOST:PORT"),
    "--cluster": ("\x07", "'\\x07': expected 1 to 253 bytes"),
    "--secret-file": ("/nowhere", "'/nowhere': expected a file with the secret: No such file"),
    "--node-secret-file": ("/nowhere", "expected a file with the node secret: No such file"),
    "--http-token-file": ("/nowhere", "expected a file with the http token: No such file"),
    "--ring-seed-file": ("/nowhere", "'/nowhere': expected a file with a seed: No such file"),
    "--tls-cert": ("/nowhere", "'/nowhere': expected a PEM file: No such file"),
    "--on-unreachable": ("shut", "'shut': expected one of open, closed, local"),
    "--on-split": ("never", "'never': expected one of optimistic, hold-down, quorum"),
    "--budget": ("soon", "'soon': expected seconds, above 0"),
    "--max-memory": ("1e6", "'1e6': expected bytes, such as \"256MiB\""),
    "--max-connections": ("0", "'0': expected at least 1"),
    "--role": ("twig", "'twig': expected one of owner, leaf"),
    "--zone": ("eu 1", "'eu 1': expected up to 63 letters, digits"),
    "--drain": ("0", "'0': expected seconds, above 0"),
    "--state-file": ("/nowhere/state", "'/nowhere/state': expected a path in a folder that can"),
    "--rules": ("/nowhere.yaml", "'/nowhere.yaml': expected a file with rules: No such file"),
    "--report-rules": ("many", "'many': expected a whole number"),
    "--report-memory": ("1KiB", "'1KiB': expected at least 64KiB"),
    "--report-keys": ("bare", "'bare': expected one of plain, masked, hashed"),
    "--log-level": ("loud", "'loud': expected one of debug, info, warning, error"),
}


@pytest.mark.parametrize("option", WRONG)
def test_a_bad_option_is_named(option: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line has the flag, the variable, the value, and what was expected: by either way in."""
    value, words = WRONG[option]
    flag = run("serve", option, value)
    monkeypatch.setenv(VARIABLES[option], value)
    variable = run("serve")
    assert (flag.code, variable.code) == (2, 2)
    assert flag.complaint == variable.complaint
    assert f"{option} (or {VARIABLES[option]}) " in flag.complaint
    assert words in flag.complaint


def test_rules_that_cannot_be_used_are_said_by_their_lines(run: Run, tmp_path: Path) -> None:
    file = rules_in(tmp_path)
    file.write_text("version: 1\nrules:\n- {name: api, limits: 5/lightyear}\n")
    said = run("serve", "--rules", str(file))
    assert said.code == 2
    assert f"{file}:3: rules[0].limits: " in said.complaint
    assert "5/lightyear" in said.complaint


def test_a_place_for_state_is_looked_at_first(run: Run, configured: Told, tmp_path: Path) -> None:
    """A file that could never be saved is said before anything is served."""
    assert run("serve", "--state-file", str(tmp_path / "missing" / "state")).code == 2
    assert run("serve", "--state-file", "/dev/null").code == 2
    assert configured == []
    assert run("serve", "--state-file", str(tmp_path / "state")).code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_flag_in_the_environment_is_yes_or_no(
    run: Run, configured: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIDEGATE_INSECURE may say yes or no in several ways, but not maybe."""
    for value in ("1", "true", "YES", "on", "0", "false", "No", "off"):
        monkeypatch.setenv("SIDEGATE_INSECURE", value)
        run("serve")
    assert [told.insecure for told, _ in configured] == [True] * 4 + [False] * 4
    monkeypatch.setenv("SIDEGATE_INSECURE", "maybe")
    ending = run("serve")
    assert ending.code == 2
    assert "--insecure (or SIDEGATE_INSECURE) 'maybe': expected 1" in ending.complaint


def test_an_open_door_is_refused(run: Run) -> None:
    """A link that others can reach needs a secret, TLS or --insecure, and the line says so."""
    ending = run("serve", "--link", "0.0.0.0:7171")
    assert ending.code == 2
    assert "--link (or SIDEGATE_LINK) '0.0.0.0:7171': other machines can" in ending.complaint
    assert "--secret-file" in ending.complaint


def test_a_wrong_secret_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The complaint about a secret names its variable, and not the secret, in all commands."""
    monkeypatch.setenv("SIDEGATE_SECRET", "sesame\n" * 5)
    for command in ("serve", "reset k"):
        assert run(*command.split()).complaint == (
            "sidegate: SIDEGATE_SECRET '(not shown)': 5 secrets, expected 1 to 4, one a line\n"
        )


def test_files_for_tls_go_together(run: Run, everything: dict[str, str], tmp_path: Path) -> None:
    """All three or none, all readable, and fitting."""
    cert, key, ca = (everything[f"--tls-{file}"] for file in ("cert", "key", "ca"))
    assert "--tls-key (or SIDEGATE_TLS_KEY) ''" in run("serve", "--tls-cert", cert).complaint
    assert "--tls-cert (or SIDEGATE_TLS_CERT) ''" in run("serve", "--tls-ca", ca).complaint
    other = Authority().issue(tmp_path / "other", "n2").key
    files = ("--tls-cert", cert, "--tls-key", other, "--tls-ca", ca)
    assert "not usable" in run("serve", *files).complaint
    files = ("--tls-cert", cert, "--tls-key", key, "--tls-ca", __file__)
    assert "not usable" in run("serve", *files).complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("serve --bogus", "No such option: --bogus"),
        ("serve --budget", "'--budget' requires an argument"),
        ("serve extra", "unexpected extra argument"),
        ("bogus", "No such command 'bogus'"),
        ("check", "Missing argument 'KEY'"),
        ("check k", "Missing argument 'LIMITS'"),
        ("check k 1/s --cost one", "--cost 'one': expected a whole number"),
        ("peek", "expected KEY or --identity"),
        ("nodes --http somewhere", "--http (or SIDEGATE_HTTP) 'somewhere': expected HOST:PORT"),
        ("leave --drain never", "--drain (or SIDEGATE_DRAIN) 'never': expected seconds"),
        ("demo --seconds -3", "--seconds '-3': expected seconds, above 0"),
        ("peek \udcff", "'\\udcff': expected text in UTF-8"),
    ],
)
def test_wrong_usage_is_one_line(arguments: str, words: str, run: Run) -> None:
    ending = run(*arguments.split())
    assert ending.code == 2
    assert words in ending.complaint
