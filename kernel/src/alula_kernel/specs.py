"""Specs: what tasks, workflows and launch plans are, as data.

Specs are frozen msgspec structs without any Python object of the user's. They are what a registry stores and what the
engine drives; their canonical encoding is hashed for versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

import msgspec

from .literals import Literal
from .types import LiteralType, display

INLINE_BYTES_LIMIT = 10 * 1024 * 1024
"""Default of `TaskSpec.max_inline_bytes`: inputs or outputs of one action that may travel inline, in bytes."""


class EntityId(msgspec.Struct, frozen=True, omit_defaults=True):
    """The name of a registered entity.

    Attributes:
        kind: ``task``, ``workflow`` or ``launch_plan``.
        name: Qualified name, as ``module.function`` or ``environment.function``.
        project: Project that it belongs to.
        domain: Domain of the project, as ``development``.
        version: Version; empty for an entity that was not registered.
    """

    kind: str
    name: str
    project: str = "default"
    domain: str = "development"
    version: str = ""

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        return f"{self.project}/{self.domain}/{self.name}{version}"


class Variable(msgspec.Struct, frozen=True, omit_defaults=True):
    """One named input or output.

    Attributes:
        type: Its literal type.
        description: What it means, from the docstring; never part of an identity.
        required: Whether a caller must give it.
        default: Value used when it is not given; None if there is none (a default of None is ``Scalar(None)``).
    """

    type: LiteralType
    description: str = ""
    required: bool = True
    default: Literal | None = None


class Interface(msgspec.Struct, frozen=True, omit_defaults=True):
    """Named, typed inputs and outputs, in order of declaration."""

    inputs: dict[str, Variable] = {}
    outputs: dict[str, Variable] = {}

    def fingerprint(self) -> str:
        """Return the SHA-256 of names and types; descriptions and defaults do not count."""
        # It brings hashlib along, which costs as much at start-up as all of this module.
        from .canonical import fingerprint

        return fingerprint(
            [{k: v.type for k, v in self.inputs.items()}, {k: v.type for k, v in self.outputs.items()}],
        )

    def __str__(self) -> str:
        inputs = ", ".join(f"{k}: {display(v.type)}" for k, v in self.inputs.items())
        outputs = ", ".join(f"{k}: {display(v.type)}" for k, v in self.outputs.items())
        return f"({inputs}) -> ({outputs})"


class Backoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """Delay before the n-th retry, counted from 0: ``min(base * factor**n, cap)``, in seconds.

    Attributes:
        base_seconds: Delay before the first retry.
        factor: Growth per retry, at least 1.
        cap_seconds: Longest delay; None for none.
        jitter: Share of the delay, 0 to 1, that is drawn at random and taken off ("equal jitter" at 0.5).
    """

    base_seconds: float
    factor: float = 1.0
    cap_seconds: float | None = None
    jitter: float = 0.0


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often an action is tried again.

    Attributes:
        user: Retries after failures of the user's code, timeouts and out-of-memory.
        system: Retries after failures of the platform, preemption and lost attempts, counted apart; None to have `user` count
            all of them.
        backoff: Delay between attempts; None for none.
        memory_factor: By how much the memory grows with each attempt that ran out of it, at least 1.
        memory_cap: To how much it grows at most, as a quantity; empty for no limit.
    """

    user: int = 0
    system: int | None = 3
    backoff: Backoff | None = None
    memory_factor: float = 1.0
    memory_cap: str = ""


class TimeoutPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """Limits in seconds; None is unlimited.

    Attributes:
        runtime_seconds: One attempt, from its start.
        queued_seconds: One attempt, waiting to start.
        deadline_seconds: The whole action, from when it was first queued, across attempts.
    """

    runtime_seconds: float | None = None
    queued_seconds: float | None = None
    deadline_seconds: float | None = None


class CacheSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """That the outputs of a task may be reused for equal inputs.

    Attributes:
        version: Part of the key: entries of another version are not found.
        serialize: Whether equal actions wait for the first of them instead of computing at the same time.
        ignored_inputs: Inputs that are not part of the key.
    """

    version: str
    serialize: bool = False
    ignored_inputs: tuple[str, ...] = ()


class ResourceSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Resources by name (``cpu``, ``memory``, ``gpu``, ``disk``, ``shm``) as Kubernetes quantities, as ``500m`` or ``4Gi``.

    Attributes:
        requests: What must be free for an attempt to start.
        limits: What an attempt may use.
    """

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class SecretSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A secret that a task asks for, and how it is given; never its value.

    Attributes:
        key: Its name in its group; empty for a group that is a secret itself.
        group: The group that it belongs to; empty for none.
        version: Version of the group; empty for the current one.
        variable: Environment variable that is set to its value; empty for none.
        mount: ``file`` if it is given as a file, ``env_var`` if it must not be, ``any`` if that does not matter.
        optional: Whether the task runs without it if it is not there.
    """

    key: str = ""
    group: str = ""
    version: str = ""
    variable: str = ""
    mount: str = "any"
    optional: bool = False


class ReuseSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """That worker processes are kept and run attempt after attempt.

    Attributes:
        min_replicas: Workers that are kept ready.
        max_replicas: Most workers at a time.
        idle_seconds: How long the ready ones stay without work.
        scaledown_seconds: How long those beyond `min_replicas` stay without work.
        concurrency: Attempts that one worker runs at a time; more than one needs coroutine functions.
        scope: ``global``, or ``run`` for workers that belong to one run.
    """

    min_replicas: int = 2
    max_replicas: int = 2
    idle_seconds: float = 30.0
    scaledown_seconds: float = 30.0
    concurrency: int = 1
    scope: str = "global"


class TaskSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, weakref=True, tag="task", tag_field="spec"
):
    """A task.

    Attributes:
        id: Its name.
        interface: Its inputs and outputs.
        type: Task type, which chooses the executor: ``python`` runs the body anywhere; plugins add others.
        dynamic: Whether the body returns a graph that is then driven.
        blocking: Whether the body is a plain function; False for a coroutine function.
        retries: Retry policy.
        timeout: Timeout policy.
        cache: Cache settings; None if it is not cached.
        interruptible: Whether it may run on capacity that can be taken away; None if it was not said.
        resources: Resources; None for the executor's default.
        environment: Environment variables of the attempt.
        labels: Labels for the attempt's infrastructure.
        annotations: Annotations for the attempt's infrastructure.
        image: Reference of a container image, or a description as `alula_kernel.images` writes it; empty for none.
        secrets: The secrets that it asks for; never their values.
        report: Whether the attempt writes an HTML report.
        max_inline_bytes: Largest inputs or outputs that may travel inline, in bytes of msgpack.
        queue: Name of the queue, if any.
        description: First line of its docs.
        documentation: The rest of its docs.
        deprecated: Why it should not be used any more; empty if it may.
        custom: What the plugin of its type needs.
        loader: How a worker finds the body: ``module`` and ``attribute``.
        environment_name: Name of the `TaskEnvironment`, if it has one.
        reuse: How workers are kept; None for a new process for each attempt.
    """

    id: EntityId
    interface: Interface
    type: str = "python"
    dynamic: bool = False
    blocking: bool = True
    retries: RetryPolicy = RetryPolicy()
    timeout: TimeoutPolicy = TimeoutPolicy()
    cache: CacheSpec | None = None
    interruptible: bool | None = None
    resources: ResourceSpec | None = None
    environment: dict[str, str] = {}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    image: str = ""
    secrets: tuple[SecretSpec, ...] = ()
    report: bool = False
    max_inline_bytes: int | None = None
    queue: str = ""
    description: str = ""
    documentation: str = ""
    deprecated: str = ""
    custom: dict[str, Any] = {}
    loader: dict[str, str] = {}
    environment_name: str = ""
    reuse: ReuseSpec | None = None


class Overrides(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of a `TaskSpec` that one call of the task changes; fields left out keep the task's value."""

    retries: RetryPolicy | msgspec.UnsetType = msgspec.UNSET
    timeout: TimeoutPolicy | msgspec.UnsetType = msgspec.UNSET
    cache: CacheSpec | None | msgspec.UnsetType = msgspec.UNSET
    interruptible: bool | None | msgspec.UnsetType = msgspec.UNSET
    resources: ResourceSpec | None | msgspec.UnsetType = msgspec.UNSET
    environment: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    image: str | msgspec.UnsetType = msgspec.UNSET
    secrets: tuple[SecretSpec, ...] | msgspec.UnsetType = msgspec.UNSET
    report: bool | msgspec.UnsetType = msgspec.UNSET
    max_inline_bytes: int | None | msgspec.UnsetType = msgspec.UNSET
    queue: str | msgspec.UnsetType = msgspec.UNSET
    custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    reuse: ReuseSpec | None | msgspec.UnsetType = msgspec.UNSET

    def apply(self, spec: TaskSpec) -> TaskSpec:
        """Return the task spec with the fields that are set here."""
        changes = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not msgspec.UNSET
        }
        return msgspec.structs.replace(spec, **changes) if changes else spec


class LiteralBinding(msgspec.Struct, frozen=True, tag="literal", tag_field="bind"):
    """A constant."""

    value: Literal


class Reference(msgspec.Struct, frozen=True, tag="ref", tag_field="bind", omit_defaults=True):
    """An output of another node, or an input of the workflow.

    Attributes:
        node: Id of the node; empty for an input of the workflow.
        output: Name of the output or input.
        path: Attributes, keys and indexes to follow inside the value.
        variant: Where a union is wanted and the value is of one of its variants, the name of that.
    """

    node: str
    output: str
    path: tuple[str | int, ...] = ()
    variant: str = ""


class ListBinding(msgspec.Struct, frozen=True, tag="list", tag_field="bind"):
    """A list put together from bindings."""

    items: tuple[Binding, ...]


class MapBinding(msgspec.Struct, frozen=True, tag="map", tag_field="bind"):
    """A map or record put together from bindings."""

    entries: dict[str, Binding]


Binding = Union[LiteralBinding, Reference, ListBinding, MapBinding]  # noqa: UP007 - evaluated by msgspec


class Comparison(msgspec.Struct, frozen=True, tag="compare", tag_field="test"):
    """A comparison of two primitive values.

    Attributes:
        operator: One of ``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``.
    """

    operator: str
    left: Binding
    right: Binding


class Junction(msgspec.Struct, frozen=True, tag="junction", tag_field="test"):
    """Two conditions joined.

    Attributes:
        operator: ``and`` or ``or``.
    """

    operator: str
    left: Condition
    right: Condition


Condition = Union[Comparison, Junction]  # noqa: UP007 - evaluated by msgspec


class EntityTarget(msgspec.Struct, frozen=True, tag="entity", tag_field="target"):
    """Run an entity: a task, a sub-workflow in the same run, or a launch plan as a child run."""

    entity: EntityId


class MapTarget(msgspec.Struct, frozen=True, tag="map", tag_field="target", omit_defaults=True):
    """Run an entity once for each item of its mapped inputs.

    Attributes:
        entity: What is run for each item.
        mapped: Inputs that are lists, one item per child; all lists have equal length. Others are given to every child.
        concurrency: Most children running at once; None for the run's own limit, or 1,000 if it has none, so that memory
            stays bounded; 0 for no limit.
        min_successes: Successes that are enough; takes precedence over the ratio.
        min_success_ratio: Share of children that must succeed, rounded up.
        run_all: Whether every child runs although the answer is already certain.
        results: Outputs collected as lists.
        optional: Whether failed children leave None in the result.
    """

    entity: EntityId
    mapped: tuple[str, ...]
    concurrency: int | None = None
    min_successes: int | None = None
    min_success_ratio: float = 1.0
    run_all: bool = False
    results: tuple[str, ...] = ()
    optional: bool = False


class BranchCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """One case of a conditional.

    Attributes:
        condition: When it is taken; None for the else case.
        nodes: Nodes that run only if it is taken.
        outputs: What the conditional yields if it is taken.
        error: Message to fail with instead; None if it does not fail.
    """

    condition: Condition | None = None
    nodes: tuple[Node, ...] = ()
    outputs: dict[str, Binding] = {}
    error: str | None = None


class BranchTarget(msgspec.Struct, frozen=True, tag="branch", tag_field="target"):
    """Run the first case whose condition holds. Node ids inside are unique in the whole workflow."""

    cases: tuple[BranchCase, ...]


class GateTarget(msgspec.Struct, frozen=True, tag="gate", tag_field="target", omit_defaults=True):
    """Wait for a person or for time.

    Attributes:
        gate: ``approve`` (passes its input ``value`` on), ``input`` (yields ``o0``), ``condition`` (an ``input`` whose answer
            may come from outside only) or ``sleep``.
        signal: Name by which the answer is given.
        type: Type of the answer of an ``input`` gate or a ``condition``.
        timeout_seconds: Longest wait for an answer; None for no limit.
        duration_seconds: How long a ``sleep`` sleeps.
        prompt: The question to a person; empty for one made from the name.
        description: What a person should know to answer.
    """

    gate: str
    signal: str = ""
    type: LiteralType | None = None
    timeout_seconds: float | None = None
    duration_seconds: float = 0.0
    prompt: str = ""
    description: str = ""


Target = Union[EntityTarget, MapTarget, BranchTarget, GateTarget]  # noqa: UP007 - evaluated by msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a workflow.

    Attributes:
        id: Unique in the workflow, as ``n0``.
        target: What it runs.
        name: What people see; empty for the target's name.
        inputs: A binding for each input that is given.
        upstream: Nodes that must succeed first although no data flows.
        overrides: Changes to the task's own settings.
        location: ``file:line`` of the call that made the node.
    """

    id: str
    target: Target
    name: str = ""
    inputs: dict[str, Binding] = {}
    upstream: tuple[str, ...] = ()
    overrides: Overrides | None = None
    location: str = ""


FAIL_IMMEDIATELY = "fail_immediately"
FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = "fail_after_executable_nodes_complete"


class WorkflowSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, weakref=True, tag="workflow", tag_field="spec"
):
    """A static graph of nodes, in topological order.

    Attributes:
        id: Its name.
        interface: Its inputs and outputs.
        nodes: Its steps; every reference points to an earlier node or to an input.
        outputs: A binding for each output.
        failure_policy: `FAIL_IMMEDIATELY` or `FAIL_AFTER_EXECUTABLE_NODES_COMPLETE`.
        on_failure: Node that runs after a failure or an abort, with the workflow's inputs and, if it takes one, ``err``.
        interruptible: Default for its tasks; None if it was not said.
        description: First line of its docs.
        documentation: The rest of its docs.
        labels: Labels of its default launch plan.
        annotations: Annotations of its default launch plan.
        max_parallelism: Most attempts at once by default; None for the run's own limit.
    """

    id: EntityId
    interface: Interface
    nodes: tuple[Node, ...] = ()
    outputs: dict[str, Binding] = {}
    failure_policy: str = FAIL_IMMEDIATELY
    on_failure: Node | None = None
    interruptible: bool | None = None
    description: str = ""
    documentation: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    max_parallelism: int | None = None


class ScheduleSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a launch plan fires: one of `cron` and `interval_seconds` is set.

    Attributes:
        cron: Five fields, minute first.
        timezone: IANA name of the zone in which `cron` is read.
        interval_seconds: Fixed rate; a whole number of minutes.
        kickoff_input: Input that receives the scheduled time; empty for none.
        offset: ISO 8601 duration by which `kickoff_input` is shifted; empty for none.
    """

    cron: str = ""
    timezone: str = "UTC"
    interval_seconds: float = 0.0
    kickoff_input: str = ""
    offset: str = ""


class LaunchPlanSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, weakref=True, tag="launch_plan", tag_field="spec"
):
    """A workflow bound to inputs, a schedule and options: the unit of deployment.

    Attributes:
        id: Its name.
        workflow: The workflow that it launches.
        interface: Inputs that may be given (fixed ones are left out) and the workflow's outputs.
        default_inputs: Inputs that may be overridden.
        fixed_inputs: Inputs that may not.
        schedule: When it fires by itself; None if it does not.
        notifications: What is told to whom, as plain data; each has ``kind``, ``phases`` and its own fields.
        labels: Labels of its runs.
        annotations: Annotations of its runs.
        max_parallelism: Most attempts at once in its runs; None for the platform's limit.
        overwrite_cache: Whether its runs ignore cached outputs and replace them.
        raw_output_prefix: Where its runs store data; empty for the platform's place.
        auto_activate: Whether registering it also activates it.
        max_concurrency: Most of its runs at once; None for no limit.
        description: First line of its docs.
    """

    id: EntityId
    workflow: EntityId
    interface: Interface
    default_inputs: dict[str, Literal] = {}
    fixed_inputs: dict[str, Literal] = {}
    schedule: ScheduleSpec | None = None
    notifications: tuple[dict[str, Any], ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    max_parallelism: int | None = None
    overwrite_cache: bool = False
    raw_output_prefix: str = ""
    auto_activate: bool = False
    max_concurrency: int | None = None
    description: str = ""


EntitySpec = Union[TaskSpec, WorkflowSpec, LaunchPlanSpec]  # noqa: UP007 - evaluated by msgspec


def spec_digest(spec: EntitySpec) -> str:
    """Return the SHA-256 of a spec's canonical encoding, with the version left out, in hexadecimal."""
    from .canonical import fingerprint

    return fingerprint(msgspec.structs.replace(spec, id=msgspec.structs.replace(spec.id, version="")))


def references(binding: Binding) -> Iterator[Reference]:
    """Yield every reference inside a binding."""
    match binding:
        case Reference():
            yield binding
        case ListBinding(items):
            for item in items:
                yield from references(item)
        case MapBinding(entries):
            for item in entries.values():
                yield from references(item)
        case _:
            return


def condition_references(condition: Condition) -> Iterator[Reference]:
    """Yield every reference inside a condition."""
    if isinstance(condition, Comparison):
        yield from references(condition.left)
        yield from references(condition.right)
    else:
        yield from condition_references(condition.left)
        yield from condition_references(condition.right)


def node_references(node: Node) -> Iterator[Reference]:
    """Yield every reference that must be resolved before the node can run, those inside its branches included."""
    for binding in node.inputs.values():
        yield from references(binding)
    if isinstance(node.target, BranchTarget):
        inner = {child.id for case in node.target.cases for child in case.nodes}
        for case in node.target.cases:
            found = list(condition_references(case.condition)) if case.condition is not None else []
            for child in case.nodes:
                found.extend(node_references(child))
            for binding in case.outputs.values():
                found.extend(references(binding))
            yield from (ref for ref in found if ref.node not in inner)


def entity_ids(spec: WorkflowSpec) -> Iterator[EntityId]:
    """Yield the entities that a workflow's nodes run, with repetitions."""
    for node in (*spec.nodes, *((spec.on_failure,) if spec.on_failure else ())):
        yield from _node_entity_ids(node)


def _node_entity_ids(node: Node) -> Iterator[EntityId]:
    match node.target:
        case EntityTarget(entity) | MapTarget(entity):
            yield entity
        case BranchTarget(cases):
            for case in cases:
                for child in case.nodes:
                    yield from _node_entity_ids(child)
        case _:
            return
