"""What programs extend flytekit with: ``extend``, ``extras``, ``sensor``, ``image_spec``, ``testing``."""

from __future__ import annotations

from ...rows import Row, Table, missing, same
from .shared import CORE, INTERNAL, LATER, adapter, core, internal

BUILT_BY_PROGRAM = "builders build where the program calls ImageBuildEngine.build; runs here need no image"

MODULES: dict[str, Table] = {
    "flytekit.extend": {
        **core(
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
        "T": adapter("type_engine:T", "a type variable"),
        "context_manager": Row("adapted", "flytekit.core.context_manager", "the module with its public names"),
        **internal(
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
        name: adapter(f"accelerators:{name}", "as text, it is the name of the device")
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
        "PyTorchCheckpoint": missing(LATER, "Save the module and the optimizer into a File.", when_called=True),
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
        name: missing(LATER, "Send the request in a task.", when_called=True)
        for name in ("WebhookConnector", "WebhookTask")
    },
    "flytekit.experimental": {
        "eager": CORE["eager"],
        "map_task": CORE["map_task"],
        "EagerException": adapter(
            "exceptions:EagerException", "what failed is of its own class as well", "alula.errors:RuntimeUserError"
        ),
    },
    "flytekit.image_spec": {
        "ImageSpec": CORE["ImageSpec"],
        "DefaultImageBuilder": missing(
            "nothing here starts containers", "`alula image build` builds the environment.", when_called=True
        ),
        "ImageBuildEngine": adapter("images:ImageBuildEngine", BUILT_BY_PROGRAM),
        "NoOpBuilder": adapter("images:NoOpBuilder", BUILT_BY_PROGRAM),
    },
    "flytekit.image_spec.image_spec": {
        "ImageSpec": CORE["ImageSpec"],
        "ImageBuildEngine": adapter("images:ImageBuildEngine", BUILT_BY_PROGRAM),
        "ImageSpecBuilder": adapter("images:ImageSpecBuilder", BUILT_BY_PROGRAM),
    },
    "flytekit.image_spec.noop_builder": {"NoOpBuilder": adapter("images:NoOpBuilder", BUILT_BY_PROGRAM)},
    "flytekit.sensor": {
        "BaseSensor": adapter("sensors:BaseSensor", "looks every second, in the process of the attempt"),
        "FileSensor": adapter("sensors:FileSensor", "looks every second, in the process of the attempt"),
        "SensorEngine": missing(INTERNAL, "Subclass BaseSensor.", when_called=True),
    },
    "flytekit.sensor.base_sensor": {
        "BaseSensor": adapter("sensors:BaseSensor", "looks every second, in the process of the attempt"),
        "SensorMetadata": missing(INTERNAL, when_called=True),
    },
    "flytekit.sensor.file_sensor": {
        "FileSensor": adapter("sensors:FileSensor", "looks every second, in the process of the attempt")
    },
    "flytekit.testing": core(
        "SecretsManager",
        patch=adapter("mocks:patch", "a mock answers instead of a task, workflow or reference"),
        task_mock=adapter("mocks:task_mock", "a mock answers instead of a task, workflow or reference"),
    ),
}
