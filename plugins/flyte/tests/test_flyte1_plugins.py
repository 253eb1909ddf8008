"""Programs with plugins of Flyte 1: what Alula does without a plugin of its own."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[[str], str]


def test_configurations_of_omegaconf_keep_the_dataclasses_behind_them(run: Run) -> None:
    out = run("""
        from dataclasses import dataclass, field

        from flytekit import task, workflow
        from flytekitplugins.omegaconf import (
            OmegaConfTransformerMode, get_transformer_mode, local_transformer_mode, set_transformer_mode
        )
        from omegaconf import DictConfig, ListConfig, OmegaConf, ValidationError


        @dataclass
        class Optimizer:
            rate: float = 0.5


        @dataclass
        class Training:
            epochs: int = 3
            optimizer: Optimizer = field(default_factory=Optimizer)


        @task
        def doubled(config: DictConfig, steps: ListConfig) -> DictConfig:
            config.epochs *= 2
            config.steps = steps
            return config


        @workflow
        def wf(config: DictConfig, steps: ListConfig) -> DictConfig:
            return doubled(config=config, steps=steps)


        given = OmegaConf.merge(OmegaConf.structured(Training), {"optimizer": {"rate": 0.25}})
        OmegaConf.set_struct(given, False)
        found = wf(config=OmegaConf.create({**given, "epochs": 4}), steps=OmegaConf.create([1, 2]))
        print(OmegaConf.to_container(found), OmegaConf.get_type(found, "optimizer").__name__)
        try:
            found.optimizer.rate = "fast"
        except ValidationError:
            print("checked")
        set_transformer_mode(OmegaConfTransformerMode.DataClass)
        with local_transformer_mode(OmegaConfTransformerMode.DictConfig):
            print(get_transformer_mode().name)
        print(get_transformer_mode().name)
    """)
    assert out.splitlines() == [
        "{'epochs': 8, 'optimizer': {'rate': 0.25}, 'steps': [1, 2]} Optimizer",
        "checked",
        "DictConfig",
        "DataClass",
    ]


def test_statistics_of_frames_of_polars(run: Run) -> None:
    out = run("""
        import polars as pl
        from flytekitplugins.polars.sd_transformers import PolarsDataFrameRenderer

        frame = pl.DataFrame({"weight": [1, 2, 6], "name": ["a", "b", "c"]})
        shown = PolarsDataFrameRenderer().to_html(frame)
        print(shown == PolarsDataFrameRenderer().to_html(frame.lazy()), "3.0&quot;" in shown, "mean" in shown)
    """)
    assert out == "True True True\n"


def test_options_of_an_autoscaler_are_plain(run: Run) -> None:
    out = run("""
        from flytekit import Resources
        from flytekitplugins.ray import AutoscalerOptionsConfig

        mode = AutoscalerOptionsConfig.UpscalingMode.AGGRESSIVE
        print(AutoscalerOptionsConfig(upscaling_mode=mode, idle_timeout_seconds=9, limits=Resources(cpu="2")))
        print(AutoscalerOptionsConfig(image="ray:2"))
    """)
    assert out.splitlines() == [
        "{'upscalingMode': 'Aggressive', 'idleTimeoutSeconds': 9, 'resources': {'limits': {'cpu': '2'}}}",
        "{'image': 'ray:2'}",
    ]
