"""The tables of ``flytekit``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

_OWN = "alula_flyte.flyte1"
_NO_CLUSTER = "what a cluster is told is made by Alula itself, and is not Flyte's protobuf"
_NO_REMOTE = "Alula does not talk to a Flyte server"
_LATER = "it is not there yet"
_INTERNAL = "it is a part of Flyte's machinery, and Alula's is another"
_NOT_LOOKED_AT = "kept, and of no meaning on this machine"


def _adapter(target: str, how: str, own: str = "") -> Row:
    return adapted(f"{_OWN}.{target}", how, own)


# --- rows of names that are in several modules -----------------------------------------------------------------------

_CORE: Table = {
    "task": _adapter(
        "tasks:task",
        "only recoverable exceptions are retried; several outputs have names; container_image is not used; a single value in resources is no limit; an unknown task_config is ignored",
        own="alula:task",
    ),
    "dynamic": _adapter("tasks:dynamic", "only recoverable exceptions are retried", own="alula:dynamic"),
    "eager": _adapter(
        "eager:eager", "an async task; plain entities give a coroutine if the function awaits one, else their outputs"
    ),
    "workflow": _adapter("workflows:workflow", "several outputs without names are o0 and so on", own="alula:workflow"),
    "map_task": _adapter("maps:map_task", "takes metadata for each item's task", own="alula:map_task"),
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
    "Resources": same("alula:Resources"),
    "Secret": _adapter("secrets:Secret", "the group comes first", own="alula:Secret"),
    "ImageSpec": _adapter("images:ImageSpec", "has from_env; force_push does nothing", own="alula:ImageSpec"),
    "Options": same("alula:Options"),
    "Labels": same("alula:Labels"),
    "Annotations": same("alula:Annotations"),
    "RawOutputDataConfig": same("alula:RawOutputDataConfig"),
    "CronSchedule": _adapter("schedules:CronSchedule", "has cron_schedule", own="alula:CronSchedule"),
    "FixedRate": same("alula:FixedRate"),
    "Documentation": same("alula:Documentation"),
    "Description": adapted("builtins:str", "a long description is a text"),
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
    "Environment": _adapter(
        "environments:Environment",
        "holds settings of tasks; a task environment does so in Alula",
        "alula:TaskEnvironment",
    ),
    "PodTemplate": adapted("alula_flyte.pods:PodTemplate", _NOT_LOOKED_AT),
    "Email": _adapter("notifications:Email", "kept with a launch plan; nobody is told"),
    "PagerDuty": _adapter("notifications:PagerDuty", "kept with a launch plan; nobody is told"),
    "Slack": _adapter("notifications:Slack", "kept with a launch plan; nobody is told"),
    "AuthRole": _adapter("clusters:AuthRole", _NOT_LOOKED_AT),
    "SecurityContext": _adapter("clusters:SecurityContext", _NOT_LOOKED_AT),
    "Identity": _adapter("clusters:Identity", _NOT_LOOKED_AT),
    "ConcurrencyPolicy": _adapter("clusters:ConcurrencyPolicy", _NOT_LOOKED_AT),
    "ConcurrencyLimitBehavior": _adapter("clusters:ConcurrencyLimitBehavior", _NOT_LOOKED_AT),
    "WorkflowExecutionPhase": _adapter("phases:WorkflowExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
    "FlyteContext": _adapter(
        "contexts:FlyteContext", "can be asked; only file_access can be another", own="alula:current_context"
    ),
    "FlyteContextManager": _adapter(
        "contexts:FlyteContextManager", "can be asked; only file_access can be another", own="alula:current_context"
    ),
    "ExecutionParameters": _adapter("contexts:ExecutionParameters", "for annotations", own="alula:current_context"),
    "PythonTask": _adapter("task_plugins:PythonTask", "a subclass defines execute", own="alula:DeclaredTask"),
    "PythonInstanceTask": _adapter(
        "task_plugins:PythonInstanceTask", "a subclass defines execute", own="alula:DeclaredTask"
    ),
    "PythonFunctionTask": _adapter(
        "task_plugins:PythonFunctionTask", "a subclass defines execute", own="alula:FunctionTask"
    ),
    "TaskPlugins": _adapter("task_plugins:TaskPlugins", "chooses the class of a task by its task_config"),
    "Interface": _adapter("interfaces:Interface", "inputs and outputs by name"),
    "TypeEngine": _adapter("type_engine:TypeEngine", "Flyte's literals are made from Alula's, and the other way round"),
    "TypeTransformer": _adapter(
        "type_engine:TypeTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "AsyncTypeTransformer": _adapter(
        "type_engine:AsyncTypeTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "SimpleTransformer": _adapter(
        "type_engine:SimpleTransformer",
        "works on copies of Alula's literals",
        own="alula_kernel.contracts:TypeTransformer",
    ),
    "TypeTransformerFailedError": same("alula.errors:ValueConversionError"),
    "FileAccessProvider": _adapter("file_access:FileAccessProvider", "moves files to and from Alula's storage"),
    "ExecutionState": _adapter("contexts:ExecutionState", "can be asked; only file_access can be another"),
    "SecretsManager": _adapter(
        "secrets:secrets_manager", "finds what Alula's providers have", own="alula:current_context"
    ),
    "ContainerTask": missing(
        "nothing here starts containers", "Call the program of the image with a ShellTask.", when_called=True
    ),
    "Artifact": missing(
        "artifacts are not there yet", "Pass the value, or a File that is kept, itself.", when_called=True
    ),
    "FlyteRemote": missing(
        _NO_REMOTE, "alula.run(entity, **inputs) runs it; `alula runs` lists what ran.", when_called=True
    ),
    "Deck": same("alula:Deck"),
    "DeckField": same("alula:DeckField"),
    "FlyteFile": same("alula:File"),
    "FlyteDirectory": same("alula:Directory"),
    "StructuredDataset": _adapter("structured:StructuredDataset", "mashumaro knows it", own="alula:StructuredDataset"),
    "FlyteError": _adapter("errors:FlyteError", "the same fields", own="alula:WorkflowError"),
    "StructuredDatasetTransformerEngine": _adapter(
        "datasets:StructuredDatasetTransformerEngine",
        "adds encoders and decoders to Alula's",
        own="alula:register_dataframe_handler",
    ),
    "StructuredDatasetEncoder": _adapter(
        "datasets:StructuredDatasetEncoder", "says where it has stored a data frame", own="alula:DataFrameEncoder"
    ),
    "StructuredDatasetDecoder": _adapter(
        "datasets:StructuredDatasetDecoder", "is told where a data frame is", own="alula:DataFrameDecoder"
    ),
    "Config": _adapter("configuration:Config", _NOT_LOOKED_AT),
    "Image": _adapter("configuration:Image", _NOT_LOOKED_AT),
    "ImageConfig": _adapter("configuration:ImageConfig", _NOT_LOOKED_AT),
    "SerializationSettings": _adapter("configuration:SerializationSettings", _NOT_LOOKED_AT),
    "get_serializable": missing(_NO_CLUSTER, "`alula inspect` shows what a workflow is made of.", when_called=True),
    "TaskResolverMixin": missing(_INTERNAL, "A worker finds every task by the name of its variable.", when_called=True),
    "default_task_resolver": missing(
        _INTERNAL, "A worker finds every task by the name of its variable.", when_called=True
    ),
}
"""Rows of names that `flytekit` itself, or more than one of its modules, has."""


def _core(*names: str, **others: Row) -> Table:
    return {**{name: _CORE[name] for name in names}, **others}


def _models(module: str, *names: str) -> Table:
    return {name: _adapter(f"{module}:{name}", "plain data without protobuf behind it") for name in names}


def _internal(*names: str) -> Table:
    return {name: missing(_INTERNAL, when_called=True) for name in names}


_LITERALS = _models(
    "literals",
    *("Binary", "Blob", "BlobMetadata", "Literal", "LiteralCollection", "LiteralMap", "Primitive", "Scalar", "Schema"),
    *("StructuredDataset", "StructuredDatasetMetadata", "Union", "Void"),
)
_TYPES = _models(
    "literal_types",
    *("DatasetColumn", "EnumType", "LiteralType", "SchemaColumn", "SchemaType", "SimpleType", "StructuredDatasetType"),
    *("TypeAnnotation", "TypeStructure", "UnionType"),
)
_BLOB_TYPES = _models("literal_types", "BlobType", "EnumType")
_FILE_FORMATS = tuple(
    f"{name}{kind}"
    for kind, names in {
        "File": (
            "CSV",
            "JSONL",
            "JoblibSerialized",
            "JPEGImage",
            "ONNX",
            "PDF",
            "PNGImage",
            "PythonPickled",
            "SVGImage",
            "TFRecord",
        ),
        "": ("HDF5EncodedFile", "HTMLPage", "PythonNotebook", "FileExt"),
    }.items()
    for name in names
)
_FILES: Table = {
    "FlyteFile": _CORE["FlyteFile"],
    **{name: same(f"alula.file_types:{name}") for name in _FILE_FORMATS},
}
_DATASETS: Table = {
    **_core(
        *("StructuredDataset", "StructuredDatasetDecoder", "StructuredDatasetEncoder"),
        "StructuredDatasetTransformerEngine",
    ),
    **{
        name: _adapter("datasets:registered_already", "Alula handles these data frames by itself")
        for name in (
            *("register_arrow_handlers", "register_csv_handlers", "register_pandas_handlers"),
            "lazy_import_structured_dataset_handler",
        )
    },
    **{
        name: missing("there is no plugin for it yet", "Register a StructuredDatasetEncoder.", when_called=True)
        for name in ("register_bigquery_handlers", "register_snowflake_handlers")
    },
}
_RENDERERS: Table = {
    name: same(f"alula:{name}")
    for name in (
        "ArrowRenderer",
        "MarkdownRenderer",
        "PythonDependencyRenderer",
        "SourceCodeRenderer",
        "TopFrameRenderer",
    )
}
_USER_ERRORS: Table = {
    name: adapted(f"alula.errors:{name_here}", "an error of Alula's, which says more")
    for name_here, names in {
        "AlulaError": ("FlyteUserException",),
        "RuntimeUserError": ("FlyteUserRuntimeException",),
        "RecoverableError": ("FlyteRecoverableException",),
        "UnsupportedTypeError": ("FlyteMissingTypeException",),
        "ValueConversionError": ("FlyteTypeException", "FlyteValueException"),
        "StorageError": ("FlyteDataNotFoundException",),
        "UnknownNameError": ("FlyteEntityNotExistException", "FlyteEntityNotFoundException"),
        "CompileError": (
            *(
                "FlyteCompilationException",
                "FlyteFailureNodeInputMismatchException",
                "FlyteMissingReturnValueException",
            ),
            "FlytePromiseAttributeResolveException",
        ),
        "UsageError": (
            *("FlyteAssertion", "FlyteAuthenticationException", "FlyteEntityAlreadyExistsException"),
            *("FlyteInvalidInputException", "FlyteValidationException"),
        ),
        "GateRejectedError": ("FlyteDisapprovalException",),
        "TaskTimeoutError": ("FlyteTimeout",),
    }.items()
    for name in names
}
_USER_ERRORS["FlyteRecoverableException"] = same("alula.errors:RecoverableError")
_USER_ERRORS["FlyteMissingTypeException"] = adapted("alula.errors:CompileError", "an error of Alula's, which says more")

# --- modules ---------------------------------------------------------------------------------------------------------

MODULES: dict[str, Table] = {
    "flytekit": {
        "__version__": _adapter("version:__version__", "the version of Flyte 1 whose names are here"),
        **_core(
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
        "StructuredDatasetType": _TYPES["StructuredDatasetType"],
        "LiteralType": _TYPES["LiteralType"],
        "BlobType": _BLOB_TYPES["BlobType"],
        **{name: _LITERALS[name] for name in ("Blob", "BlobMetadata", "Literal", "Scalar")},
        "StructuredDatasetFormat": adapted("builtins:str", "a format is a text"),
        "new_context": _adapter("contexts:new_context", "only file_access can be another"),
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
        "SensorEngine": missing(_INTERNAL, "Subclass BaseSensor.", when_called=True),
        "LOGGING_RICH_FMT_ENV_VAR": adapted("alula_flyte.flyte1.settings:LOGGING_RICH_FMT_ENV_VAR", "not looked at"),
    },
    # core
    "flytekit.core.annotation": {
        "FlyteAnnotation": _adapter("annotations:FlyteAnnotation", "kept in the annotation, and not looked at")
    },
    "flytekit.core.array_node": {
        "array_node": adapted("alula:map_task", "a map of a launch plan is a map like any other")
    },
    "flytekit.core.array_node_map_task": _core("map_task", **_internal("ArrayNodeMapTask", "ArrayNodeMapTaskResolver")),
    "flytekit.core.artifact": {
        name: missing(
            "artifacts are not there yet", "Pass the value, or a File that is kept, itself.", when_called=True
        )
        for name in ("Artifact", "ArtifactQuery", "Inputs", "TimePartition", "Granularity")
    },
    "flytekit.core.base_sql_task": _core("SQLTask"),
    "flytekit.core.base_task": _core(
        *("IgnoreOutputs", "PythonTask", "SecurityContext", "TaskMetadata", "TaskResolverMixin", "kwtypes"),
        Task=same("alula:Task"),
    ),
    "flytekit.core.cache": _core("Cache", "CachePolicy", "VersionParameters"),
    "flytekit.core.checkpointer": _core(
        "Checkpoint",
        SyncCheckpoint=_adapter(
            "checkpoints:SyncCheckpoint", "a checkpoint made by the program", own="alula:Checkpoint"
        ),
    ),
    "flytekit.core.class_based_resolver": _internal("ClassStorageTaskResolver"),
    "flytekit.core.condition": _core("conditional"),
    "flytekit.core.constants": {
        "MESSAGEPACK": _adapter("settings:MESSAGEPACK", "a text"),
        "CACHE_KEY_METADATA": _adapter("settings:CACHE_KEY_METADATA", "a text"),
        "SERIALIZATION_FORMAT": _adapter("settings:SERIALIZATION_FORMAT", "a text"),
    },
    "flytekit.core.container_task": _core("ContainerTask"),
    "flytekit.core.context_manager": _core(
        *("ExecutionParameters", "ExecutionState", "FlyteContext", "FlyteContextManager", "SecretsManager"),
        **_internal("CompilationState", "FlyteEntities", "OutputMetadataTracker"),
    ),
    "flytekit.core.data_persistence": _core("FileAccessProvider"),
    "flytekit.core.dynamic_workflow_task": _core("dynamic"),
    "flytekit.core.environment": _core(
        "Environment", inherit=_adapter("environments:merged", "settings on top of others")
    ),
    "flytekit.core.gate": _core("approve", "sleep", "wait_for_input"),
    "flytekit.core.hash": _core("HashMethod"),
    "flytekit.core.interface": _core(
        "Interface", **_internal("transform_function_to_interface", "transform_inputs_to_parameters")
    ),
    "flytekit.core.launch_plan": _core("LaunchPlan", "reference_launch_plan"),
    "flytekit.core.legacy_map_task": _core("map_task", **_internal("MapPythonTask", "MapTaskResolver")),
    "flytekit.core.local_cache": {
        "LocalTaskCache": _adapter("local_cache:LocalTaskCache", "clears or turns off Alula's cache")
    },
    "flytekit.core.node": _internal("Node"),
    "flytekit.core.node_creation": _core("create_node"),
    "flytekit.core.notification": _core("Email", "PagerDuty", "Slack"),
    "flytekit.core.options": _core("Options"),
    "flytekit.core.pod_template": _core("PodTemplate"),
    "flytekit.core.promise": _internal("NodeOutput", "Promise", "VoidPromise", "create_and_link_node"),
    "flytekit.core.python_auto_container": _core(
        "default_task_resolver",
        PythonAutoContainerTask=_CORE["PythonInstanceTask"],
        **_internal("default_notebook_task_resolver", "get_registerable_container_image"),
    ),
    "flytekit.core.python_customized_container_task": {
        name: missing(_LATER, "Subclass PythonTask.", when_called=True)
        for name in ("PythonCustomizedContainerTask", "TaskTemplateResolver")
    },
    "flytekit.core.python_function_task": _core(
        *("PythonFunctionTask", "PythonInstanceTask"),
        EagerAsyncPythonFunctionTask=_adapter("eager:EagerTask", "awaits what it calls"),
        AsyncPythonFunctionTask=_CORE["PythonFunctionTask"],
        **_internal("EagerFailureHandlerTask"),
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
    "flytekit.core.resources": _core("Resources", **_internal("ResourceSpec", "pod_spec_from_resources")),
    "flytekit.core.schedule": _core(
        "CronSchedule",
        "FixedRate",
        OnSchedule=missing("it is the trigger of a hosted Flyte", "Use LaunchPlan with a schedule.", when_called=True),
    ),
    "flytekit.core.task": _core(
        *("Echo", "PythonFunctionTask", "TaskMetadata", "TaskPlugins", "eager", "reference_task", "task"),
        decorate_function=missing(_INTERNAL, when_called=True),
        Secret=_CORE["Secret"],
    ),
    "flytekit.core.testing": {
        name: _adapter(f"mocks:{name}", "a mock answers instead of a task or a reference")
        for name in ("patch", "task_mock")
    },
    "flytekit.core.type_engine": {
        **_core("AsyncTypeTransformer", "BatchSize", "SimpleTransformer", "TypeEngine", "TypeTransformer"),
        "TypeTransformerFailedError": _CORE["TypeTransformerFailedError"],
        **_internal(
            *("BoolTransformer", "DataclassTransformer", "DictTransformer", "EnumTransformer", "FloatTransformer"),
            *("IntTransformer", "ListTransformer", "LiteralsResolver", "StrTransformer", "UnionTransformer"),
            *("dataclass_from_dict", "get_underlying_type", "is_annotated", "strict_type_hint_matching"),
            *("convert_marshmallow_json_schema_to_python_class", "convert_mashumaro_json_schema_to_python_class"),
        ),
        "RestrictedTypeError": same("alula.errors:UnsupportedTypeError"),
    },
    "flytekit.core.utils": _core(
        "ClassDecorator", **_internal("timeit", "write_proto_to_file", "load_proto_from_file")
    ),
    "flytekit.core.worker_queue": _internal("Controller", "ItemStatus", "Update", "WorkItem"),
    "flytekit.core.workflow": _core(
        *("ImperativeWorkflow", "WorkflowFailurePolicy", "reference_workflow", "workflow"),
        PythonFunctionWorkflow=missing(
            _INTERNAL, "A workflow is an alula.Workflow, or the result of @workflow.", when_called=True
        ),
        WorkflowBase=missing(
            _INTERNAL, "A workflow is an alula.Workflow, or the result of @workflow.", when_called=True
        ),
        **_internal("WorkflowMetadata", "WorkflowMetadataDefaults", "get_promise"),
    ),
    # types
    "flytekit.types.directory": _core(
        "FlyteDirectory",
        TensorboardLogs=adapted("alula:Directory", "a directory of any format"),
        TFRecordsDirectory=adapted("alula:Directory", "a directory of any format"),
        **_internal("FlyteDirToMultipartBlobTransformer"),
    ),
    "flytekit.types.directory.types": _core("FlyteDirectory", **_internal("FlyteDirToMultipartBlobTransformer")),
    "flytekit.types.error": _core("FlyteError"),
    "flytekit.types.error.error": _core("FlyteError", **_internal("ErrorTransformer")),
    "flytekit.types.file": {**_FILES, **_internal("FlyteFilePathTransformer")},
    "flytekit.types.file.file": _core("FlyteFile", **_internal("FlyteFilePathTransformer", "noop")),
    "flytekit.types.file.image": {"PILImageTransformer": missing("Alula converts images by itself", when_called=True)},
    "flytekit.types.iterator": {"JSON": same("alula:JSON"), **_internal("FlyteIterator")},
    "flytekit.types.iterator.iterator": _internal("FlyteIterator", "IteratorTransformer"),
    "flytekit.types.iterator.json_iterator": {
        "JSON": same("alula:JSON"),
        **_internal("JSONIterator", "JSONIteratorTransformer"),
    },
    "flytekit.types.numpy": {"NumpyArrayTransformer": missing("Alula converts arrays by itself", when_called=True)},
    "flytekit.types.pickle": {"FlytePickle": same("alula:Pickle"), "BatchSize": _CORE["BatchSize"]},
    "flytekit.types.pickle.pickle": {
        "FlytePickle": same("alula:Pickle"),
        "FlytePickleTransformer": adapted(
            "alula_flyte.unknown_types:UnknownTypeTransformer",
            "pickles what it stands beside in Annotated",
            own="alula:Pickle",
        ),
    },
    "flytekit.types.schema": {
        "FlyteSchema": _adapter("structured:FlyteSchema", "mashumaro knows it", own="alula:Schema"),
        "SchemaFormat": _adapter("schemas:SchemaFormat", "a format is a text"),
        "SchemaOpenMode": _adapter("schemas:SchemaOpenMode", "a schema can always be read and written"),
        **_internal(
            "SchemaEngine",
            "SchemaHandler",
            "SchemaReader",
            "SchemaWriter",
            "LocalIOSchemaReader",
            "LocalIOSchemaWriter",
        ),
    },
    "flytekit.types.schema.types": {
        "FlyteSchema": _adapter("structured:FlyteSchema", "mashumaro knows it", own="alula:Schema"),
        "SchemaFormat": _adapter("schemas:SchemaFormat", "a format is a text"),
        "SchemaOpenMode": _adapter("schemas:SchemaOpenMode", "a schema can always be read and written"),
        **_internal("FlyteSchemaTransformer", "SchemaEngine", "SchemaHandler"),
    },
    "flytekit.types.schema.types_pandas": _internal(
        "PandasDataFrameTransformer", "PandasSchemaReader", "PandasSchemaWriter"
    ),
    "flytekit.types.structured": _DATASETS,
    "flytekit.types.structured.structured_dataset": {
        **_DATASETS,
        "PARQUET": _adapter("datasets:PARQUET", "a text"),
        "CSV": _adapter("datasets:CSV", "a text"),
        "GENERIC_FORMAT": _adapter("datasets:GENERIC_FORMAT", "a text"),
        "GENERIC_PROTOCOL": _adapter("datasets:GENERIC_PROTOCOL", "a text"),
        "DF": adapted("typing:Any", "any data frame"),
        "DuplicateHandlerError": same("alula.errors:PluginError"),
        "StructuredDatasetType": _TYPES["StructuredDatasetType"],
        **_internal("extract_cols_and_format", "convert_schema_type_to_structured_dataset_type"),
    },
    "flytekit.types.structured.basic_dfs": {
        name: missing("Alula handles these data frames by itself", when_called=True)
        for name in (
            *("ArrowToParquetEncodingHandler", "CSVToPandasDecodingHandler", "PandasToCSVEncodingHandler"),
            *("PandasToParquetEncodingHandler", "ParquetToArrowDecodingHandler", "ParquetToPandasDecodingHandler"),
        )
    },
    # decks
    "flytekit.deck": {**_core("Deck", "DeckField"), **_RENDERERS},
    "flytekit.deck.deck": {**_core("Deck", "DeckField"), **_internal("_output_deck")},
    "flytekit.deck.renderer": {
        **_RENDERERS,
        "Renderable": adapted("typing:Any", "anything with to_html is a renderer"),
        "DEFAULT_MAX_ROWS": _adapter("settings:DEFAULT_MAX_ROWS", "a number"),
        "DEFAULT_MAX_COLS": _adapter("settings:DEFAULT_MAX_COLS", "a number"),
    },
    # errors
    "flytekit.exceptions.base": {
        "FlyteException": same("alula.errors:AlulaError"),
        "FlyteRecoverableException": same("alula.errors:RecoverableError"),
    },
    "flytekit.exceptions.eager": {
        "EagerException": adapted("alula.errors:RuntimeUserError", "what failed is of its own class as well")
    },
    "flytekit.exceptions.scopes": _internal(
        "FlyteScopedException", "FlyteScopedUserException", "FlyteScopedSystemException"
    ),
    "flytekit.exceptions.system": {
        name: adapted("alula.errors:RuntimeSystemError", "an error of Alula's, which says more")
        for name in (
            *(
                "FlyteSystemException",
                "FlyteSystemUnavailableException",
                "FlyteSystemAssertion",
                "FlyteDownloadDataException",
            ),
            *("FlyteUploadDataException", "FlyteNonRecoverableSystemException"),
        )
    },
    "flytekit.exceptions.user": _USER_ERRORS,
    # extending
    "flytekit.extend": {
        **_core(
            *(
                "ExecutionState",
                "FileAccessProvider",
                "IgnoreOutputs",
                "Image",
                "ImageConfig",
                "Interface",
                "PythonTask",
            ),
            *("SQLTask", "SecretsManager", "SerializationSettings", "TaskPlugins", "TaskResolverMixin", "TypeEngine"),
            *("TypeTransformer", "get_serializable"),
        ),
        "T": _adapter("type_engine:T", "a type variable"),
        "context_manager": Row("adapted", "flytekit.core.context_manager", "the module with its public names"),
        **_internal(
            *(
                "ClassStorageTaskResolver",
                "DictTransformer",
                "ExecutableTemplateShimTask",
                "Promise",
                "ShimTaskExecutor",
            ),
            "PythonCustomizedContainerTask",
        ),
    },
    "flytekit.extend.backend.base_connector": {
        name: missing(
            "connectors are executors in Alula", "See 'Write a plugin' in the documentation.", when_called=True
        )
        for name in (
            *("AsyncConnectorBase", "AsyncConnectorExecutorMixin", "ConnectorBase", "ConnectorRegistry", "Resource"),
            *("ResourceMeta", "SyncConnectorBase", "SyncConnectorExecutorMixin"),
        )
    },
    "flytekit.extend.backend.base_agent": {
        name: missing("agents are executors in Alula", "See 'Write a plugin' in the documentation.", when_called=True)
        for name in (
            *("AgentBase", "AgentRegistry", "AsyncAgentBase", "AsyncAgentExecutorMixin", "Resource", "ResourceMeta"),
            *("SyncAgentBase", "SyncAgentExecutorMixin"),
        )
    },
    # extras
    "flytekit.extras.accelerators": {
        name: _adapter(f"accelerators:{name}", "as text, it is the name of the device")
        for name in (
            *(
                "A10G",
                "L4",
                "L4_VWS",
                "L40S",
                "K80",
                "M60",
                "P4",
                "P100",
                "T4",
                "V100",
                "H100",
                "H200",
                "A100",
                "A100_80GB",
            ),
            *("BaseAccelerator", "GPUAccelerator", "MultiInstanceGPUAccelerator", "RTX_PRO_6000", "V5E", "V5P", "V6E"),
        )
    },
    "flytekit.extras.pydantic_transformer": {
        "PydanticTransformer": missing("Alula converts models of pydantic's by itself", when_called=True)
    },
    "flytekit.extras.pytorch": {
        "PyTorchCheckpoint": missing(_LATER, "Save the module and the optimizer into a File.", when_called=True),
        **{
            name: missing("Alula converts tensors and modules by itself", when_called=True)
            for name in ("PyTorchCheckpointTransformer", "PyTorchModuleTransformer", "PyTorchTensorTransformer")
        },
    },
    "flytekit.extras.sklearn": {
        "SklearnEstimatorTransformer": missing("Alula converts estimators by itself", when_called=True)
    },
    "flytekit.extras.sqlite3.task": {
        "SQLite3Config": same("alula:SQLite3Config"),
        "SQLite3Task": same("alula:SQLite3Task"),
    },
    "flytekit.extras.tasks.shell": {
        "ShellTask": same("alula:ShellTask"),
        "OutputLocation": same("alula:OutputLocation"),
        "ProcessResult": same("alula:ProcessResult"),
        "get_raw_shell_task": same("alula:get_raw_shell_task"),
        "subproc_execute": same("alula:subproc_execute"),
        "RawShellTask": missing("it is made by a function", "Use get_raw_shell_task.", when_called=True),
    },
    "flytekit.extras.tensorflow": {
        name: missing("tensors of TensorFlow are not there yet", "Save the model into a Directory.", when_called=True)
        for name in ("TensorFlowModelTransformer", "TensorFlowRecordFileTransformer", "TensorFlowRecordsDirTransformer")
    },
    "flytekit.extras.webhook": {
        name: missing(_LATER, "Send the request in a task.", when_called=True)
        for name in ("WebhookConnector", "WebhookTask")
    },
    "flytekit.experimental": {
        "eager": _CORE["eager"],
        "map_task": _CORE["map_task"],
        "EagerException": adapted("alula.errors:RuntimeUserError", "what failed is of its own class as well"),
    },
    # clusters
    "flytekit.clis.sdk_in_container.pyflyte": {
        "main": _adapter("pyflyte:main", "has run, and not what is for clusters")
    },
    "flytekit.configuration": {
        **_core("Config", "Image", "ImageConfig", "SerializationSettings"),
        "FastSerializationSettings": _adapter("configuration:FastSerializationSettings", _NOT_LOOKED_AT),
        "PlatformConfig": _adapter("configuration:PlatformConfig", _NOT_LOOKED_AT),
        **{
            name: missing(
                "a cluster's configuration is not read", "Set Alula's settings by ALULA_ variables.", when_called=True
            )
            for name in (
                "DataConfig",
                "DefaultImages",
                "LocalConfig",
                "S3Config",
                "SecretsConfig",
                "StatsConfig",
                "GCSConfig",
            )
        },
        "SERIALIZED_CONTEXT_ENV_VAR": _adapter("settings:SERIALIZED_CONTEXT_ENV_VAR", "a text"),
    },
    "flytekit.configuration.feature_flags": _internal("FeatureFlags"),
    "flytekit.constants": {"CopyFileDetection": _adapter("clusters:CopyFileDetection", _NOT_LOOKED_AT)},
    "flytekit.image_spec": {
        "ImageSpec": _CORE["ImageSpec"],
        **{
            name: missing(
                "images are built by builders that plugins register",
                "`alula image build` builds them.",
                when_called=True,
            )
            for name in ("DefaultImageBuilder", "ImageBuildEngine", "NoOpBuilder")
        },
    },
    "flytekit.image_spec.image_spec": {
        "ImageSpec": _CORE["ImageSpec"],
        **{
            name: missing(
                "images are built by builders that plugins register",
                "`alula image build` builds them.",
                when_called=True,
            )
            for name in ("ImageBuildEngine", "ImageSpecBuilder")
        },
    },
    "flytekit.interaction": {},
    "flytekit.lazy_import.lazy_module": {
        "lazy_module": adapted("importlib:import_module", "imports at once"),
        "is_imported": _adapter("settings:is_imported", "tells whether a module is imported"),
    },
    "flytekit.loggers": {
        **_core("logger"),
        "user_space_logger": same("alula:logger"),
        "cli_logger": same("alula:logger"),
        "developer_logger": same("alula:logger"),
        "remote_logger": same("alula:logger"),
    },
    "flytekit.models.annotation": _models("literal_types", "TypeAnnotation"),
    "flytekit.models.common": _core(
        *("Annotations", "AuthRole", "Labels", "RawOutputDataConfig"),
        Notification=_adapter("notifications:Notification", "kept with a launch plan; nobody is told"),
    ),
    "flytekit.models.concurrency": _core("ConcurrencyLimitBehavior", "ConcurrencyPolicy"),
    "flytekit.models.core.execution": {
        **_core("WorkflowExecutionPhase"),
        "NodeExecutionPhase": _adapter("phases:NodeExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
        "TaskExecutionPhase": _adapter("phases:TaskExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
    },
    "flytekit.models.core.types": _BLOB_TYPES,
    "flytekit.models.documentation": _core("Description", "Documentation", "SourceCode"),
    "flytekit.models.literals": {**_LITERALS, "RetryStrategy": same("alula:RetryStrategy")},
    "flytekit.models.schedule": _internal("Schedule"),
    "flytekit.models.security": _core("Identity", "Secret", "SecurityContext"),
    "flytekit.models.types": {**_TYPES, "TypeAnnotationModel": _TYPES["TypeAnnotation"]},
    "flytekit.remote": {
        name: missing(_NO_REMOTE, "alula.run(entity, **inputs) runs it; `alula runs` lists what ran.", when_called=True)
        for name in (
            *("FlyteLaunchPlan", "FlyteNode", "FlyteNodeExecution", "FlyteRemote", "FlyteTask", "FlyteTaskExecution"),
            *("FlyteWorkflow", "FlyteWorkflowExecution"),
        )
    },
    "flytekit.sensor": {
        "BaseSensor": _adapter("sensors:BaseSensor", "looks every second, in the process of the attempt"),
        "FileSensor": _adapter("sensors:FileSensor", "looks every second, in the process of the attempt"),
        "SensorEngine": missing(_INTERNAL, "Subclass BaseSensor.", when_called=True),
    },
    "flytekit.sensor.base_sensor": {
        "BaseSensor": _adapter("sensors:BaseSensor", "looks every second, in the process of the attempt"),
        "SensorMetadata": missing(_INTERNAL, when_called=True),
    },
    "flytekit.sensor.file_sensor": {
        "FileSensor": _adapter("sensors:FileSensor", "looks every second, in the process of the attempt")
    },
    "flytekit.testing": _core(
        "SecretsManager",
        patch=_adapter("mocks:patch", "a mock answers instead of a task or a reference"),
        task_mock=_adapter("mocks:task_mock", "a mock answers instead of a task or a reference"),
    ),
    "flytekit.tools.translator": _core(
        "Options", "get_serializable", **_internal("gather_dependent_entities", "get_serializable_task")
    ),
    "flytekit.utils.asyn": _internal("loop_manager", "run_sync"),
}
"""The rows of each module."""

for _alias, _of in {
    "flytekit.remote.remote": "flytekit.remote",
    "flytekit.remote.executions": "flytekit.remote",
    "flytekit.remote.entities": "flytekit.remote",
    "flytekit.extras.sqlite3": "flytekit.extras.sqlite3.task",
    "flytekit.extras.tasks": "flytekit.extras.tasks.shell",
    "flytekit.extras.webhook.task": "flytekit.extras.webhook",
    "flytekit.sensor.sensor_engine": "flytekit.sensor",
}.items():
    MODULES[_alias] = MODULES[_of]

MISSING_MODULES: dict[str, Row] = {
    "flytekit.bin": missing("it is what runs in Flyte's containers"),
    "flytekit.clients": missing(_NO_REMOTE),
    "flytekit.clis": missing("only pyflyte run is there", "`alula flyte run` takes its options."),
    "flytekit.extend": missing(_INTERNAL, "See 'Write a plugin' in the documentation."),
    "flytekit.interactive": missing(
        "it opens an editor in a container of a cluster", "Run the program in an editor here."
    ),
    "flytekit.interfaces": missing(_INTERNAL),
    "flytekit.models": missing(_NO_CLUSTER),
    "flytekit.tools": missing(_INTERNAL),
}
"""Modules that are missing as a whole."""
