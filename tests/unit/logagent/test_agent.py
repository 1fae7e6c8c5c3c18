"""The whole agent on a simulated node."""

import asyncio
import time
from collections.abc import Callable

import pytest

from ember.logagent.spool import GzipSpool
from ember.model.labels import END_MARK
from ember.store import StoreRefused
from tests.unit.logagent.conftest import Node
from tests.unit.logagent.fakes import order, until

MakeNode = Callable[..., Node]
LOGS = "s3://logs/jobs/1/SPARK_DRIVER/"


async def test_a_log_is_refreshed_while_it_grows_and_whole_at_the_end(node: MakeNode) -> None:
    here = node()
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = log.lines(10)
        await until(lambda: LOGS + "stdout.gz" in here.store.objects and here.store.text() == text)
        assert LOGS + "stderr.gz" not in here.store.objects
        text += log.lines(10, first=10)
        await until(lambda: here.store.text() == text)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert here.store.text() == text
    assert here.store.text("stderr") == ""
    assert here.metric("ember_log_uploads_total", result="ok") == len(here.store.puts)


async def test_the_end_mark_makes_it_prompt(node: MakeNode) -> None:
    here = node(no_mark_bound=10.0, upload_interval=15.0, ending_poll_interval=0.1)
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        log.lines(10)
        await asyncio.sleep(0.2)
        log.line("the last words" + END_MARK)
        log.line(END_MARK, "stderr")
        began = time.monotonic()
        here.channel.say(order(ended=True))
        await here.channel.complete()
        assert time.monotonic() - began < 1.0
    assert here.store.text().endswith("the last words")


async def test_a_mark_that_comes_late_is_waited_for(node: MakeNode) -> None:
    here = node(no_mark_bound=5.0)
    log = here.log()
    async with here.agent():
        here.channel.say(order(ended=True))
        await asyncio.sleep(0.2)
        assert not here.channel.reports
        text = log.lines(3)
        log.end()
        await here.channel.complete(seconds=2)
    assert here.store.text() == text


async def test_the_mark_of_one_stream_is_not_that_of_the_other(node: MakeNode) -> None:
    here = node(no_mark_bound=5.0)
    log = here.log()
    log.line(END_MARK)
    async with here.agent():
        here.channel.say(order(ended=True))
        await asyncio.sleep(0.3)
        log.line("an error, late", "stderr")
        log.line(END_MARK, "stderr")
        await here.channel.complete()
    assert here.store.text("stderr") == "an error, late\n"


async def test_a_container_killed_without_a_mark_ends_within_the_bound(node: MakeNode) -> None:
    here = node(no_mark_bound=0.5)
    log = here.log()
    text = log.lines(3)
    log.file.write(b"2026-11-21T12:00:00.000000001Z stdout F torn\x1eEMB")
    async with here.agent():
        here.channel.say(order(ended=True))
        await here.channel.complete(seconds=3)
    assert here.store.text() == text + "torn\x1eEMB"


async def test_a_container_known_to_be_gone_is_not_waited_for(node: MakeNode) -> None:
    here = node(no_mark_bound=10.0)
    text = here.log().lines(3)
    async with here.agent():
        here.channel.say(order(ended=True, terminated=True))
        await here.channel.complete(seconds=2)
    assert here.store.text() == text


async def test_a_pod_that_never_started_has_empty_logs(node: MakeNode) -> None:
    here = node()
    async with here.agent():
        here.channel.say(order())
        await asyncio.sleep(0.3)
        assert not here.channel.reports
        here.channel.say(order(ended=True))
        await here.channel.complete(seconds=2)
    assert here.store.text() == here.store.text("stderr") == ""


async def test_a_log_that_is_in_the_store_already_is_not_emptied(node: MakeNode) -> None:
    here = node()
    log = here.log()
    text = log.lines(10)
    log.end()
    async with here.agent():
        here.channel.say(order(ended=True))
        await here.channel.complete()
    log.delete()
    here.channel.reports.clear()
    async with here.agent():
        await here.channel.complete()
    assert here.store.text() == text


async def test_all_destinations_get_the_same_objects(node: MakeNode) -> None:
    here = node(rotate_bytes=2000)
    places = (LOGS, "s3://managed/x/")
    log = here.log()
    text = log.lines(100)
    log.end()
    async with here.agent():
        here.channel.say(order(destinations=places, ended=True))
        await here.channel.complete()
    assert here.store.text(place=places[0]) == here.store.text(place=places[1]) == text
    assert places[1] + "archived/stdout_2.gz" in here.store.objects


async def test_a_log_survives_rotation_and_compression(node: MakeNode) -> None:
    here = node()
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = ""
        for part in range(9):
            text += log.lines(50, first=50 * part)
            await asyncio.sleep(0.07)
            log.rotate(keep=3)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert here.store.text() == text


async def test_a_log_survives_the_deletion_of_its_files(node: MakeNode) -> None:
    here = node()
    log = here.log()
    text = log.lines(5000)
    async with here.agent():
        here.channel.say(order())
        await until(lambda: here.metric("ember_log_read_bytes_total"))
        log.delete()
        text += log.lines(5000, first=5000)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert here.store.text() == text


async def test_a_store_that_was_down_gets_everything_later(node: MakeNode) -> None:
    here = node()
    here.store.fail()
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = log.lines(100)
        await here.channel.error("cannot be reached")
        log.end()
        here.channel.say(order(ended=True))
        await asyncio.sleep(0.5)
        assert not any(complete for _, complete, _ in here.channel.reports)
        assert here.metric("ember_log_pods_failing") == 1
        here.store.failing.clear()
        await here.channel.complete()
    assert here.store.text() == text
    errors = [error for _, _, error in here.channel.reports]
    assert errors == ["the object store cannot be reached", "", ""]


async def test_a_missing_bucket_of_the_user_does_not_keep_the_managed_logs_from_their_place(node: MakeNode) -> None:
    here = node(rotate_bytes=2000)
    here.store.fail(LOGS, StoreRefused("the bucket logs does not exist", "NoSuchBucket"))
    log = here.log()
    text = log.lines(100)
    log.end()
    async with here.agent():
        here.channel.say(order(destinations=(LOGS, "s3://managed/x/"), ended=True))
        await here.channel.error("the bucket logs does not exist")
        await asyncio.sleep(0.5)
        assert here.store.text(place="s3://managed/x/") == text
        assert len(here.store.puts) == len(set(here.store.puts)), "what is uploaded is not uploaded again"
        assert not any(complete for _, complete, _ in here.channel.reports)


async def test_an_agent_that_starts_again_writes_the_same_bytes(node: MakeNode) -> None:
    here = node(rotate_bytes=20_000)
    log = here.log()
    texts = [log.lines(700), log.lines(300, "stderr")]
    async with here.agent():
        here.channel.say(order())
        await until(lambda: LOGS + "stderr.gz" in here.store.objects and here.store.text("stderr") == texts[1])
    before = dict(here.store.objects)
    assert here.store.text() == texts[0]
    here.store.objects.clear()
    async with here.agent():
        await until(lambda: here.store.objects.keys() == before.keys())
        assert here.store.objects == before
        texts[0] += log.lines(10, first=700)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert [here.store.text(), here.store.text("stderr")] == texts


async def test_an_agent_that_starts_again_keeps_what_the_node_has_deleted(node: MakeNode) -> None:
    here = node(rotate_bytes=20_000)
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = ""
        for part in range(6):
            text += log.lines(100, first=100 * part)
            await asyncio.sleep(0.1)
            log.rotate(keep=4)
        await until(lambda: here.store.text() == text)
    # While no agent runs.
    for part in range(2):
        text += log.lines(100, first=600 + 100 * part)
        log.rotate(keep=4)
    for _ in range(2):
        async with here.agent():
            await until(lambda: here.store.text() == text)
    async with here.agent():
        text += log.lines(100, first=800)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert here.store.text() == text


async def test_an_agent_that_starts_again_without_the_store_misses_no_rotation(node: MakeNode) -> None:
    here = node()
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = log.lines(100)
        await until(lambda: LOGS + "stdout.gz" in here.store.objects and here.store.text() == text)
        log.rotate()
    here.store.fail()
    async with here.agent():
        await here.channel.error("cannot be reached")
        for part in range(1, 8):
            text += log.lines(100, first=100 * part)
            await asyncio.sleep(0.4)  # longer than it waits between two looks
            log.rotate(keep=4)
        log.end()
        here.channel.say(order(ended=True))
        here.store.failing.clear()
        await here.channel.complete()
    assert here.store.text() == text


async def test_an_agent_that_starts_again_needs_nothing_of_the_store_while_the_node_has_all(node: MakeNode) -> None:
    here = node()
    log = here.log()
    text = log.lines(100)
    log.rotate()
    text += log.lines(100, first=100)
    for _ in range(2):
        async with here.agent():
            here.channel.say(order())
            await until(lambda: here.store.puts == [LOGS + "stdout.gz"])
            assert here.store.text() == text
            here.store.puts.clear()
    assert list(here.store.objects) == [LOGS + "stdout.gz"]


async def test_a_stopping_agent_uploads_what_it_has(node: MakeNode) -> None:
    here = node(upload_interval=60.0)
    log = here.log()
    async with here.agent():
        here.channel.say(order())
        text = log.lines(10)
        await until(lambda: here.metric("ember_log_read_bytes_total"))
        await asyncio.sleep(0.2)
        assert not here.store.objects
    assert here.store.text() == text


async def test_the_broker_is_told_again_as_long_as_it_asks(node: MakeNode) -> None:
    here = node()
    here.log().end()
    async with here.agent() as agent:
        await until(lambda: here.channel.asked[-1:] == [here.channel.revision])
        here.channel.down = True
        # A revision of the broker before may be another's, too.
        await until(lambda: here.channel.asked[-1] is None)
        assert not agent.connected
        here.channel.down = False
        here.channel.say(order(ended=True))
        await until(lambda: "uid-1" in agent._complete)
        agent._complete["uid-1"] -= 60
        here.channel.say(order(ended=True))
        await until(lambda: [done for _, done, _ in here.channel.reports].count(True) == 2)
        here.channel.drop("uid-1")
        await asyncio.sleep(0.2)
        assert agent._complete
        agent._complete["uid-1"] -= 3600
        await until(lambda: not agent._complete)


async def test_a_pod_out_of_the_list_is_kept_for_a_while(node: MakeNode) -> None:
    here = node(forget_after=0.6, upload_interval=60.0)
    log = here.log()
    async with here.agent() as agent:
        here.channel.say(order())
        text = log.lines(10)
        await until(lambda: here.metric("ember_log_read_bytes_total"))
        log.delete()
        here.channel.drop("uid-1")
        await asyncio.sleep(0.25)
        here.channel.say(order())
        await asyncio.sleep(0.5)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
        assert here.store.text() == text
        here.channel.say(order(uid="uid-2"))
        await until(lambda: "uid-2" in agent._followers)
        here.channel.drop("uid-2")
        await until(lambda: not agent._followers)
    assert not list(here.options.scratch.iterdir())


async def test_a_warm_worker_learns_its_destination_later(node: MakeNode) -> None:
    here = node()
    log = here.log()
    async with here.agent():
        here.channel.say(order(destinations=()))
        text = log.lines(5)
        await asyncio.sleep(0.5)
        here.channel.say(order())
        await until(lambda: LOGS + "stdout.gz" in here.store.objects)
        log.end()
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert here.store.text() == text


async def test_a_log_that_goes_nowhere_does_not_fill_the_disk(node: MakeNode) -> None:
    here = node(rotate_bytes=2_000, poll_interval=0.01)
    log = here.log()
    async with here.agent():
        here.channel.say(order(destinations=()))
        for part in range(20):
            log.lines(100, first=100 * part)
            await until(lambda: here.metric("ember_log_read_bytes_total") >= log.file.tell())
        await until(lambda: len(list(here.options.scratch.rglob("*stdout*"))) <= 2)


async def test_a_rotation_just_before_the_end_loses_nothing(node: MakeNode) -> None:
    here = node()
    log = here.log()
    text = log.lines(5)
    renamed = log.rename()
    log.file.close()
    log.open()
    text += log.lines(5, first=5)
    async with here.agent():
        renamed.touch()
        here.channel.say(order(ended=True, terminated=True))
        await here.channel.complete()
    assert here.store.text() == text


async def test_a_loud_pod_does_not_delay_a_quiet_one(node: MakeNode) -> None:
    here = node(turn_bytes=64 * 1024)
    loud, quiet = here.log(order(uid="loud")), here.log(order(uid="quiet"))
    block = b"".join(b"2026-11-21T10:00:00.000000000Z stdout F " + b"y" * 100 + b"\n" for _ in range(20_000))
    for _ in range(40):
        loud.file.write(block)
    quiet.lines(10)
    quiet.end()
    async with here.agent():
        here.channel.say(order(uid="loud", ended=True), order(uid="quiet", ended=True, destinations=("s3://q/",)))
        await here.channel.complete("quiet")
        size = len(block) * 40
        assert here.metric("ember_log_read_bytes_total") < size / 2


async def test_a_backlog_beyond_the_bound_is_dropped_and_said(node: MakeNode) -> None:
    here = node(backlog_bytes=100_000, poll_interval=0.01)
    log = here.log()
    for part in range(8):
        log.lines(1000, first=1000 * part)
        log.rotate(keep=100)
    text = log.lines(5, first=8000)
    log.end()
    async with here.agent():
        here.channel.say(order(ended=True))
        await here.channel.complete()
    assert "bytes of this log were dropped here" in here.store.text("stderr")
    assert here.store.text().endswith(text)
    assert here.metric("ember_log_dropped_bytes_total") > 0


async def test_a_full_scratch_disk_loses_nothing(node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    here = node(rotate_bytes=10_000_000, turn_bytes=64 * 1024)
    log = here.log()
    text = log.lines(30_000)
    log.end()

    class SmallDisk(GzipSpool):
        full = 0
        most = 0

        def write_out(self) -> bool:
            used = sum(path.stat().st_size for path in here.options.scratch.rglob("*") if path.is_file())
            if self._unwritten and used + len(self._unwritten) > 20_000:
                SmallDisk.full += 1
                SmallDisk.most = max(SmallDisk.most, len(self._unwritten))
                return False
            return super().write_out()

    monkeypatch.setattr("ember.logagent.stream.GzipSpool", SmallDisk)
    async with here.agent():
        here.channel.say(order(ended=True))
        await here.channel.complete(seconds=20)
    assert here.store.text() == text
    assert SmallDisk.full
    assert SmallDisk.most < 50_000, "nothing is read while the disk is full"
