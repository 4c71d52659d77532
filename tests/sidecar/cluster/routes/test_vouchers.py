"""Who has lately heard from a node that doesn't answer us."""

from sidegate_sidecar.cluster.routes.vouchers import LASTS, RENEW_AFTER, Vouchers

NOW = 10**15


def anyone(_name: str) -> bool:
    return True


def test_the_way_leads_by_who_heard_from_a_node_last() -> None:
    vouchers = Vouchers()
    assert vouchers.way_to("c", NOW, anyone) == ""
    vouchers.add("c", "a", NOW)
    vouchers.add("c", "b", NOW + 1)
    assert vouchers.way_to("c", NOW + 2, anyone) == "b"
    assert vouchers.way_to("d", NOW + 2, anyone) == ""
    assert vouchers.way_to("c", NOW + 2, lambda name: name == "a") == ""


def test_what_was_said_is_old_after_a_second() -> None:
    vouchers = Vouchers()
    vouchers.add("c", "b", NOW)
    assert vouchers.way_to("c", NOW + LASTS, anyone) == "b"
    assert vouchers.way_to("c", NOW + LASTS + 1, anyone) == ""


def test_nobody_is_asked_again_right_after_an_answer() -> None:
    vouchers = Vouchers()
    assert not vouchers.is_fresh("c", NOW)
    vouchers.add("c", "b", NOW)
    assert vouchers.is_fresh("c", NOW + RENEW_AFTER - 1)
    assert not vouchers.is_fresh("c", NOW + RENEW_AFTER)


def test_nobody_vouches_for_who_is_gone() -> None:
    vouchers = Vouchers()
    vouchers.add("c", "b", NOW)
    vouchers.drop("c")
    vouchers.drop("d")
    assert vouchers.way_to("c", NOW, anyone) == ""
