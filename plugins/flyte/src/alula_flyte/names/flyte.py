"""The tables of ``flyte``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

_NO_SERVER = "runs are driven on this machine, and there is no server yet"
_NO_APPS = "apps of this kind are not there yet"
_SERVED_HERE = "served on this machine, until the program ends at the latest"
_IN_MONTY = "needs pydantic-monty; types are not checked beforehand"
_OWN_TYPES = "literals are messages of flyteidl2, which has to be installed"
_NO_AGENTS = "agents are not there yet"
_NO_CONTAINERS = "containers cannot be run yet"
_NOT_LOOKED_AT = "kept and not looked at: nothing on this machine has a use for it"


def _later(why: str, instead: str = "") -> Row:
    """Return the row of a missing name that programs import, and need for some of what they do only."""
    return missing(why, instead, when_called=True)


def _kept(target: str) -> Row:
    """Return the row of a class whose objects are kept, and say nothing to a run on this machine."""
    return adapted(f"alula_flyte.flyte2.{target}", _NOT_LOOKED_AT)


def _text_type() -> Row:
    """Return the row of a name that stands for text in annotations."""
    return adapted("builtins:str", "any text")


def _error(name: str) -> Row:
    """Return the row of an exception that Alula never raises."""
    return adapted(f"alula_flyte.flyte2.errors:{name}", "Alula never raises it; a program may")


_DEPLOY = _later(_NO_SERVER, "Use alula.run(task, ...), or `alula run FILE TASK`")
_NO_SUCH_APP = _later(_NO_APPS, "Write it with its own framework, and serve it with flyte.app.AppEnvironment")

_CONFIG: Table = {
    "Config": _kept("configuration:Config"),
    "auto": adapted("alula_flyte.flyte2.configuration:auto", "reads nothing"),
    "get_config_file": adapted("alula_flyte.flyte2.configuration:get_config_file", "finds nothing"),
    "set_if_exists": adapted("alula_flyte.flyte2.configuration:set_if_exists", "the same"),
}

_EXTRAS: Table = {
    "BatchStats": same("alula.extras:BatchStats"),
    "ContainerTask": _later(_NO_CONTAINERS, "Use alula.ShellTask to run a program of this machine"),
    "CostEstimator": same("alula.extras:CostEstimator"),
    "DynamicBatcher": adapted(
        "alula_flyte.flyte2.batching:DynamicBatcher",
        "one batch gathers while another is worked on, whatever prefetch_batches says",
        own="alula.extras:DynamicBatcher",
    ),
    "Prompt": adapted("alula_flyte.flyte2.batching:Prompt", "the same"),
    "Sleep": adapted("alula_flyte.flyte2.leaf_tasks:Sleep", "the task sleeps in its process"),
    "SleepTask": adapted("alula_flyte.flyte2.leaf_tasks:SleepTask", "the task sleeps in its process"),
    "TokenBatcher": adapted(
        "alula_flyte.flyte2.batching:TokenBatcher",
        "one batch gathers while another is worked on, whatever prefetch_batches says",
        own="alula.extras:DynamicBatcher",
    ),
    "TokenEstimator": adapted("alula_flyte.flyte2.batching:TokenEstimator", "the same"),
    "serialize": _later(_NO_SERVER),
    "serialize_env": _later(_NO_SERVER),
}

_SHELL = dict.fromkeys(
    ("DictMode", "FlagSpec", "Glob", "OutputSpec", "Stderr", "Stdout", "create", "listMode"),
    _later(_NO_CONTAINERS, "Use alula.ShellTask to run a program of this machine"),
)

MODULES: dict[str, Table] = {
    "flyte": {
        "AMD_GPU": adapted("alula_flyte.flyte2.devices:AMD_GPU", "gives the text that Resources takes"),
        "AppHandle": adapted("alula_flyte.flyte2.serving:App", _SERVED_HERE),
        "AsyncFunctionTaskTemplate": same("alula:FunctionTask"),
        "Backoff": same("alula:Backoff"),
        "BaseCheckpoint": same("alula:Checkpoint"),
        "Cache": same("alula:Cache"),
        "CachePolicy": same("alula:CachePolicy"),
        "CacheRequest": _text_type(),
        "Checkpoint": same("alula:Checkpoint"),
        "ConditionWebhook": adapted("alula_flyte.flyte2.conditions:ConditionWebhook", "kept and not called"),
        "Cron": _kept("triggers:Cron"),
        "Device": adapted("alula_flyte.flyte2.devices:Device", "is the text that Resources takes"),
        "DeviceClass": _text_type(),
        "Environment": adapted(
            "alula_flyte.flyte2.environments:TaskEnvironment",
            "there are task environments only",
            own="alula:TaskEnvironment",
        ),
        "FixedRate": _kept("triggers:FixedRate"),
        "GPU": adapted("alula_flyte.flyte2.devices:GPU", "gives the text that Resources takes"),
        "HABANA_GAUDI": adapted("alula_flyte.flyte2.devices:HABANA_GAUDI", "gives the text that Resources takes"),
        "Image": adapted(
            "alula_flyte.flyte2.images:Image",
            "steps that need Flyte's packages, pixi or poetry are left out",
            own="alula:Image",
        ),
        "ImageBuild": _later("images are built by what runs containers", "Use `alula image`"),
        "Link": _kept("links:Link"),
        "Neuron": adapted("alula_flyte.flyte2.devices:Neuron", "gives the text that Resources takes"),
        "OnArtifact": _kept("triggers:OnArtifact"),
        "PodTemplate": adapted("alula_flyte.pods:PodTemplate", _NOT_LOOKED_AT),
        "Resources": same("alula:Resources"),
        "RetryStrategy": same("alula:RetryStrategy"),
        "ReusePolicy": same("alula:ReusePolicy"),
        "Secret": adapted(
            "alula_flyte.flyte2.secrets:Secret", "a run goes on without a secret that is not there", own="alula:Secret"
        ),
        "SecretRequest": adapted("typing:Any", "stands for secrets in annotations"),
        "TPU": adapted("alula_flyte.flyte2.devices:TPU", "gives the text that Resources takes"),
        "TaskEnvironment": adapted(
            "alula_flyte.flyte2.environments:TaskEnvironment",
            "parameters without annotation are pickled",
            own="alula:TaskEnvironment",
        ),
        "TaskTemplate": same("alula:Task"),
        "Timeout": same("alula:Timeout"),
        "TimeoutType": adapted("typing:Any", "stands for limits in annotations"),
        "Trigger": _kept("triggers:Trigger"),
        "TriggerTime": _kept("triggers:TriggerTime"),
        "TriggeredArtifact": _kept("triggers:TriggeredArtifact"),
        "__version__": adapted("alula_flyte:__version__", "the version of alula-flyte"),
        "build": _later("images are built by what runs containers", "Use `alula image`"),
        "build_images": _later("images are built by what runs containers", "Use `alula image`"),
        "ctx": adapted("alula_flyte.flyte2.contexts:ctx", "has Flyte's fields as well", own="alula:ctx"),
        "current_domain": adapted("alula_flyte.flyte2.start:current_domain", "the domain of the settings"),
        "current_project": adapted("alula_flyte.flyte2.start:current_project", "the project of the settings"),
        "custom_context": same("alula:custom_context"),
        "deploy": _DEPLOY,
        "get_custom_context": same("alula:get_custom_context"),
        "group": same("alula:group"),
        "init": adapted("alula_flyte.flyte2.start:init", "looks at project and domain only", own="alula:init"),
        "init_from_api_key": adapted(
            "alula_flyte.flyte2.start:init_from_api_key", "looks at project and domain only", own="alula:init"
        ),
        "init_from_config": adapted(
            "alula_flyte.flyte2.start:init_from_config", "looks at project and domain only", own="alula:init"
        ),
        "init_in_cluster": adapted(
            "alula_flyte.flyte2.start:init_in_cluster", "looks at project and domain only", own="alula:init"
        ),
        "init_passthrough": adapted(
            "alula_flyte.flyte2.start:init_passthrough", "looks at project and domain only", own="alula:init"
        ),
        "latest_checkpoint": same("alula:latest_checkpoint"),
        "load_interactive_ctx": _later("there is no task of a server to step into", "Use `alula run --debug`"),
        "load_plugin_config": _later(
            "scripts have no plugins", "Use a task of alula.TaskEnvironment(plugin_config=...)"
        ),
        "logger": adapted(
            "alula_flyte.flyte2.logs:logger", "shows what is logged on stdout, from INFO on", own="alula:logger"
        ),
        "map": adapted(
            "alula_flyte.flyte2.maps:map",
            "lists of different lengths are cut to the shortest; a partial leaves one input open",
            own="alula:map",
        ),
        "new_condition": adapted(
            "alula_flyte.flyte2.conditions:new_condition", "a webhook is not called", own="alula:new_condition"
        ),
        "rerun": _later(_NO_SERVER, "Use `alula runs resume`"),
        "run": adapted(
            "alula_flyte.flyte2.runs:run", "runs here; the run returned has ended, a failure is raised", own="alula:run"
        ),
        "run_python_script": same("alula:run_python_script"),
        "serve": adapted("alula_flyte.flyte2.serving:serve", _SERVED_HERE),
        "system_logger": same("alula:logger"),
        "trace": same("alula:trace"),
        "version": adapted("alula_flyte.flyte2.start:version", "the version of alula-flyte"),
        "with_runcontext": adapted(
            "alula_flyte.flyte2.runs:with_runcontext",
            "every mode runs here; in mode remote a run that failed is returned",
            own="alula:with_runcontext",
        ),
        "with_servecontext": adapted("alula_flyte.flyte2.serving:with_servecontext", _SERVED_HERE),
    },
    "flyte._cache": {
        name: same(f"alula:{name}") for name in ("Cache", "CachePolicy", "FunctionBodyPolicy", "VersionParameters")
    },
    "flyte._context": {
        "internal_ctx": adapted(
            "alula_flyte.flyte2.contexts:internal_ctx", "has the context of the running task alone"
        ),
    },
    "flyte._image": {
        "DIST_FOLDER": _kept("images:DIST_FOLDER"),
        "Image": adapted("alula_flyte.flyte2.images:Image", "as flyte.Image", own="alula:Image"),
        "PythonWheels": _kept("images:PythonWheels"),
    },
    "flyte.ai": {},
    "flyte.ai.agents": dict.fromkeys(
        (
            *("AccessDenied", "Agent", "AgentEvent", "AgentProtocol", "AgentResult", "AgentTool", "ConcurrencyError"),
            *("LLMCallable", "LLMMessage", "MCPServerSpec", "MemoryMeta", "MemoryStore", "MemoryStoreError"),
            *("ToolCallHandler", "ToolFn", "agent_progress_cb", "tool"),
        ),
        _later(_NO_AGENTS, "Call the model in a task, with @alula.trace on each call"),
    ),
    "flyte.ai.chat": dict.fromkeys(("AgentChatAppEnvironment", "CustomTheme", "build_chat_html"), _NO_SUCH_APP),
    "flyte.ai.mcp": dict.fromkeys(("FlyteMCPAppEnvironment", "MCPAppEnvironment", "resolve_tools"), _NO_SUCH_APP),
    "flyte.app": {
        **dict.fromkeys(("ConnectorEnvironment", "DeployedAppEnvironment"), _NO_SUCH_APP),
        "ctx": adapted("alula_flyte.flyte2.apps:ctx", "its mode is local"),
        "get_parameter": adapted("alula_flyte.flyte2.apps:get_parameter", "the same"),
        **{
            name: adapted(f"alula_flyte.flyte2.apps:{name}", _SERVED_HERE)
            for name in (
                *("AppEndpoint", "AppEnvironment", "ArtifactValue", "Domain", "Link", "Parameter", "Port"),
                *("RunOutput", "Scaling", "Timeouts"),
            )
        },
        "Image": adapted("alula_flyte.flyte2.images:Image", "as flyte.Image", own="alula:Image"),
    },
    "flyte.app.extras": {
        "FastAPIAppEnvironment": adapted("alula_flyte.flyte2.apps:FastAPIAppEnvironment", _SERVED_HERE),
        "FastAPIPassthroughAuthMiddleware": _NO_SUCH_APP,
        "FlyteWebhookAppEnvironment": _NO_SUCH_APP,
    },
    "flyte.artifacts": {
        "Artifact": adapted("alula_flyte.flyte2.artifacts:Artifact", "stands for a type in annotations"),
        "Card": _kept("artifacts:Card"),
        "CardFormat": _text_type(),
        "CardType": _text_type(),
        "KIND_KEY": adapted("alula_flyte.flyte2.artifacts:KIND_KEY", "the same"),
        "Kind": _text_type(),
        "Metadata": _kept("artifacts:Metadata"),
        "new": adapted("alula_flyte.flyte2.artifacts:new", "gives the value as it is; nothing is registered"),
    },
    "flyte.clustered": {
        "ClusterFailurePolicy": _kept("environments:ClusterFailurePolicy"),
        "ClusteredTaskEnvironment": adapted(
            "alula_flyte.flyte2.environments:ClusteredTaskEnvironment",
            "its tasks run in one process",
            own="alula:TaskEnvironment",
        ),
        "ClusteredTaskTemplate": same("alula:FunctionTask"),
        "TorchRun": _kept("environments:TorchRun"),
    },
    "flyte.config": _CONFIG,
    "flyte.durable": {
        "now": adapted("alula_flyte.flyte2.durable:now", "is without a time zone", own="alula.durable:now"),
        "sleep": same("alula.durable:sleep"),
        "time": same("alula.durable:time"),
    },
    "flyte.errors": {
        "ActionAbortedError": same("alula.errors:ActionAbortedError"),
        "ActionNotFoundError": _error("ActionNotFoundError"),
        "BaseRuntimeError": same("alula.errors:TaskError"),
        "CodeBundleError": _error("CodeBundleError"),
        "ConditionAlreadyExistsError": same("alula.errors:ConditionAlreadyExistsError"),
        "ConditionFailedError": same("alula.errors:ConditionFailedError"),
        "ConditionNotFoundError": same("alula.errors:ConditionNotFoundError"),
        "ConditionTimedoutError": same("alula.errors:ConditionTimedoutError"),
        "CustomError": _error("CustomError"),
        "DeploymentError": _error("DeploymentError"),
        "ErrorKind": _text_type(),
        "ImageBuildError": _error("ImageBuildError"),
        "ImagePullBackOffError": _error("ImagePullBackOffError"),
        "InitializationError": _error("InitializationError"),
        "InlineIOMaxBytesBreached": same("alula.errors:InlineIOMaxBytesBreached"),
        "InvalidImageNameError": _error("InvalidImageNameError"),
        "InvalidPackageError": _error("InvalidPackageError"),
        "LogsNotYetAvailableError": _error("LogsNotYetAvailableError"),
        "ModuleLoadError": _error("ModuleLoadError"),
        "NonRecoverableError": same("alula:NonRecoverableError"),
        "NotInTaskContextError": _error("NotInTaskContextError"),
        "OOMError": same("alula.errors:OOMError"),
        "OnlyAsyncIOSupportedError": _error("OnlyAsyncIOSupportedError"),
        "ParameterMaterializationError": _error("ParameterMaterializationError"),
        "PrimaryContainerNotFoundError": _error("PrimaryContainerNotFoundError"),
        "RemoteTaskNotFoundError": _error("RemoteTaskNotFoundError"),
        "RemoteTaskUsageError": _error("RemoteTaskUsageError"),
        "RestrictedTypeError": _error("RestrictedTypeError"),
        "RetriesExhaustedError": same("alula.errors:RetriesExhaustedError"),
        "RuntimeDataValidationError": _error("RuntimeDataValidationError"),
        "RuntimeSystemError": same("alula.errors:RuntimeSystemError"),
        "RuntimeUnknownError": same("alula.errors:RuntimeUnknownError"),
        "RuntimeUserError": same("alula.errors:RuntimeUserError"),
        "SlowDownError": _error("SlowDownError"),
        "TaskInterruptedError": same("alula.errors:TaskInterruptedError"),
        "TaskTimeoutError": same("alula.errors:TaskTimeoutError"),
        "TraceDoesNotAllowNestedTasksError": _error("TraceDoesNotAllowNestedTasksError"),
        "UnionRpcError": _error("UnionRpcError"),
    },
    "flyte.extras": _EXTRAS,
    "flyte.extras.shell": _SHELL,
    "flyte.git": {
        "GitStatus": missing("the state of a Git repository is not looked at"),
        "config_from_root": adapted("alula_flyte.flyte2.configuration:config_from_root", "reads nothing"),
    },
    "flyte.io": {
        "DataFrame": adapted(
            "alula_flyte.flyte2.frames:DataFrame", "knows the format lance too", own="alula:DataFrame"
        ),
        "Dir": adapted(
            "alula:Dir",
            "walk(recursive=False) gives the files of the folder itself alone; the hash is that of the content",
        ),
        "EmptyDir": adapted("alula:Dir.empty", "makes an empty directory", own="alula:Dir"),
        "File": adapted("alula:File", "the hash is that of the content, if none is given"),
        "HashFunction": adapted(
            "alula_flyte.flyte2.hashing:HashFunction",
            "is a HashMethod with from_fn",
            own="alula:HashMethod",
            constructors=("from_fn",),
        ),
        "PARQUET": adapted("alula_flyte.flyte2.models:PARQUET", "the same"),
    },
    "flyte.io._dir": {"Dir": same("alula:Dir")},
    "flyte.io._file": {"File": same("alula:File")},
    "flyte.migrate": {},
    "flyte.models": {
        "ActionID": adapted("typing:Any", "stands for ctx().action in annotations"),
        "ActionPhase": adapted("alula_flyte.flyte2.phases:ActionPhase", "the same"),
        "CodeBundle": _later("code reaches workers by itself"),
        "GroupData": adapted("alula_flyte.flyte2.models:GroupData", "the same"),
        "NativeInterface": adapted("alula_flyte.flyte2.models:NativeInterface", "inputs and outputs only"),
        "RawDataPath": adapted("alula_flyte.flyte2.models:RawDataPath", "the same"),
        "SerializationContext": _later(_NO_SERVER),
        "TaskContext": adapted("alula_flyte.flyte2.contexts:TaskContext", "has Flyte's fields as well"),
        "generate_random_name": adapted("alula_flyte.flyte2.models:generate_random_name", "the same"),
    },
    "flyte.notify": {
        name: _kept(f"notify:{name}")
        for name in ("Email", "NamedDelivery", "NamedRule", "Notification", "Slack", "Teams", "Webhook")
    },
    "flyte.prefetch": dict.fromkeys(
        ("HuggingFaceModelInfo", "ShardConfig", "StoredModelInfo", "VLLMShardArgs", "hf_model"),
        _later(
            "models are not fetched ahead of runs",
            "Fetch the model in a task with cache='auto' that returns an alula.Dir",
        ),
    ),
    "flyte.remote": {
        **dict.fromkeys(
            (
                *("Action", "ActionDetails", "ActionInputs", "App", "Artifact", "Condition", "Project", "RunDetails"),
                *("Secret", "SecretTypes", "Settings", "Task", "TaskDetails", "TimeFilter", "Trigger", "User"),
                *("auth_metadata", "upload_dir", "upload_file"),
            ),
            _later(_NO_SERVER, "Import the task and run it here; `alula runs` shows earlier runs"),
        ),
        "ActionOutputs": adapted("alula_flyte.flyte2.runs:ActionOutputs", "the same"),
        "Run": adapted(
            "alula_flyte.flyte2.runs:Run", "a run on this machine; get and listall know those of this process"
        ),
    },
    "flyte.report": {
        "Report": adapted("alula.report:Report", "get_tab is tab"),
        "Timeline": adapted("alula_flyte.flyte2.reports:Timeline", "the same"),
        "abbreviate": adapted("alula_flyte.flyte2.reports:abbreviate", "the same"),
        "current_report": adapted("alula_flyte.flyte2.reports:current_report", "the same"),
        "duration_ms": adapted("alula_flyte.flyte2.reports:duration_ms", "the same"),
        "flush": same("alula.report:flush"),
        "get_tab": same("alula.report:get_tab"),
        "log": same("alula.report:log"),
        "replace": same("alula.report:replace"),
    },
    "flyte.sandbox": {
        "CodeTaskTemplate": adapted("alula_flyte.flyte2.sandboxes:OrchestratorTask", _IN_MONTY),
        "ORCHESTRATOR_SYNTAX_PROMPT": adapted(
            "alula_flyte.flyte2.sandboxes:ORCHESTRATOR_SYNTAX_PROMPT", "says it in other words"
        ),
        "SandboxedTaskTemplate": adapted("alula_flyte.flyte2.sandboxes:OrchestratorTask", _IN_MONTY),
        "create": _later(_NO_CONTAINERS, "Run the code in a task with executor='process'"),
        "sandbox_environment": _later(_NO_CONTAINERS, "Run the code in a task with executor='process'"),
        "orchestrate_local": adapted("alula_flyte.flyte2.sandboxes:orchestrate_local", _IN_MONTY),
        "orchestrator_from_str": adapted("alula_flyte.flyte2.sandboxes:orchestrator_from_str", _IN_MONTY),
    },
    "flyte.storage": {
        name: adapted(f"alula_flyte.flyte2.storage:{name}", "fsspec's own settings say how a storage is reached")
        for name in (
            *("ABFS", "GCS", "S3", "Storage", "exists", "exists_sync", "get", "get_configured_fsspec_kwargs"),
            *("get_random_local_directory", "get_random_local_path", "get_stream", "get_underlying_filesystem"),
            *("is_remote", "join", "open", "put", "put_stream"),
        )
    },
    "flyte.syncify": {
        name: adapted(f"alula_flyte.flyte2.syncify:{name}", "the same") for name in ("Syncify", "syncify")
    },
    "flyte.types": {
        "FlytePickle": same("alula:Pickle"),
        "Renderable": adapted("alula_flyte.flyte2.models:Renderable", "the same"),
        "TypeEngine": adapted("alula_flyte.flyte2.type_engine:TypeEngine", _OWN_TYPES),
        "TypeTransformer": adapted("alula_flyte.flyte2.type_engine:TypeTransformer", _OWN_TYPES),
        "TypeTransformerFailedError": same("alula.errors:ValueConversionError"),
        "guess_interface": adapted("alula_flyte.flyte2.models:guess_interface", "inputs and outputs only"),
    },
    "flyte.types._type_engine": {
        "PydanticTransformer": adapted("alula_flyte.flyte2.type_engine:PydanticTransformer", "describes types only"),
        "TypeEngine": adapted("alula_flyte.flyte2.type_engine:TypeEngine", _OWN_TYPES),
        "TypeTransformer": adapted("alula_flyte.flyte2.type_engine:TypeTransformer", _OWN_TYPES),
    },
}
"""The rows of each module. ``flyte.migrate`` has no names: programs import it so that flytekit's tasks run on Flyte 2."""

MISSING_MODULES: dict[str, Row] = {
    "flyte.cli": missing("the command line is `alula`", "Use `alula flyte run`"),
    "flyte.connectors": missing("there is no server that would run connectors", "Write a plugin with an executor"),
    "flyte.extend": missing("Alula is extended by plugins", "See 'Write a plugin' in the documentation"),
}
"""Modules that are missing as a whole."""
