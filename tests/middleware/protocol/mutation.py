"""Mutation: bytes of real messages, with some of them changed."""

from hypothesis import strategies as st


def mutated(data: st.DataObject, body: bytes) -> bytes:
    """Return the body with up to four changes."""
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        match data.draw(st.sampled_from(["set", "insert", "delete", "double", "cut"])):
            case "set":
                changed[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "insert":
                changed[at:at] = data.draw(st.binary(max_size=6))
            case "delete":
                del changed[at : at + data.draw(st.integers(1, 6))]
            case "double":
                changed[at:at] = changed[at : at + 8]
            case _:
                del changed[at:]
    return bytes(changed)
