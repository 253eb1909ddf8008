"""SC-01 to SC-05: launch plans and schedules, as specs and run here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import alula
from alula import (
    Annotations,
    CronSchedule,
    FixedRate,
    Labels,
    LaunchPlan,
    Options,
    RawOutputDataConfig,
    current_app,
    current_context,
    errors,
    task,
    workflow,
)
from alula_kernel.literals import Scalar


@task
def add(x: int, y: int) -> int:
    return x + y


@task
def day(at: datetime) -> str:
    return at.date().isoformat()


@workflow
def flow(x: int, y: int = 10) -> int:
    """Add two numbers."""
    return add(x=x, y=y)


@workflow
def other(x: int, y: int = 10) -> int:
    return add(x=x, y=y)


@workflow
def timed(at: datetime, note: str = "") -> str:
    return day(at=at)


# --- SC-01 -----------------------------------------------------------------------------------------------------------------


def test_every_workflow_has_a_default_plan_of_its_name() -> None:
    plan = LaunchPlan.get_or_create(flow)
    assert (
        plan is LaunchPlan.get_default_launch_plan(current_context(), flow) is LaunchPlan.get_or_create(workflow=flow)
    )
    assert plan.name == flow.name
    assert plan(x=1) == 11


def test_one_plan_per_name() -> None:
    plan = LaunchPlan.get_or_create(flow, "daily", default_inputs={"x": 1}, schedule=CronSchedule(schedule="daily"))
    same = LaunchPlan.get_or_create(flow, "daily", default_inputs={"x": 1}, schedule=CronSchedule(schedule="@daily"))
    assert plan is same


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default_inputs": {"x": 2}}, "launch plan 'one of a kind' exists with another default_inputs"),
        ({}, "exists with another default_inputs"),
        ({"default_inputs": {"x": 1}, "auto_activate": True}, "exists with another auto_activate"),
        ({"default_inputs": {"x": 1}, "concurrency": 3}, "exists with another concurrency"),
        ({"default_inputs": {"x": 1}, "max_parallelism": 3}, "exists with another max_parallelism"),
    ],
)
def test_other_options_under_one_name_are_refused(options: dict[str, Any], message: str) -> None:
    LaunchPlan.get_or_create(flow, "one of a kind", default_inputs={"x": 1})
    with pytest.raises(errors.UsageError, match=message) as caught:
        LaunchPlan.get_or_create(flow, "one of a kind", **options)
    assert caught.value.location.startswith(f"{__file__}:")


def test_another_workflow_under_one_name_is_refused() -> None:
    LaunchPlan.get_or_create(flow, "taken")
    with pytest.raises(errors.UsageError, match=r"launch plan 'taken' exists for workflow .*\.flow, and was asked for"):
        LaunchPlan.get_or_create(other, "taken")


@pytest.mark.parametrize(
    "options",
    [
        {"default_inputs": {"x": 1}},
        {"schedule": CronSchedule(schedule="daily")},
        {"auto_activate": True},
        {"concurrency": 2},
        {"labels": {"a": "b"}},
    ],
)
def test_options_need_a_name(options: dict[str, Any]) -> None:
    with pytest.raises(errors.UsageError, match="needs a name"):
        LaunchPlan.get_or_create(flow, **options)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="a launch plan launches a workflow, found FunctionTask"):
        LaunchPlan.create("a", add)  # type: ignore[arg-type]
    with pytest.raises(errors.UnknownNameError, match="unknown launch plan option 'shedule'"):
        LaunchPlan.get_or_create(flow, "a", shedule=1)


def test_options_are_in_the_spec() -> None:
    plan = LaunchPlan.create(
        "full",
        flow,
        default_inputs={"x": 1},
        fixed_inputs={"y": 2},
        labels=Labels({"team": "x"}),
        annotations=Annotations({"a": "b"}),
        raw_output_data_config=RawOutputDataConfig("memory://bucket"),
        max_parallelism=4,
        overwrite_cache=True,
        auto_activate=True,
        concurrency=2,
    )
    spec = plan.spec(current_app())
    assert spec.workflow == flow.id(current_app())
    assert (spec.default_inputs, spec.fixed_inputs) == ({"x": Scalar(1)}, {"y": Scalar(2)})
    assert (spec.labels, spec.annotations, spec.raw_output_prefix) == ({"team": "x"}, {"a": "b"}, "memory://bucket")
    assert (spec.max_parallelism, spec.overwrite_cache, spec.auto_activate, spec.max_concurrency) == (4, True, True, 2)
    assert list(spec.interface.inputs) == ["x"]
    assert spec.description == "Add two numbers."


def test_its_options_are_those_of_the_run() -> None:
    ran: list[int] = []

    @task(cache=True, cache_version="1")
    def counted(x: int) -> int:
        ran.append(x)
        return x

    @workflow
    def cached(x: int) -> int:
        return counted(x=x)

    plain = LaunchPlan.create("plain", cached)
    fresh = LaunchPlan.create("fresh", cached, overwrite_cache=True)
    assert [plain(x=1), plain(x=1), fresh(x=1), fresh(x=1)] == [1, 1, 1, 1]
    assert len(ran) == 3


def test_a_clone_has_other_options_and_keeps_the_rest() -> None:
    plan = LaunchPlan.create("original", flow, fixed_inputs={"y": 1}, concurrency=2, auto_activate=True)
    clone = plan.clone_with("clone", default_inputs={"x": 5})
    spec = clone.spec(current_app())
    assert (spec.id.name, spec.max_concurrency, spec.auto_activate) == ("clone", 2, True)
    assert clone() == 6
    with pytest.raises(errors.UsageError, match="needs the input 'x'"):
        plan()


# --- SC-02 -----------------------------------------------------------------------------------------------------------------


def test_default_inputs_go_before_the_defaults_of_the_signature_and_may_be_overridden() -> None:
    plan = LaunchPlan.create("defaults", flow, default_inputs={"x": 1, "y": 2})
    assert plan() == 3
    assert plan(x=5) == 7
    assert plan(x=5, y=5) == 10


def test_fixed_inputs_cannot_be_given() -> None:
    plan = LaunchPlan.create("fixed", flow, fixed_inputs={"y": 1})
    assert plan(x=1) == 2
    with pytest.raises(errors.UsageError, match="input 'y' of launch plan fixed is fixed and cannot be overridden"):
        plan(x=1, y=2)

    @workflow
    def outer() -> int:
        return plan(x=1, y=2)  # type: ignore[no-any-return]

    with pytest.raises(errors.UsageError, match="'y' of launch plan fixed is fixed"):
        outer()
    with pytest.raises(errors.UsageError, match="'y' of launch plan fixed is fixed"):
        alula.run(plan, x=1, y=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LaunchPlan.create("a", flow, default_inputs={"z": 1}), "unknown default input 'z'"),
        (lambda: LaunchPlan.create("a", flow, fixed_inputs={"z": 1}), "unknown fixed input 'z'"),
        (
            lambda: LaunchPlan.create("a", flow, default_inputs={"x": 1}, fixed_inputs={"x": 1}),
            "input 'x' is both default and fixed",
        ),
        (
            LaunchPlan.create("a", flow, default_inputs={"x": "text"}),
            r"default .*input 'x' of launch plan a: expected int, found str 'text'",
        ),
        (
            LaunchPlan.create("a", flow, fixed_inputs={"x": "text"}),
            "fixed input 'x' of launch plan a: expected int, found str 'text'",
        ),
        (LaunchPlan.create("a", flow), "needs the input 'x'"),
        (lambda: LaunchPlan.create("a", flow)(1), "takes its inputs by name only"),
        (lambda: LaunchPlan.create("a", flow)(x=1, z=1), "unknown input 'z'"),
    ],
)
def test_wrong_inputs_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        make()


# --- SC-03, SC-04, SC-05 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("*/5 0-6 1,15 * mon-fri", "*/5 0-6 1,15 * mon-fri"),
        *[(alias, "0 * * * *") for alias in ("hourly", "hours", "@hourly")],
        *[(alias, "0 0 * * *") for alias in ("daily", "days", "@daily")],
        *[(alias, "0 0 * * 0") for alias in ("weekly", "weeks", "@weekly", "WEEKS")],
        *[(alias, "0 0 1 * *") for alias in ("monthly", "months", "@monthly")],
        *[(alias, "0 0 1 1 *") for alias in ("annually", "@annually", "yearly", "years", "@yearly")],
    ],
)
def test_cron_schedules(written: str, expected: str) -> None:
    spec = CronSchedule(schedule=written).spec()
    assert (spec.cron, spec.timezone) == (expected, "UTC")


def test_zone_offset_and_kickoff() -> None:
    schedule = CronSchedule(
        schedule="daily", offset="PT1H", kickoff_time_input_arg="at", timezone="Europe/Zurich"
    ).spec()
    assert (schedule.timezone, schedule.offset, schedule.kickoff_input) == ("Europe/Zurich", "PT1H", "at")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cron_expression": "0 2 * * ? *"}, "CronSchedule needs schedule="),
        ({}, "CronSchedule needs schedule="),
        ({"schedule": "0 2 * * ? *"}, "cannot be read"),
        ({"schedule": "61 * * * *"}, "cannot be read"),
        ({"schedule": "sometimes"}, "cannot be read"),
        ({"schedule": "daily", "offset": "1 hour"}, "offset '1 hour' is not an ISO 8601 duration"),
        ({"schedule": "daily", "timezone": "Mars/Olympus"}, "time zone 'Mars/Olympus' is not known"),
    ],
)
def test_wrong_cron_schedules_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        CronSchedule(**settings)


def test_fixed_rates() -> None:
    assert FixedRate(timedelta(hours=1, minutes=30)).spec().interval_seconds == 5400
    for wrong in (timedelta(0), timedelta(seconds=90), timedelta(minutes=-1)):
        with pytest.raises(errors.UsageError, match="expected a positive number of whole minutes"):
            FixedRate(wrong)


@pytest.mark.parametrize("schedule", [CronSchedule, FixedRate])
def test_the_scheduled_time_goes_to_a_datetime_input(schedule: Any) -> None:
    when: dict[str, Any] = {"schedule": "daily"} if schedule is CronSchedule else {"duration": timedelta(hours=1)}

    def plan(arg: str, **options: Any) -> LaunchPlan:
        return LaunchPlan.create("timed", timed, schedule=schedule(**when, kickoff_time_input_arg=arg), **options)

    right = plan("at")
    right.check_schedule()
    assert right.spec(current_app()).schedule is not None
    assert right(at=datetime(2026, 1, 2, tzinfo=timezone.utc)) == "2026-01-02"
    with pytest.raises(errors.UnknownNameError, match="unknown kickoff_time_input_arg 'when'"):
        plan("when").spec(current_app())
    with pytest.raises(errors.UsageError, match="kickoff_time_input_arg 'note' must be a datetime input"):
        plan("note").spec(current_app())
    with pytest.raises(errors.UnknownNameError, match="unknown kickoff_time_input_arg 'at'"):
        plan("at", fixed_inputs={"at": datetime(2026, 1, 1, tzinfo=timezone.utc)}).spec(current_app())


def test_an_optional_datetime_may_receive_it() -> None:
    @workflow
    def maybe(at: datetime | None = None) -> None: ...

    LaunchPlan.create("m", maybe, schedule=CronSchedule(schedule="daily", kickoff_time_input_arg="at")).check_schedule()


def test_a_schedule_that_leaves_an_input_open_can_be_run_by_hand_but_not_registered() -> None:
    plan = LaunchPlan.create("open", flow, schedule=CronSchedule(schedule="daily"))
    assert plan(x=1) == 11
    with pytest.raises(errors.UsageError, match="launch plan open has a schedule, and nobody gives its input 'x'"):
        plan.documented_spec(current_app())
    LaunchPlan.create("unscheduled", flow).documented_spec(current_app())


def test_a_launch_plan_of_a_reference_can_be_made_and_not_be_run_here() -> None:
    @alula.reference_workflow(project="p", domain="d", name="lib.flow", version="3")
    def elsewhere(x: int, y: int) -> int: ...  # type: ignore[empty-body]

    @alula.reference_task(project="p", domain="d", name="lib.task", version="3")
    def no_workflow(x: int) -> int: ...  # type: ignore[empty-body]

    plan = LaunchPlan.create("of-a-reference", elsewhere, fixed_inputs={"x": 1})
    assert plan.workflow is elsewhere
    assert list(plan.python_interface.inputs) == ["y"]
    with pytest.raises(errors.UnknownNameError, match="unknown default input 'z'"):
        LaunchPlan.create("wrong", elsewhere, default_inputs={"z": 1})
    with pytest.raises(errors.UsageError, match=r"lib\.flow@3 points to a server, and cannot run here"):
        plan(y=2)
    with pytest.raises(errors.UsageError, match="a launch plan launches a workflow, found ReferenceEntity"):
        LaunchPlan.create("of-a-task", no_workflow)


def test_what_a_launch_plan_was_given_can_be_read() -> None:
    @workflow(default_options=Options(labels={"team": "a"}, annotations=Annotations({"on": "b"})))
    def flow() -> None: ...

    plan = LaunchPlan.get_or_create(flow)
    assert (plan.labels, plan.annotations.values, plan.notifications, plan.concurrency) == (
        {"team": "a"},
        {"on": "b"},
        [],
        None,
    )
    other = LaunchPlan.create("other", flow, labels={"team": "c"}, concurrency=2)
    assert (other.labels, other.annotations.values, other.concurrency) == ({"team": "c"}, {"on": "b"}, 2)
