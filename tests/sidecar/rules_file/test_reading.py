"""A rules file: what it is read as, and on which line each mistake in it stands."""

from pathlib import Path

import pytest

from sidegate_sidecar.rules_file.faults import MAX_ALIASES, MAX_BYTES, MAX_VALUES
from sidegate_sidecar.rules_file.rules_file import UnusableFile, load_rules, rules_in

YAML = """\
version: 1
exempt: [/healthz, /metrics]
plans: {free: {api: 60/minute}}
tenants:
  id: header:x-tenant
  default: free
  overrides:
    acme: {api: 5000/minute, until: 2027-01-31}
rules:
  - name: login
    match:
      path: /login
      methods: [POST]
      headers: {x-app: on}
    limits: 5/minute
  - {name: api, limits: "plan:api", mode: 10 %}
"""
TOML = """\
version = 1
exempt = ["/healthz", "/metrics"]
[plans.free]
api = "60/minute"
[tenants]
id = "header:x-tenant"
default = "free"
overrides.acme = {api = "5000/minute", until = 2027-01-31}
[[rules]]
name = "login"
limits = "5/minute"
[rules.match]
path = "/login"
methods = ["POST"]
headers.x-app = "on"
[[rules]]
name = "api"
limits = "plan:api"
mode = "10 %"
"""


def wrong(file: str, text: str | bytes) -> list[str]:
    with pytest.raises(UnusableFile) as caught:
        rules_in(file, text if isinstance(text, bytes) else text.encode())
    return str(caught.value).splitlines()


def test_both_formats_mean_the_same(tmp_path: Path) -> None:
    """Days and words stay as they are written."""
    digests = set[str]()
    for name, text in (("a.yaml", YAML), ("a.yml", YAML), ("A.TOML", TOML)):
        (tmp_path / name).write_text(text, "utf-8-sig")
        found = load_rules(tmp_path / name)
        digests.add(found.digest)
        assert found.document.rules[0].match.headers == {"x-app": "on"}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("version: 1", "version: 2", "1: version: 2: expected 1, the only one there is"),
        (
            "/metrics]",
            "/metrics?]",
            (
                "2: exempt[1]: '/metrics?' can never match: the query is no"
                ' part of a path: leave out all from "?" on'
            ),
        ),
        (
            "2027-01-31",
            "soon",
            (
                "8: tenants.overrides.acme.until: 'soon': expected a day such as"
                " 2027-01-31, which is the last, or a moment such as 2027-01-31T12:00:00Z"
            ),
        ),
        (
            "path: /login",
            "path: /x/{id}",
            (
                "12: rules[0].match.path: '/x/{id}' can never match: a"
                ' route\'s parameter matches no path: write "*" for it'
            ),
        ),
        (
            "5/minute\n",
            "5\n",
            (
                "15: rules[0].limits: 5: expected a text (in quotes, if it looks like"
                " something else) or a list"
            ),
        ),
        (
            "10 %",
            "10",
            ("16: rules[1].mode: 10: expected a text (in quotes, if it looks like something else)"),
        ),
        (
            'limits: "plan',
            'limit: "plan',
            (
                "16: rules[1].limit: 'plan:api': expected no such field here, but one of name,"
                " limits, match, key, cost, max_fraction, mode, in_flight, lease, sync; did you"
                " mean limits?"
            ),
        ),
        (
            'limits: "plan:api", ',
            "",
            "16: rules[1]: {'mode': '10 %', 'name': 'api'}: expected the field limits in it",
        ),
        (
            "default: free",
            "default: free\n  id: header:x",
            ('7: tenants.id: "id" stands here twice, first on line 5'),
        ),
        ("default: free", "<<: {}", '6: tenants: "<<": expected no merging of mappings'),
        ("default: free", "[a]: b", "6: tenants: a name that is no text"),
        ("free: {api", "!!map free: {api", "3: plans: a name that is no text"),
        (
            "{free: {",
            "!!python/object:os.path {free: {",
            ('3: plans: the tag "tag:yaml.org,2002:python/object:os.path", expected none'),
        ),
        (
            "[POST]",
            "*them",
            ("13: rules[0].match.methods: *them: expected &them on a value before it"),
        ),
        (
            "[POST]",
            "&me [*me]",
            ("13: rules[0].match.methods[0]: *me: expected &me on a value before it"),
        ),
        ("rules:", "---\nrules:", "9: a second document begins, expected one in a file"),
        (
            "free: {api",
            "free: {x: [api",
            ("3: no YAML: while parsing a flow sequence did not find expected ',' or ']'"),
        ),
        ("/login\n", "\x07\n", "12: no YAML: control characters are not allowed (7)"),
    ],
)
def test_each_mistake_has_its_line(old: str, new: str, line: str) -> None:
    """In YAML exactly."""
    assert old in YAML
    assert wrong("f.yaml", YAML.replace(old, new, 1)) == [f"f.yaml:{line}"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("version = 1", "version = 2", "1: version"),
        ("/metrics", "/metrics?", "2: exempt[1]"),
        ('"60/minute"', '"60"', "4: plans.free.api"),
        ("2027-01-31", "2027-01-31T10:00:00", "8: tenants.overrides.acme.until"),
        ('"5/minute"', "5.5", "11: rules[0].limits"),
        ('"/login"', '"/x?"', "13: rules[0].match.path"),
        ('x-app = "on"', "x-app = true", "15: rules[0].match.headers.x-app"),
        ('"10 %"', '"10"', "19: rules[1].mode"),
        ('limits = "plan:api"\n', "", "16: rules[1]"),
        ("version = 1", f"version = 0x{'f' * 5_000}", "1: version: a number of more than 64 bits"),
        ("version = 1", f"version = {'9' * 5_000}", "1: a number of more than 64 bits"),
        ("version = 1", "version = 1\nversion = 1", "2: no TOML: Cannot overwrite a value"),
        ("version = 1", "version = 1\n" + "a." * 300 + "b=1", "2: more than 256 dots in a row"),
        ("version = 1", "a = " + "[" * 9_000, "1: nested deeper than 16"),
        ("version = 1", "a = " + "[" * 20 + "]" * 20, "1: a"),
    ],
)
def test_mistakes_in_toml_have_lines(old: str, new: str, line: str) -> None:
    assert old in TOML
    (told,) = wrong("f.toml", TOML.replace(old, new, 1))
    assert told.startswith(f"f.toml:{line}")


def test_all_mistakes_are_told_in_order() -> None:
    text = YAML.replace("10 %", "ten").replace("/metrics", "m").replace("[POST]", '["*"]')
    assert [it.split(":")[1] for it in wrong("f.yaml", text)] == ["2", "13", "16"]


def test_what_is_no_text_is_refused() -> None:
    assert wrong("f.yaml", b"a: 1\nb: \xff") == ["f.yaml:2: no UTF-8: b'\\xff'"]
    assert wrong("f.json", "{}") == [
        "f.json:1: the file's name ends with '.json', expected one of .yaml, .yml, .toml"
    ]
    assert wrong("f.yaml", "") == [
        "f.yaml:1: the file: nothing: expected a mapping with version, rules and more"
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#" * (MAX_BYTES + 1), f"more than {MAX_BYTES:,} bytes"),
        ("[" * 100_000, "nested deeper than 16"),
        ("- " * 100_000, "nested deeper than 16"),
        (
            "a: &a ["
            + "1," * 99
            + "]\n"
            + "".join(f"a{n}: &a{n} [" + f"*a{n - 1 if n else ''}," * 9 + "]\n" for n in range(9)),
            f"more values than {MAX_VALUES:,}",
        ),
        ("a: &a 1\nb: [" + "*a," * (MAX_ALIASES + 1) + "]", f"more aliases than {MAX_ALIASES:,}"),
        ("a: [" + "1," * MAX_VALUES + "]", f"more values than {MAX_VALUES:,}"),
    ],
)
def test_bombs_are_refused(text: str, why: str) -> None:
    """Before anything large is built."""
    (told,) = wrong("f.yaml", text)
    assert told.endswith(why)


def test_an_alias_is_the_value_again() -> None:
    text = "version: 1\nrules:\n- {name: a, limits: &l 5/s, match: {path: /a}}\n"
    found = rules_in("f.yaml", f"{text}- {{name: b, limits: *l}}\n".encode())
    assert [it.limits for it in found.document.rules] == ["5/second", "5/second"]
