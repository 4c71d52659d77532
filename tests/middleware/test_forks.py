"""What begins anew in a forked process."""

import os

from sidegate.forks import begins_in_children


class Inherited:
    """Begins by making others, as a client does that has a table of its own."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.made: list[Inherited] = []
        self.has_begun = False
        begins_in_children(self)

    def begin_child(self) -> None:
        self.made = [Inherited(depth) for depth in range(self.depth)]
        self.has_begun = True


def test_all_begin_anew_also_where_some_make_others_by_it() -> None:
    inherited = [Inherited(40) for _ in range(8)]
    child = os.fork()
    if child == 0:
        os._exit(0 if all(it.has_begun for it in inherited) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not any(it.has_begun for it in inherited)
