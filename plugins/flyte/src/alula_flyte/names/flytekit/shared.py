"""Rows of names that several of flytekit's modules have, and how rows are made."""

from __future__ import annotations

from ...rows import Row, Table, adapted, missing, same

_OWN = "alula_flyte.flyte1"
NO_CLUSTER = "what a cluster is told is made by Alula itself, and is not Flyte's protobuf"
NO_REMOTE = "Alula does not talk to a Flyte server"
LATER = "it is not there yet"
INTERNAL = "it is a part of Flyte's machinery, and Alula's is another"
NOT_LOOKED_AT = "kept, and of no meaning on this machine"


def adapter(target: str, how: str, own: str = "") -> Row:
    """Return the row of a name with an adapter for Flyte 1; see `adapted`."""
    return adapted(f"{_OWN}.{target}", how, own)


# --- rows of names that are in several modules -----------------------------------------------------------------------

CORE: Table = {
    "task": adapter(
        "tasks:task",
        "only recoverable exceptions are retried; several outputs have names; container_image is not used; a single value in resources is no limit; an unknown task_config is ignored",
        own="alula:task",
    ),
    "dynamic": adapter("tasks:dynamic", "only recoverable exceptions are retried", own="alula:dynamic"),
    "eager": adapter(
        "eager:eager", "an async task; plain entities give a coroutine if the function awaits one, else their outputs"
    ),
    "workflow": adapter("workflows:workflow", "several outputs without names are o0 and so on", own="alula:workflow"),
    "map_task": adapter("maps:map_task", "takes metadata for each item's task", own="alula:map_task"),
    "conditional": same("alula:conditional"),
    "create_node": same("alula:create_node"),
    "reference_task": same("alula:reference_task"),
    "reference_workflow": same("alula:reference_workflow"),
    "reference_launch_plan": same("alula:reference_launch_plan"),
    "approve": same("alula:approve"),
    "sleep": same("alula:sleep"),
    "wait_for_input": same("alula:wait_for_input"),
    "LaunchPlan": same("alula:LaunchPlan"),
    "ImperativeWorkflow": same("alula:ImperativeWorkflow"),
    "WorkflowFailurePolicy": same("alula:WorkflowFailurePolicy"),
    "Resources": adapter("resources:Resources", "has to_json and from_json", own="alula:Resources"),
    "Secret": adapter("secrets:Secret", "the group comes first", own="alula:Secret"),
    "ImageSpec": adapter("images:ImageSpec", "has from_env; force_push does nothing", own="alula:ImageSpec"),
    "Options": same("alula:Options"),
    "Labels": same("alula:Labels"),
    "Annotations": same("alula:Annotations"),
    "RawOutputDataConfig": same("alula:RawOutputDataConfig"),
    "CronSchedule": adapter("schedules:CronSchedule", "has cron_schedule", own="alula:CronSchedule"),
    "FixedRate": same("alula:FixedRate"),
    "Documentation": same("alula:Documentation"),
    "Description": adapter("documentation:Description", "a text"),
    "SourceCode": same("alula:SourceCode"),
    "Cache": same("alula:Cache"),
    "CachePolicy": same("alula:CachePolicy"),
    "VersionParameters": same("alula:VersionParameters"),
    "Checkpoint": same("alula:Checkpoint"),
    "HashMethod": same("alula:HashMethod"),
    "BatchSize": same("alula:BatchSize"),
    "kwtypes": same("alula:kwtypes"),
    "TaskMetadata": same("alula:TaskMetadata"),
    "SQLTask": same("alula:SQLTask"),
    "Echo": same("alula:Echo"),
    "IgnoreOutputs": same("alula:IgnoreOutputs"),
    "ClassDecorator": same("alula:ClassDecorator"),
    "current_context": same("alula:current_context"),
    "logger": same("alula:logger"),
    "Environment": adapter(
        "environments:Environment",
        "holds settings of tasks; a task environment does so in Alula",
        "alula:TaskEnvironment",
    ),
    "PodTemplate": adapted("alula_flyte.pods:PodTemplate", NOT_LOOKED_AT),
    "Email": adapter("notifications:Email", "kept with a launch plan; nobody is told"),
    "PagerDuty": adapter("notifications:PagerDuty", "kept with a launch plan; nobody is told"),
    "Slack": adapter("notifications:Slack", "kept with a launch plan; nobody is told"),
    "AuthRole": adapter("clusters:AuthRole", NOT_LOOKED_AT),
    "SecurityContext": adapter("clusters:SecurityContext", NOT_LOOKED_AT),
    "Identity": adapter("clusters:Identity", NOT_LOOKED_AT),
    "ConcurrencyPolicy": adapter("clusters:ConcurrencyPolicy", NOT_LOOKED_AT),
    "ConcurrencyLimitBehavior": adapter("clusters:ConcurrencyLimitBehavior", NOT_LOOKED_AT),
    "WorkflowExecutionPhase": adapter("phases:WorkflowExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
    "FlyteContext": adapter(
        "contexts:FlyteContext", "can be asked; only file_access can be another", own="alula:current_context"
    ),
    "FlyteContextManager": adapter(
        "contexts:FlyteContextManager", "can be asked; only file_access can be another", own="alula:current_context"
    ),
    "ExecutionParameters": adapter("contexts:ExecutionParameters", "for annotations", own="alula:current_context"),
    "PythonTask": adapter("task_plugins:PythonTask", "a subclass defines execute", own="alula:DeclaredTask"),
    "PythonInstanceTask": adapter(
        "task_plugins:PythonInstanceTask", "a subclass defines execute", own="alula:DeclaredTask"
    ),
    "PythonFunctionTask": adapter(
        "task_plugins:PythonFunctionTask", "a subclass defines execute", own="alula:FunctionTask"
    ),
    "TaskPlugins": adapter("task_plugins:TaskPlugins", "chooses the class of a task by its task_config"),
    "Interface": adapter("interfaces:Interface", "inputs and outputs by name"),
    "TypeEngine": adapter("type_engine:TypeEngine", "Flyte's literals are made from Alula's, and the other way round"),
    "TypeTransformer": adapter(
        "type_engine:TypeTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "AsyncTypeTransformer": adapter(
        "type_engine:AsyncTypeTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "SimpleTransformer": adapter(
        "type_engine:SimpleTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "TypeTransformerFailedError": adapter(
        "exceptions:TypeTransformerFailedError", "an AssertionError as well", "alula.errors:ValueConversionError"
    ),
    "FileAccessProvider": adapter("file_access:FileAccessProvider", "moves files to and from Alula's storage"),
    "ExecutionState": adapter("contexts:ExecutionState", "can be asked; only file_access can be another"),
    "SecretsManager": adapter(
        "secrets:secrets_manager", "finds what Alula's providers have", own="alula:current_context"
    ),
    "ContainerTask": missing(
        "nothing here starts containers", "Call the program of the image with a ShellTask.", when_called=True
    ),
    "Artifact": missing(
        "artifacts are not there yet", "Pass the value, or a File that is kept, itself.", when_called=True
    ),
    "FlyteRemote": missing(
        NO_REMOTE, "alula.run(entity, **inputs) runs it; `alula runs` lists what ran.", when_called=True
    ),
    "Deck": same("alula:Deck"),
    "DeckField": same("alula:DeckField"),
    "FlyteFile": same("alula:File"),
    "FlyteDirectory": same("alula:Directory"),
    "StructuredDataset": adapter("structured:StructuredDataset", "mashumaro knows it", own="alula:StructuredDataset"),
    "FlyteError": adapter("errors:FlyteError", "the same fields", own="alula:WorkflowError"),
    "StructuredDatasetTransformerEngine": adapter(
        "datasets:StructuredDatasetTransformerEngine",
        "adds encoders and decoders to Alula's",
        own="alula:register_dataframe_handler",
    ),
    "StructuredDatasetEncoder": adapter(
        "datasets:StructuredDatasetEncoder", "says where it has stored a data frame", own="alula:DataFrameEncoder"
    ),
    "StructuredDatasetDecoder": adapter(
        "datasets:StructuredDatasetDecoder", "is told where a data frame is", own="alula:DataFrameDecoder"
    ),
    "Config": adapter("configuration:Config", NOT_LOOKED_AT),
    "Image": adapter("configuration:Image", NOT_LOOKED_AT),
    "ImageConfig": adapter("configuration:ImageConfig", NOT_LOOKED_AT),
    "SerializationSettings": adapter("configuration:SerializationSettings", NOT_LOOKED_AT),
    "get_serializable": missing(NO_CLUSTER, "`alula inspect` shows what a workflow is made of.", when_called=True),
    "TaskResolverMixin": missing(INTERNAL, "A worker finds every task by the name of its variable.", when_called=True),
    "default_task_resolver": missing(
        INTERNAL, "A worker finds every task by the name of its variable.", when_called=True
    ),
}
"""Rows of names that `flytekit` itself, or more than one of its modules, has."""


def core(*names: str, **others: Row) -> Table:
    """Return rows that several modules have, and others."""
    return {**{name: CORE[name] for name in names}, **others}


def models(module: str, *names: str) -> Table:
    """Return the rows of Flyte's models, which a module of adapters has."""
    return {name: adapter(f"{module}:{name}", "plain data without protobuf behind it") for name in names}


def internal(*names: str) -> Table:
    """Return the rows of names of Flyte's machinery."""
    return {name: missing(INTERNAL, when_called=True) for name in names}


LITERALS = models(
    "literals",
    *("Binary", "Blob", "BlobMetadata", "Literal", "LiteralCollection", "LiteralMap", "Primitive", "Scalar", "Schema"),
    *("StructuredDataset", "StructuredDatasetMetadata", "Union", "Void"),
)
TYPES = models(
    "literal_types",
    *("DatasetColumn", "EnumType", "LiteralType", "SchemaColumn", "SchemaType", "SimpleType", "StructuredDatasetType"),
    *("TypeAnnotation", "TypeStructure", "UnionType"),
)
BLOB_TYPES = models("literal_types", "BlobType", "EnumType")
