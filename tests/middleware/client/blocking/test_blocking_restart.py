"""The blocking client when its sidecar is restarted, or its connections break."""

from concurrent.futures import ThreadPoolExecutor

from sidegate.buckets.decision import Source
from sidegate.client.blocking import BlockingClient
from sidegate.protocol.messages import Error
from tests.support.in_process.sidecar_double import SidecarDouble
from tests.support.waiting import AMPLE, PATIENCE, SCANT, in_threads, until


class TestRestart:
    def test_one_that_broke_while_idle_is_replaced_at_once(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            in_threads(4, lambda number: client.check(f"k{number}", "5/minute"))
            sidecar.cut()
            decided = [client.check(f"k{number}", "5/minute") for number in range(4)]
        assert {each.source for each in decided} == {Source.OWNER}

    def test_one_restarted_at_its_path_is_used_at_once(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            assert client.check("k", "1/hour").allowed
            sidecar.stop()
            sidecar.start()
            decided = client.check("k", "1/hour")
        assert (decided.source, decided.allowed) == (Source.OWNER, True)  # its memory is gone

    def test_a_check_that_breaks_off_is_asked_just_once_more(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "5/minute")
            sidecar.forget()
            sidecar.dropped = 1
            assert client.check("k", "5/minute").source is Source.OWNER
            assert len(sidecar.frames) == 2
            sidecar.forget()
            sidecar.dropped = 5
            assert client.check("k", "5/minute").source is Source.OPEN
            assert len(sidecar.frames) == 2

    def test_while_asking_on_a_new_line(self, sidecar: SidecarDouble) -> None:
        """If it was new, the sidecar can't have been restarted since: nothing is asked again."""
        sidecar.dropped = 5
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            assert client.check("k", "5/minute").source is Source.OPEN
        assert len(sidecar.frames) == 1

    def test_after_a_timeout_nothing_is_asked_again(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=SCANT) as client:
            until(lambda: client.check("k", "5/second").source is Source.OWNER)
            sidecar.forget()
            sidecar.hold(9)
            assert client.check("k", "5/minute").source is Source.OPEN
        sidecar.wait_for(lambda: not sidecar.connections)
        assert len(sidecar.frames) == 1

    def test_one_that_took_its_leave_is_dialled_again(self, sidecar: SidecarDouble) -> None:
        with BlockingClient(sidecar.address, budget=AMPLE) as client:
            client.check("k", "5/minute")
            sidecar.say(Error("timeout", "you were silent for too long"))
            assert client.check("k", "5/minute").source is Source.OWNER
        assert sidecar.accepted == 2

    def test_a_check_after_closing_connects_again(self, sidecar: SidecarDouble) -> None:
        client = BlockingClient(sidecar.address, budget=AMPLE)
        in_threads(4, lambda number: client.check(f"k{number}", "5/minute"))
        client.close()
        sidecar.wait_for(lambda: not sidecar.connections)
        assert client.check("k", "5/minute").source is Source.OWNER
        client.close()

    def test_a_line_in_use_is_closed_when_its_answer_is_there(self, sidecar: SidecarDouble) -> None:
        client = BlockingClient(sidecar.address, budget=AMPLE)
        sidecar.hold(2)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.check, "k", "5/minute")
            sidecar.wait_for(lambda: len(sidecar.frames) == 1)
            client.close()
            sidecar.hold(0)
            assert asked.result(PATIENCE).source is Source.OWNER
        sidecar.wait_for(lambda: not sidecar.connections)
