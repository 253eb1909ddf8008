"""Who may run when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from alula_kernel.builtin.process.admission import Admission, Machine, Need, Ticket
from alula_kernel.contracts import SYSTEM_FAILURE, TIMED_OUT
from alula_kernel.errors import UsageError
from alula_kernel.quantities import format_bytes, parse_quantity
from alula_kernel.specs import EntityId, Interface, ResourceSpec, TaskSpec, TimeoutPolicy

MACHINE = Machine(cpus=2.0, memory_bytes=1_000, gpus=("0", "1"))


class Queue:
    def __init__(self, machine: Machine = MACHINE) -> None:
        self.admission = Admission(machine)
        self.running: list[str] = []

    def enter(self, name: str, depth: int = 0, **need: Any) -> Ticket:
        ticket = Ticket(Need(**need), lambda: self.running.append(name), depth)
        self.admission.enter(ticket)
        return ticket


def test_as_many_as_there_are_processors() -> None:
    queue = Queue()
    first, _, third = queue.enter("a"), queue.enter("b"), queue.enter("c")
    assert queue.running == ["a", "b"]
    queue.admission.leave(first)
    assert queue.running == ["a", "b", "c"]
    queue.admission.leave(third)
    queue.admission.leave(third)
    queue.enter("d")
    queue.enter("e")
    assert queue.running == ["a", "b", "c", "d"]


def test_nobody_overtakes_a_big_one() -> None:
    queue = Queue()
    first = queue.enter("small")
    queue.enter("big", cpus=2.0)
    queue.enter("later")
    assert queue.running == ["small"]
    queue.admission.leave(first)
    assert queue.running == ["small", "big"]


def test_who_rests_again_before_it_has_come_back() -> None:
    queue = Queue(Machine(cpus=1.0, memory_bytes=1_000))
    parent = queue.enter("parent")
    queue.admission.rest(parent)
    other = queue.enter("other")
    assert not queue.admission.come_back(parent)
    queue.admission.rest(parent)
    queue.enter("child", depth=1)
    queue.admission.leave(other)
    assert queue.running == ["parent", "other", "child"]


def test_the_deepest_comes_first() -> None:
    queue = Queue()
    first, second = queue.enter("first parent"), queue.enter("second parent")
    for number in (1, 2):
        queue.enter(f"later parent {number}")
    for number in (1, 2, 3):
        queue.enter(f"child {number}", depth=1)
    for ticket in (first, second):
        queue.admission.rest(ticket)
    assert queue.running[2:] == ["child 1", "child 2"]
    queue.admission.come_back(first)
    queue.admission.leave(first)
    assert queue.running[2:] == ["child 1", "child 2"], "the processors are in use"


def test_memory_and_gpus_count() -> None:
    queue = Queue()
    first = queue.enter("a", memory_bytes=600, gpus=1)
    second = queue.enter("b", memory_bytes=600)
    queue.enter("c", gpus=2)
    assert (queue.running, first.gpus) == (["a"], ("0",))
    queue.admission.leave(first)
    assert queue.running == ["a", "b", "c"]
    queue.admission.leave(second)


def test_devices_are_not_shared() -> None:
    queue = Queue()
    assert {queue.enter("a", cpus=0.1, gpus=1).gpus, queue.enter("b", cpus=0.1, gpus=1).gpus} == {("0",), ("1",)}


def test_who_waits_for_others_gives_processors_back_and_comes_first_afterwards() -> None:
    queue = Queue(Machine(cpus=1.0, memory_bytes=1_000))
    parent = queue.enter("parent")
    child = queue.enter("child")
    queue.enter("other")
    queue.admission.rest(parent)
    assert queue.running == ["parent", "child"]
    assert not queue.admission.come_back(parent)
    queue.admission.leave(child)
    assert queue.running == ["parent", "child", "parent"]
    assert queue.admission.come_back(parent)


def test_when_all_wait_the_next_begins_although_it_does_not_fit() -> None:
    queue = Queue()
    parent = queue.enter("parent", memory_bytes=800)
    queue.enter("child", memory_bytes=800)
    assert queue.running == ["parent"]
    queue.admission.rest(parent)
    assert queue.running == ["parent", "child"]


def test_who_leaves_the_queue_lets_the_next_go_on() -> None:
    queue = Queue()
    queue.enter("a")
    big = queue.enter("big", cpus=2.0)
    queue.enter("b")
    queue.admission.leave(big)
    assert queue.running == ["a", "b"]


def task(**resources: str) -> TaskSpec:
    return TaskSpec(id=EntityId("task", "t"), interface=Interface(), resources=ResourceSpec(resources, {}))


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"cpu": "3"}, "task t asks for 3 CPUs, and this machine has 2"),
        ({"memory": "1Gi"}, "task t asks for 1 GiB of memory, and this machine has 1000 bytes"),
        ({"gpu": "A100:4"}, "task t asks for 4 GPUs, and this machine has 2"),
        ({"memory": "much"}, "'much' is not a quantity"),
    ],
)
def test_what_can_never_be_met_is_refused(resources: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Need.of(task(**resources)).check(MACHINE, task(**resources))
    assert caught.value.message == message


def test_needs() -> None:
    spec = TaskSpec(
        id=EntityId("task", "t"),
        interface=Interface(),
        resources=ResourceSpec({"cpu": "500m", "memory": "1Ki"}, {"memory": "2Ki"}),
    )
    assert Need.of(spec) == Need(cpus=0.5, memory_bytes=1024, memory_limit_bytes=2048)
    assert Need.of(task(memory="4Ki")).memory_limit_bytes == 4096
    assert Need.of(task(accelerator="nvidia-l4")).gpus == 1
    assert Need.of(task(accelerator="nvidia-l4", gpu="2")).gpus == 2
    assert Need.of(TaskSpec(id=EntityId("task", "t"), interface=Interface())) == Need(cpus=1.0)


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("0.5", 0.5), ("500m", 0.5), ("1k", 1000), ("2Mi", 2 << 20), ("1.5Gi", 1.5 * (1 << 30)), ("3G", 3e9)],
)
def test_quantities(text: str, number: float) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "1Q", "Gi", "1 Gi", "nan", "inf"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(UsageError):
        parse_quantity(text)


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (1536, "1.5 KiB"), (1 << 30, "1 GiB")])
def test_bytes_as_text(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_the_machine_is_never_oversubscribed(make_world: Callable[..., Any]) -> None:
    world = make_world(Machine(cpus=2.0, memory_bytes=1 << 30))

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(world.finish("span", {"seconds": 0.1}) for _ in range(6)))

    spans = [tuple(map(float, outcome.outputs["o0"].value.split())) for outcome in world.run(scenario())]
    for moment, _ in spans:
        assert sum(begin <= moment < end for begin, end in spans) <= 2


def test_devices_are_told_to_the_task(make_world: Callable[..., Any]) -> None:
    world = make_world(Machine(cpus=2.0, memory_bytes=1 << 30, gpus=("3", "5")))

    async def scenario() -> Any:
        both = await world.finish("devices", resources=ResourceSpec({"gpu": "2"}, {}))
        return both, await world.finish("devices")

    both, none = world.run(scenario())
    assert both.outputs["o0"].value == "3,5"
    assert none.outputs["o0"].value == ""


def test_a_task_that_cannot_fit_fails_for_good(world: Any) -> None:
    outcome = world.run(world.finish("pid", resources=ResourceSpec({"cpu": "64"}, {})))
    assert outcome.kind == SYSTEM_FAILURE
    assert not outcome.error.recoverable
    assert "asks for 64 CPUs, and this machine has 2" in outcome.error.message


def test_waiting_for_the_machine_has_its_limit(make_world: Callable[..., Any], tmp_path: Any) -> None:
    world = make_world(Machine(cpus=1.0, memory_bytes=1 << 30))

    async def scenario() -> Any:
        first = await world.submit("note_and_wait", {"path": str(tmp_path / "pid")})
        await world.pid_in(tmp_path / "pid")
        outcome = await world.finish("pid", timeout=TimeoutPolicy(queued_seconds=0.2))
        await world.executor.cancel(first)
        await world.executor.wait(first)
        return outcome

    outcome = world.run(scenario())
    assert (outcome.kind, outcome.error.message) == (TIMED_OUT, "waited longer than 0.2 s to start")
