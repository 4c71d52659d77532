"""Spellings of a request line: what a client may write for the path and the method of a view."""

from collections.abc import Iterable
from itertools import product
from typing import Final

# In all of them {path} is the path as it should be (/v1/items), {tail} the same without its first
# slash; the others are at `_words`.
PATHS: Final = (
    # slashes
    *("{path}", "{path}/", "{bare}", "/{path}", "//{path}", "/{path}//", "{wide}", "/{wide}//"),
    # dot segments
    *("/.{path}", "/x/..{path}", "{path}/.", "{path}/./", "{path}/x/..", "{dotted}", "/..{path}"),
    *("{path}/..;/", "{path}/..", "/..;{path}", "/.;{path}"),
    # decoys: views and exempt paths that it would be if dots were resolved
    *("{path}/../other", "{path}/../../healthz", "/other/..{path}", "/healthz/..{path}"),
    *("{path}/..%2fhealthz", "{path}/%2e%2e/%2e%2e/healthz", "{path}/../../static/x"),
    # percent-encoding, once, twice, broken, too long
    *("{one}", "{all}", "{double}", "%2F{tail}", "/%2F{tail}", "{path}%2F", "{encoded}"),
    *("/%2e{path}", "/x/%2e%2e{path}", "/x%2f..{path}", "{path}/%2e", "{path}%2f%2e"),
    *("/%c0%af{tail}", "{path}%c0%af", "{path}%", "{path}%zz", "/%u006c{tail}", "{path}%5c"),
    # ends of strings and lines, and what is white
    *("{path}%00", "{path}%0a", "{path}%0d", "{path}%0d%0a", "{path}%0a%0a", "%0a{path}"),
    *("{path}%20", "{path}%09", "/%20{tail}", "{path}\t", "\t{path}", "{path} ", " {path}"),
    *("{path}%c2%a0", "{path}%e2%80%a8", "{path}%85", "{path}%c2%85", "{path}\xa0", "{path}\x0b"),
    # query, fragment, parameters
    *("{path}?", "{path}?x", "{path}/?x", "{path}#", "{path}#x", "{path};", "{path};x=1"),
    *("{path}%3f", "{path}%3fx", "{path}%23", "{path}%23x", "{path}%3b", "{path}%3bx"),
    # other letters, other ends
    *("{upper}", "{path}.", "{path}.json", "{path}*", "/\\{tail}", "\\{tail}", "{path}\\"),
    # with scheme and authority
    *("http://localhost{path}", "http://localhost/{path}", "http://localhost{path}/"),
    *("HTTP://LOCALHOST{path}", "http://other@localhost{path}", "https://localhost{path}"),
    *("http://localhost:80{path}", "http://[::1]{path}", "http://{path}"),
    *("http:{path}", "x:{path}"),
    *("http:/{path}", "x://y{path}", "http://localhost{one}", "http://localhost/.{path}"),
    *("http://localhost{path}?x", "http://localhost{path}#x", "http://localhost{path};x"),
    *("http://localhost{path}%3fx", "http://localhost{path}%23x", "http://localhost{path}%3bx"),
    *("http%3a//localhost{path}", "http://localhost%2f{tail}", "http://localhost%3f{path}"),
    *("http://localhost", "http://localhost?{path}", "http://localhost{path}%0a"),
    *("http://localhost/static{path}", "http://localhost/healthz/..{path}"),
    *("x:{split}", "x:{tail}", "x://y{path};x", "x:{one}%23x", "%09{path}", "%0a{split}"),
    # no path, or one that begins otherwise
    *("*", "{tail}", "?", "?{path}", "#", "#{path}", ";{path}", "localhost{path}"),
    *(".{path}", "*{path}"),
    *("//localhost{path}", "///localhost{path}", "/localhost{path}", "/http://localhost{path}"),
)

# Instead of a parameter, which is 7 in paths.
VALUES: Final = (
    *("%00", "%01%02", "%0a", "%0d%0a7", "%20", "%09", "7%00", "%7f", "%ff", "%c2%85", "%e2%80%8b"),
    *(".", "..", "...", "%2e", "%2e%2e", "%2e%2e%2f", ".%00", "%00..", ";", "7;x", "~", "*", "%2a"),
    *("%2f", "7%2f8", "%252f", "7%252f8", "%252e%252e%252f", "%25252e", "%252525252e", "%255c"),
    *("%25", "%2500", "%3f", "%23", "7%3fx", "7%23x", "%5c", "\\", "%5c..", "http:", "x:%2f%2fy"),
)

# The first two with every path, the others with the first three.
METHODS: Final = {
    "GET": ("GET", "get", "HEAD", "head", "Get", "gET"),
    "POST": ("POST", "post", "Post", "pOST"),
}
FULL: Final = 2
FEW: Final = ("{path}", "/{path}", "{path}/")

LINE: Final = "{method} {target} HTTP/1.1"
LINES: Final = (
    "{method} {target} HTTP/1.0",
    "{method} {target} http/1.1",
    "{method} {target} HTTP/1.1 ",
    "{method}\t{target}\tHTTP/1.1",
    "{method}  {target}  HTTP/1.1",
    " {method} {target} HTTP/1.1",
    "\r\n{method} {target} HTTP/1.1",
    "{method}\x0b{target} HTTP/1.1",
)
BARE: Final = "{method} {target}"  # HTTP/0.9: its answer is a body without fields


def targets(path: str, spellings: Iterable[str] = PATHS) -> list[str]:
    """Return what a client may write for a path, each once."""
    words = _words(path)
    return list(dict.fromkeys(spelling.format(**words) for spelling in spellings))


def values(path: str) -> list[str]:
    """Return a path with other values of its parameter."""
    return [path.replace("7", value) for value in VALUES]


def _words(path: str) -> dict[str, str]:
    tail = path[1:]
    letters = [f"%{ord(letter):02x}" if letter != "/" else letter for letter in tail]
    return {
        "path": path,
        "tail": tail,
        "bare": path.rstrip("/"),
        "wide": path.replace("/", "//"),
        "dotted": path.replace("/", "/./"),
        "encoded": "/" + tail.replace("/", "%2f"),
        "one": "/" + tail[:-1] + "".join(letters[-1:]),
        "all": "/" + "".join(letters),
        "double": "/" + "".join(letters).replace("%", "%25"),
        "upper": path.upper(),
        "split": path[:2] + "%09" + path[2:],
    }


def request_lines(method: str, path: str) -> list[str]:
    """Return every spelling of a request line: paths with methods, and odd lines."""
    methods = METHODS[method]
    pairs = [
        *product(methods[:FULL], targets(path)),
        *product(methods[FULL:], targets(path, FEW)),
    ]
    odd = [line.format(method=method, target=path) for line in LINES for method in methods[:FULL]]
    return [LINE.format(method=method, target=target) for method, target in pairs] + odd


def request(line: str, *fields: str) -> bytes:
    """Return a request without a body, on a connection that ends with it."""
    head = (line, "Host: localhost", "Connection: close", "Content-Length: 0", *fields, "", "")
    return "\r\n".join(head).encode("latin-1")
