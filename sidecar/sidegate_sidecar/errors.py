"""How a command ends that can't do what it was asked: a line for people, a code for scripts."""

DENIED = 1
NOT_DONE = 1
NOT_SERVING = 1
BAD_INPUT = 2
OUT_OF_REACH = 3
NOT_TAKEN = 4
NOT_SAVED = 5


class Failure(Exception):  # noqa: N818  # named for what a person sees
    """What went wrong and what to do about it, in one line, and the exit code."""

    def __init__(self, exit_code: int, text: str) -> None:
        super().__init__(exit_code, text)
        self.exit_code = exit_code
        self.text = text

    def __str__(self) -> str:
        return self.text
