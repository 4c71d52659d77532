"""Text from elsewhere, made safe to show: names and keys may hold line breaks and escape codes."""


def visible(text: str) -> str:
    """Return the text with everything that doesn't print written as in a Python literal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
