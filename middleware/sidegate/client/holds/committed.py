"""What a commit has come to. Pure."""

from typing import NamedTuple


class Committed(NamedTuple):
    """What a commit has come to; the same the second time as the first."""

    actual: int  #: tokens that stay charged
    given_back: int  #: of those held
    charged: int  #: beyond those held
