"""All scenarios on small clusters, each of which takes a tenth of a second."""

from collections.abc import Callable
from typing import Final

from tests.simulation.scenarios import charges, names, values
from tests.simulation.scenarios.copies import COPIES
from tests.simulation.scenarios.deploys import change, change_and_fail, deploy, scale, stable, surge
from tests.simulation.scenarios.fleets.zones import ZONES
from tests.simulation.scenarios.holds import reservations, slots
from tests.simulation.scenarios.limits import bursts, leases
from tests.simulation.scenarios.limits.quotas import quotas, quotas_and_fail
from tests.simulation.scenarios.outages import (
    bumpy,
    crash,
    lossy,
    one_way,
    reunion,
    short_pause,
    split,
    stall,
)
from tests.simulation.scenarios.splits.hold_downs import HOLD_DOWNS
from tests.simulation.scenarios.splits.quorums import QUORUMS
from tests.simulation.scenarios.storms import bustle, kills, storm

NODES: Final[tuple[Callable[[int], object], ...]] = (
    deploy,
    surge,
    scale,
    stable,
    change,
    change_and_fail,
    quotas,
    quotas_and_fail,
    crash,
    stall,
    short_pause,
    split,
    reunion,
    one_way,
    lossy,
    bumpy,
    storm,
    bustle,
    kills,
)

HOLDS: Final = (*reservations.SMALL, *slots.SMALL, *leases.SMALL)
SPLITS: Final = (*HOLD_DOWNS, *QUORUMS)
SMALL: Final = (
    *NODES,
    *ZONES,
    *bursts.SMALL,
    *charges.SMALL,
    *COPIES,
    *names.SMALL,
    *values.SMALL,
    *HOLDS,
    *SPLITS,
)
