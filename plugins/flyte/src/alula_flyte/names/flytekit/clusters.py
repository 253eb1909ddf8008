"""What is for clusters, and what is left: ``configuration``, ``models``, ``remote``, ``loggers``."""

from __future__ import annotations

from ...rows import Table, adapted, missing, same
from .shared import BLOB_TYPES, LITERALS, NO_REMOTE, NOT_LOOKED_AT, TYPES, adapter, core, internal, models

MODULES: dict[str, Table] = {
    "flytekit.clis.sdk_in_container.pyflyte": {
        "main": adapter("pyflyte:main", "has run, and not what is for clusters")
    },
    "flytekit.configuration": {
        **core("Config", "Image", "ImageConfig", "SerializationSettings"),
        "FastSerializationSettings": adapter("configuration:FastSerializationSettings", NOT_LOOKED_AT),
        "PlatformConfig": adapter("configuration:PlatformConfig", NOT_LOOKED_AT),
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
        "SERIALIZED_CONTEXT_ENV_VAR": adapter("settings:SERIALIZED_CONTEXT_ENV_VAR", "a text"),
    },
    "flytekit.configuration.feature_flags": internal("FeatureFlags"),
    "flytekit.constants": {"CopyFileDetection": adapter("clusters:CopyFileDetection", NOT_LOOKED_AT)},
    "flytekit.interaction": {},
    "flytekit.lazy_import.lazy_module": {
        "lazy_module": adapted("importlib:import_module", "imports at once"),
        "is_imported": adapter("settings:is_imported", "tells whether a module is imported"),
    },
    "flytekit.loggers": {
        **core("logger"),
        "user_space_logger": same("alula:logger"),
        "cli_logger": same("alula:logger"),
        "developer_logger": same("alula:logger"),
        "remote_logger": same("alula:logger"),
    },
    "flytekit.models.annotation": models("literal_types", "TypeAnnotation"),
    "flytekit.models.common": core(
        *("Annotations", "AuthRole", "Labels", "RawOutputDataConfig"),
        Notification=adapter("notifications:Notification", "kept with a launch plan; nobody is told"),
    ),
    "flytekit.models.concurrency": core("ConcurrencyLimitBehavior", "ConcurrencyPolicy"),
    "flytekit.models.core.execution": {
        **core("WorkflowExecutionPhase"),
        "NodeExecutionPhase": adapter("phases:NodeExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
        "TaskExecutionPhase": adapter("phases:TaskExecutionPhase", "numbers of Flyte's; Alula's phases are words"),
    },
    "flytekit.models.core.types": BLOB_TYPES,
    "flytekit.models.documentation": core("Description", "Documentation", "SourceCode"),
    "flytekit.models.literals": {**LITERALS, "RetryStrategy": same("alula:RetryStrategy")},
    "flytekit.models.schedule": internal("Schedule"),
    "flytekit.models.security": core("Identity", "Secret", "SecurityContext"),
    "flytekit.models.types": {**TYPES, "TypeAnnotationModel": TYPES["TypeAnnotation"]},
    "flytekit.remote": {
        name: missing(NO_REMOTE, "alula.run(entity, **inputs) runs it; `alula runs` lists what ran.", when_called=True)
        for name in (
            *("FlyteLaunchPlan", "FlyteNode", "FlyteNodeExecution", "FlyteRemote", "FlyteTask", "FlyteTaskExecution"),
            *("FlyteWorkflow", "FlyteWorkflowExecution"),
        )
    },
    "flytekit.tools.translator": core(
        "Options", "get_serializable", **internal("gather_dependent_entities", "get_serializable_task")
    ),
    "flytekit.utils.asyn": internal("loop_manager", "run_sync"),
}
