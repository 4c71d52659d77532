"""What an app borrows: spent without asking, renewed ahead, given back, never spent too long."""

from __future__ import annotations

from collections import Counter

from sidegate.buckets.decision import Decision, Source
from sidegate.buckets.limits import Limits, parse_limits
from sidegate.client.leases.leases import MAX_BORROWERS, AppLeases
from sidegate.client.leases.sampling import MIN_SAMPLES
from sidegate.protocol.holds.lease_messages import MAX_LEASE, Lent

MS = 1_000_000
NOW = 10**15
LIMITS = parse_limits("1000/second")
LAPSE = MAX_LEASE * 1_000
WHOLE = [0]  # debts of a bucket that is full
EMPTY = [1_000 * MS]


class Session:
    """AppLeases by a clock of their own."""

    def __init__(self, *, remembers: bool = True) -> None:
        self.leases = AppLeases(remembers=remembers)
        self.now = NOW

    def hot(self, key: str = "k", limits: Limits = LIMITS, size: int = 100) -> bool:
        """Ask so often, in turns of so many, that it is hot; is there something to say?"""
        checks = [(key, limits.asked, 1)] * size
        seen = [self.leases.saw(checks, [limits] * size, self.now) for _ in range(MIN_SAMPLES)]
        return any(seen)

    def lend(self, tokens: int, pause: int = 0, debts: list[int] = WHOLE, number: int = 1) -> None:
        """Answer what was asked."""
        ((it, _),) = self.leases.wishes
        self.leases.wishes.clear()
        lent = Lent(1, "owner", "n1", tokens, MAX_LEASE, number, pause, debts)
        self.leases.lent(it, lent, self.now)

    def check(self, cost: int = 1, key: str = "k", limits: Limits = LIMITS) -> Decision | None:
        """Check without asking."""
        return self.leases.spend(key, limits, cost, self.now)

    def spend(self, times: int) -> None:
        """Check so often, each time by a lease."""
        for _ in range(times):
            made = self.check()
            assert made is not None
            assert made.allowed


def borrowing(tokens: int = 100) -> Session:
    """Return a session that has borrowed so many."""
    session = Session()
    assert session.hot()
    session.lend(tokens)
    return session


class TestSpending:
    def test_a_check_is_allowed_while_there_are_tokens_for_it(self) -> None:
        session = borrowing(10)
        session.spend(10)
        assert session.check() is None

    def test_it_says_whose_tokens_they_are_and_what_the_owner_last_said(self) -> None:
        session = borrowing(10)
        assert session.check(3) == Decision(True, LIMITS, 3, WHOLE, Source.LEASE, "n1")
        assert session.check() == Decision(True, LIMITS, 1, WHOLE, Source.LEASE, "n1")

    def test_a_cost_takes_as_many_and_one_above_the_rest_is_asked_for(self) -> None:
        session = borrowing(10)
        assert session.check(8) is not None
        assert session.check(3) is None
        assert session.check(2) is not None

    def test_a_check_that_only_looks_is_asked_about(self) -> None:
        assert borrowing().check(0) is None

    def test_another_key_has_none_and_neither_have_other_limits_of_the_same_key(self) -> None:
        session = borrowing()
        assert session.check(key="l") is None
        assert session.check(limits=parse_limits("1001/second")) is None

    def test_limits_that_forbid_it_spend_none_and_are_never_hot(self) -> None:
        assert borrowing().check(limits=LIMITS.unleased()) is None
        assert not Session().hot(limits=LIMITS.unleased())

    def test_nothing_is_spent_from_when_it_lapses_counted_from_when_it_was_asked(self) -> None:
        session = Session()
        session.hot()
        session.now += LAPSE - 1  # the answer is late
        session.lend(10)
        assert session.check() is not None
        session.now += 1
        assert session.check() is None
        assert session.leases.returned == [("k", LIMITS.asked, 1, 9)]

    def test_what_comes_after_its_time_is_given_back_at_once(self) -> None:
        session = Session()
        session.hot()
        session.now += LAPSE
        session.lend(10)
        assert session.check() is None
        assert session.leases.returned == [("k", LIMITS.asked, 1, 10)]


class TestAsking:
    def test_few_checks_in_a_window_borrow_nothing(self) -> None:
        session = Session()
        for _ in range(20):
            assert not session.leases.saw([("k", LIMITS.asked, 1)], [LIMITS], session.now)
            session.now += 51 * MS

    def test_what_only_looks_is_never_hot(self) -> None:
        session = Session()
        for _ in range(20):
            assert not session.leases.saw([("k", LIMITS.asked, 0)], [LIMITS], session.now)

    def test_of_a_small_bucket_nothing_can_be_lent_so_nothing_is_asked(self) -> None:
        assert not Session().hot(limits=parse_limits("79/minute"))
        assert Session().hot(limits=parse_limits("80/minute"))

    def test_of_several_limits_the_smallest_counts(self) -> None:
        assert not Session().hot(limits=parse_limits("1000/second; 79/minute"))

    def test_when_half_is_spent_as_many_are_asked_for_as_are_spent_before_they_would_lapse(
        self,
    ) -> None:
        session = borrowing(100)
        session.now += 10 * MS
        session.spend(49)
        assert session.leases.wishes == []
        session.spend(1)
        assert [wanted for _, wanted in session.leases.wishes] == [50 * 6]
        session.lend(30, number=2)
        session.spend(80)
        assert session.leases.returned == [("k", LIMITS.asked, 1, 0)]

    def test_it_isn_t_asked_twice_at_a_time(self) -> None:
        session = borrowing(10)
        session.spend(10)
        assert session.check() is None
        assert len(session.leases.wishes) == 1

    def test_no_more_than_so_many_are_borrowed_of_at_a_time(self) -> None:
        session = Session()
        assert all(session.hot(f"k{at}") for at in range(MAX_BORROWERS - 1))
        session.now += LAPSE
        assert session.hot("one")
        assert not session.hot("another")
        assert len(session.leases.table) == MAX_BORROWERS

    def test_who_is_lent_nothing_by_an_owner_asks_again_soon_and_by_others_in_a_lapse(
        self,
    ) -> None:
        session = Session()
        session.hot()
        session.lend(0)
        assert session.check() is None
        assert session.leases.wishes == []
        session.now += 10 * MS
        assert session.check() is None
        ((it, _),) = session.leases.wishes
        session.leases.lent(it, Lent(1, "", "n1"), session.now)
        session.leases.wishes.clear()
        session.now += LAPSE - 1
        assert session.check() is None
        assert session.leases.wishes == []
        session.now += 1
        session.check()
        assert len(session.leases.wishes) == 1

    def test_an_answer_that_never_comes_is_waited_for_as_long_as_a_lease_would_last(self) -> None:
        session = Session()
        session.hot()
        session.leases.wishes.clear()
        for _ in range(9):
            session.check()
            session.now += LAPSE // 9 + 1
            session.leases.tick(session.now)
        session.now += LAPSE
        session.check()
        assert len(session.leases.wishes) == 1

    def test_where_nothing_can_be_lent_nobody_asks_for_as_long_as_the_owner_says(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 1_000_000, [])
        for _ in range(10):
            assert session.check() is None
            assert session.leases.wishes == []
            session.now += LAPSE
        session.check()
        assert len(session.leases.wishes) == 1

    def test_debts_that_fit_no_such_limits_are_no_answer(self) -> None:
        session = Session()
        session.hot()
        session.lend(10, debts=[1, 2])
        assert session.check() is None


class TestPauses:
    def test_what_an_owner_had_no_tokens_for_is_denied_while_it_says_so(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 2_000, EMPTY)
        denial = session.check()
        assert denial is not None
        assert (denial.allowed, denial.source, denial.wait) == (False, Source.REMEMBERED, 2 * MS)
        session.now += 2 * MS
        assert session.check() is None

    def test_and_what_it_had_tokens_for_is_asked_about(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 2_000, [998 * MS])  # two are left
        assert session.check(2) is None
        assert session.check(3) is not None

    def test_who_asks_all_the_time_is_denied_up_to_the_next_answer_but_not_for_long(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 2_000, EMPTY)
        assert all(session.check() for _ in range(4))
        session.now += 2 * MS
        assert session.check() is not None
        assert len(session.leases.wishes) == 1
        session.now += 25 * MS
        assert session.check() is None  # nobody has asked in between

    def test_and_for_50_ms_at_the_most(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 2_000, EMPTY)
        assert all(session.check() for _ in range(4))
        session.now += 2 * MS
        for _ in range(10):
            assert session.check() is not None
            session.now += 5 * MS
        assert session.check() is None

    def test_nobody_is_denied_for_longer_than_10_ms_on_an_owner_s_word(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 10**9, EMPTY)
        session.now += 10 * MS
        assert session.check() is None

    def test_who_remembers_no_denials_asks(self) -> None:
        session = Session(remembers=False)
        session.hot()
        session.lend(0, 2_000, EMPTY)
        assert session.check() is None

    def test_and_so_does_everyone_where_tokens_have_come_back(self) -> None:
        session = Session()
        session.hot()
        session.lend(0, 2_000, EMPTY)
        session.leases.ask_again("k", LIMITS)
        assert session.check() is None


class TestGivingBack:
    def test_when_nobody_asks_any_more(self) -> None:
        session = borrowing(10)
        session.spend(3)
        session.leases.tick(session.now)
        session.now += LAPSE // 2
        session.leases.tick(session.now)
        assert session.leases.take_returned() == [("k", LIMITS.asked, 1, 7)]
        assert session.leases.table == {}

    def test_before_it_lapses_when_fewer_ask(self) -> None:
        session = borrowing(100)
        for _ in range(7):
            session.spend(1)
            session.leases.tick(session.now)
            session.now += 11 * MS
        assert session.leases.take_returned() == [("k", LIMITS.asked, 1, 93)]
        assert len(session.leases.wishes) == 1  # and it has asked for fewer ahead

    def test_in_the_end_also_what_is_kept_ready_and_what_is_still_to_come(self) -> None:
        session = borrowing(10)
        session.spend(5)
        session.lend(20, number=2)
        session.spend(5)
        session.spend(10)
        session.leases.end()
        assert session.leases.take_returned() == [
            ("k", LIMITS.asked, 1, 0),
            ("k", LIMITS.asked, 2, 10),
        ]
        session.lend(30, number=3)
        assert session.check() is None
        assert session.leases.take_returned() == [("k", LIMITS.asked, 3, 30)]

    def test_of_a_key_that_was_reset_or_of_all_that_begin_with_it(self) -> None:
        session = borrowing(10)
        session.leases.forget("K")
        assert session.check() is not None
        session.leases.forget("k")
        assert session.check() is None
        session = borrowing(10)
        session.leases.forget("", begins=True)
        assert session.check() is None

    def test_a_refund_goes_back_into_the_lease_that_it_came_from(self) -> None:
        session = borrowing(10)
        session.spend(4)
        assert session.leases.refund("k", LIMITS, 4, session.now)
        assert not session.leases.refund("k", LIMITS, 1, session.now)  # it was never spent of it
        session.spend(10)
        session.leases.table["k", LIMITS.asked].settle()
        assert not session.leases.refund("k", LIMITS, 1, session.now)

    def test_but_not_after_its_time(self) -> None:
        session = borrowing(10)
        session.spend(4)
        session.now += LAPSE
        assert not session.leases.refund("k", LIMITS, 4, session.now)


def test_what_was_decided_here_is_told_once() -> None:
    session = borrowing(10)
    session.spend(4)
    assert session.check(3) is not None
    told = session.leases.take_told()
    assert told == [("k", "lease", 1, 5, 7)]
    session.lend(0, 2_000, EMPTY, number=2)
    session.spend(3)
    assert not any(it.allowed for _ in range(2) if (it := session.check()))
    session.leases.end()
    assert Counter(session.leases.take_told()) == Counter(
        [("k", "lease", 1, 3, 3), ("k", "remembered", 0, 2, 0)]
    )
    assert session.leases.take_told() == []
