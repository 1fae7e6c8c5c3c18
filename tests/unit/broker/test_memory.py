"""What is remembered goes with its pod; open requests are few."""

import pytest

from ember.broker.memory import PodMemory, Slots
from ember.broker.problems import Problem
from ember.kube.index import Kind, key_of
from tests.support.broker_world import World


async def test_a_value_goes_with_its_pod() -> None:
    world = World()
    memory: PodMemory[int] = PodMemory(world.index)
    pod = await world.start_run()
    memory.put(pod["metadata"]["uid"], 7)
    assert memory.get(pod["metadata"]["uid"]) == 7
    world.index.remove(Kind.POD, key_of(pod))
    assert memory.get(pod["metadata"]["uid"]) is None


def test_each_has_its_own_slots_and_gives_them_back() -> None:
    slots = Slots(1)
    with slots.taken("a"), slots.taken("b"), pytest.raises(Problem, match="open already"), slots.taken("a"):
        pass
    with slots.taken("a"):
        pass
    assert not slots._open
