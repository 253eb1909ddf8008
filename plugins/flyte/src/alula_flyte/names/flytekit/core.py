"""``flytekit`` itself and ``flytekit.core``."""

from __future__ import annotations

from ...rows import Table, adapted, missing, same
from .shared import BLOB_TYPES, CORE, INTERNAL, LATER, LITERALS, TYPES, adapter, core, internal

MODULES: dict[str, Table] = {
    "flytekit": {
        "__version__": adapter("version:__version__", "the version of Flyte 1 whose names are here"),
        **core(
            *(
                "Annotations",
                "Artifact",
                "AuthRole",
                "BatchSize",
                "Cache",
                "CachePolicy",
                "Checkpoint",
                "ConcurrencyLimitBehavior",
            ),
            *(
                "ConcurrencyPolicy",
                "Config",
                "ContainerTask",
                "CronSchedule",
                "Deck",
                "Description",
                "Documentation",
                "Email",
            ),
            *(
                "Environment",
                "ExecutionParameters",
                "FixedRate",
                "FlyteContext",
                "FlyteContextManager",
                "FlyteDirectory",
            ),
            *("FlyteFile", "FlyteRemote", "HashMethod", "ImageSpec", "Labels", "LaunchPlan", "Options", "PagerDuty"),
            *(
                "PodTemplate",
                "PythonFunctionTask",
                "PythonInstanceTask",
                "Resources",
                "SQLTask",
                "Secret",
                "SecurityContext",
            ),
            *("Slack", "SourceCode", "StructuredDataset", "StructuredDatasetTransformerEngine", "TaskMetadata"),
            *("VersionParameters", "WorkflowExecutionPhase", "WorkflowFailurePolicy", "approve", "conditional"),
            *("current_context", "dynamic", "eager", "kwtypes", "logger", "map_task", "reference_launch_plan"),
            *("reference_task", "reference_workflow", "sleep", "task", "wait_for_input", "workflow"),
        ),
        "Workflow": same("alula:ImperativeWorkflow"),
        "StructuredDatasetType": TYPES["StructuredDatasetType"],
        "LiteralType": TYPES["LiteralType"],
        "BlobType": BLOB_TYPES["BlobType"],
        **{name: LITERALS[name] for name in ("Blob", "BlobMetadata", "Literal", "Scalar")},
        "StructuredDatasetFormat": adapted("builtins:str", "a format is a text"),
        "new_context": adapter("contexts:new_context", "only file_access can be another"),
        "load_implicit_plugins": missing(
            "plugins of Flyte's are not loaded", "`alula plugins list` shows Alula's.", when_called=True
        ),
        "get_reference_entity": missing(
            "references are made by decorators", "Use reference_task or its like.", when_called=True
        ),
        **{
            name: missing("references are made by decorators", "Use reference_task or its like.", when_called=True)
            for name in ("LaunchPlanReference", "TaskReference", "WorkflowReference")
        },
        "SensorEngine": missing(INTERNAL, "Subclass BaseSensor.", when_called=True),
        "LOGGING_RICH_FMT_ENV_VAR": adapted("alula_flyte.flyte1.settings:LOGGING_RICH_FMT_ENV_VAR", "not looked at"),
    },
    "flytekit.core.annotation": {
        "FlyteAnnotation": adapter("annotations:FlyteAnnotation", "kept in the annotation, and not looked at")
    },
    "flytekit.core.array_node": {
        "array_node": adapter("maps:array_node", "a map of a launch plan is a map like any other", own="alula:map_task")
    },
    "flytekit.core.array_node_map_task": core("map_task", **internal("ArrayNodeMapTask", "ArrayNodeMapTaskResolver")),
    "flytekit.core.artifact": {
        name: missing(
            "artifacts are not there yet", "Pass the value, or a File that is kept, itself.", when_called=True
        )
        for name in ("Artifact", "ArtifactQuery", "Inputs", "TimePartition", "Granularity")
    },
    "flytekit.core.base_sql_task": core("SQLTask"),
    "flytekit.core.base_task": core(
        *("IgnoreOutputs", "PythonTask", "SecurityContext", "TaskMetadata", "TaskResolverMixin", "kwtypes"),
        Task=same("alula:Task"),
    ),
    "flytekit.core.cache": core("Cache", "CachePolicy", "VersionParameters"),
    "flytekit.core.checkpointer": core(
        "Checkpoint",
        SyncCheckpoint=adapter(
            "checkpoints:SyncCheckpoint", "a checkpoint made by the program", own="alula:Checkpoint"
        ),
    ),
    "flytekit.core.class_based_resolver": internal("ClassStorageTaskResolver"),
    "flytekit.core.condition": core("conditional"),
    "flytekit.core.constants": {
        "MESSAGEPACK": adapter("settings:MESSAGEPACK", "a text"),
        "CACHE_KEY_METADATA": adapter("settings:CACHE_KEY_METADATA", "a text"),
        "SERIALIZATION_FORMAT": adapter("settings:SERIALIZATION_FORMAT", "a text"),
    },
    "flytekit.core.container_task": core("ContainerTask"),
    "flytekit.core.context_manager": core(
        *("ExecutionParameters", "ExecutionState", "FlyteContext", "FlyteContextManager", "SecretsManager"),
        **internal("CompilationState", "FlyteEntities", "OutputMetadataTracker"),
    ),
    "flytekit.core.data_persistence": core("FileAccessProvider"),
    "flytekit.core.dynamic_workflow_task": core("dynamic"),
    "flytekit.core.environment": core(
        "Environment", inherit=adapter("environments:merged", "settings on top of others")
    ),
    "flytekit.core.gate": core("approve", "sleep", "wait_for_input"),
    "flytekit.core.hash": core("HashMethod"),
    "flytekit.core.interface": core(
        "Interface", **internal("transform_function_to_interface", "transform_inputs_to_parameters")
    ),
    "flytekit.core.launch_plan": core("LaunchPlan", "reference_launch_plan"),
    "flytekit.core.legacy_map_task": core("map_task", **internal("MapPythonTask", "MapTaskResolver")),
    "flytekit.core.local_cache": {
        "LocalTaskCache": adapter("local_cache:LocalTaskCache", "clears or turns off Alula's cache")
    },
    "flytekit.core.node": internal("Node"),
    "flytekit.core.node_creation": core("create_node"),
    "flytekit.core.notification": core("Email", "PagerDuty", "Slack"),
    "flytekit.core.options": core("Options"),
    "flytekit.core.pod_template": core("PodTemplate"),
    "flytekit.core.promise": internal("NodeOutput", "Promise", "VoidPromise", "create_and_link_node"),
    "flytekit.core.python_auto_container": core(
        "default_task_resolver",
        PythonAutoContainerTask=CORE["PythonInstanceTask"],
        **internal("default_notebook_task_resolver", "get_registerable_container_image"),
    ),
    "flytekit.core.python_customized_container_task": {
        name: missing(LATER, "Subclass PythonTask.", when_called=True)
        for name in ("PythonCustomizedContainerTask", "TaskTemplateResolver")
    },
    "flytekit.core.python_function_task": core(
        *("PythonFunctionTask", "PythonInstanceTask"),
        EagerAsyncPythonFunctionTask=adapter("eager:EagerTask", "awaits what it calls"),
        AsyncPythonFunctionTask=CORE["PythonFunctionTask"],
        **internal("EagerFailureHandlerTask"),
    ),
    "flytekit.core.reference": {
        "get_reference_entity": missing(
            "references are made by decorators", "Use reference_task or its like.", when_called=True
        )
    },
    "flytekit.core.reference_entity": {
        name: missing("references are made by decorators", "Use reference_task or its like.", when_called=True)
        for name in ("LaunchPlanReference", "ReferenceEntity", "TaskReference", "WorkflowReference")
    },
    "flytekit.core.resources": core(
        "Resources",
        ResourceSpec=adapter("resources:ResourceSpec", "what a task needs and what it may use"),
        **internal("pod_spec_from_resources"),
    ),
    "flytekit.core.schedule": core(
        "CronSchedule",
        "FixedRate",
        OnSchedule=missing("it is the trigger of a hosted Flyte", "Use LaunchPlan with a schedule.", when_called=True),
    ),
    "flytekit.core.task": core(
        *("Echo", "PythonFunctionTask", "TaskMetadata", "TaskPlugins", "eager", "reference_task", "task"),
        decorate_function=missing(INTERNAL, when_called=True),
        Secret=CORE["Secret"],
    ),
    "flytekit.core.testing": {
        name: adapter(f"mocks:{name}", "a mock answers instead of a task, workflow or reference")
        for name in ("patch", "task_mock")
    },
    "flytekit.core.type_engine": {
        **core("AsyncTypeTransformer", "BatchSize", "SimpleTransformer", "TypeEngine", "TypeTransformer"),
        "TypeTransformerFailedError": CORE["TypeTransformerFailedError"],
        **internal(
            *("BoolTransformer", "DataclassTransformer", "DictTransformer", "EnumTransformer", "FloatTransformer"),
            *("IntTransformer", "ListTransformer", "LiteralsResolver", "StrTransformer", "UnionTransformer"),
            *("dataclass_from_dict", "get_underlying_type", "is_annotated", "strict_type_hint_matching"),
            *("convert_marshmallow_json_schema_to_python_class", "convert_mashumaro_json_schema_to_python_class"),
        ),
        "RestrictedTypeError": adapter(
            "exceptions:RestrictedTypeError", "a class of its own", "alula.errors:UnsupportedTypeError"
        ),
    },
    "flytekit.core.utils": core("ClassDecorator", **internal("timeit", "write_proto_to_file", "load_proto_from_file")),
    "flytekit.core.worker_queue": internal("Controller", "ItemStatus", "Update", "WorkItem"),
    "flytekit.core.workflow": core(
        *("ImperativeWorkflow", "WorkflowFailurePolicy", "reference_workflow", "workflow"),
        PythonFunctionWorkflow=missing(
            INTERNAL, "A workflow is an alula.Workflow, or the result of @workflow.", when_called=True
        ),
        WorkflowBase=missing(
            INTERNAL, "A workflow is an alula.Workflow, or the result of @workflow.", when_called=True
        ),
        **internal("WorkflowMetadata", "WorkflowMetadataDefaults", "get_promise"),
    ),
}
