"""What becomes of the names of Flyte 2."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
from typing import Any

import pytest

from alula_flyte.finder import FlyteModule
from alula_flyte.names import flyte, flyteplugins, missing_module
from alula_flyte.rows import Row, same

ROWS = [
    pytest.param(module, name, row, id=f"{module}.{name}")
    for table in (flyte, flyteplugins)
    for module, rows in table.MODULES.items()
    for name, row in rows.items()
]


def named(module: str, name: str) -> Any:
    """Return what a name of a module of Flyte's stands for."""
    return getattr(FlyteModule(module), name)


def plugin_of(module: str, row: Row) -> str:
    """Return the package of the plugin that a row needs, if that is tested in an environment of its own."""
    if row.status != "missing":
        for there, plugin in (("papermill",) * 2, ("bigquery",) * 2, ("spark",) * 2, ("databricks", "spark")):
            if module.startswith(f"flyteplugins.{there}"):
                return f"alula_{plugin}"
    return next((plugin for plugin in ("alula_ray", "alula_spark") if row.target.startswith(plugin)), "")


@pytest.mark.parametrize(("module", "name", "row"), ROWS)
def test_every_name_is_there_or_says_why_not(module: str, name: str, row: Row) -> None:
    plugin = plugin_of(module, row)
    if plugin and importlib.util.find_spec(plugin) is None:
        with pytest.raises(ModuleNotFoundError, match=f"pip install {plugin.replace('_', '-')}"):
            named(module, name)
    elif row.when_called:
        found = named(module, name)
        with pytest.raises(NotImplementedError) as refused:
            found("anything", x=1)
        assert str(refused.value) == row.message(f"{module}.{name}")
    elif row.status == "missing":
        with pytest.raises(ImportError) as missing:
            named(module, name)
        assert str(missing.value) == row.message(f"{module}.{name}")
    else:
        assert named(module, name) == row.resolve()


@pytest.mark.parametrize("row", [row for *_, row in (parameter.values for parameter in ROWS)])
def test_what_a_name_of_alulas_own_is_there_too(row: Row) -> None:
    if row.own and not row.own.startswith(("alula_bigquery", "alula_papermill", "alula_ray", "alula_spark")):
        assert Row("same", row.own).resolve() is not None


def test_plugin_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"alula-no-such is not installed.*\n  pip install alula-no-such"):
        same("alula_no_such.part:Thing").resolve()


def test_unknown_name_can_be_looked_for_and_not_be_imported() -> None:
    assert not hasattr(FlyteModule("flyte"), "no_such_name")
    with pytest.raises(AttributeError, match=r"does not know flyte\.no_such_name; `alula flyte names flyte`"):
        named("flyte", "no_such_name")


@pytest.mark.parametrize("module", ["flyte.connectors", "flyte.extend.parts", "flyteplugins.wandb"])
def test_modules_that_are_missing_say_why(module: str) -> None:
    row = missing_module(module)
    assert row is not None
    assert row.note
    assert row.instead


@pytest.mark.parametrize(
    "name", [name for name, row in flyte.MODULES["flyte.errors"].items() if name != "ErrorKind" and row.target]
)
def test_errors_can_be_raised_caught_and_sent(name: str) -> None:
    kind = named("flyte.errors", name)
    made = kind("a message") if _takes_a_message(kind) else kind("Code", "a message")
    with pytest.raises(kind, match="a message"):
        raise made
    again = pickle.loads(pickle.dumps(made))
    assert isinstance(again, Exception)
    assert str(again) == "a message"


def _takes_a_message(kind: type[Exception]) -> bool:
    return kind.__init__ is not named("flyte.errors", "BaseRuntimeError").__init__


def test_custom_error_is_made_from_an_exception() -> None:
    made = named("flyte.errors", "CustomError").from_exception(KeyError("lost"))
    assert (made.code, str(made)) == ("KeyError", "'lost'")
    assert isinstance(made.__cause__, KeyError)


def test_devices_are_what_resources_take() -> None:
    gpu = named("flyte", "GPU")("A100 80G", 2, partition="1g.10gb")
    assert (gpu.device, gpu.quantity, gpu.device_class, gpu.partition) == ("A100 80G", 2, "GPU", "1g.10gb")
    assert named("flyte", "Resources")(cpu=(1, "2"), memory="1Gi", gpu=gpu).quantities()["gpu"][0] == "A100 80G:2"
    assert named("flyte", "Resources")(gpu=named("flyte", "Device")(3)).quantities()["gpu"][0] == "3"
    copied = pickle.loads(pickle.dumps(gpu))
    assert (copied, copied.partition) == (gpu, "1g.10gb")
    for make in ("TPU", "Neuron", "AMD_GPU", "HABANA_GAUDI"):
        assert named("flyte", make)("Model1").quantity == 1
    with pytest.raises(ValueError, match="at least one T4"):
        named("flyte", "GPU")("T4", 0)


def test_image_takes_every_step_of_flytes() -> None:
    image = named("flyte", "Image").from_debian_base(
        python_version=(3, 12), install_flyte=False, registry="ghcr.io/me", registry_secret="s", name="mine"
    )
    image = (
        image.with_apt_packages("git", secret_mounts=["s"])
        .with_pip_packages("pandas", pre=True)
        .with_commands(["true"], secret_mounts=["s"])
        .with_env_vars({"A": "b"})
        .with_poetry_project("pyproject.toml")
        .with_pixi_project("pixi.toml")
        .with_code_bundle()
        .with_dockerignore("x")
        .with_local_v2()
        .with_local_v2_plugins(["flyteplugins-ray"])
        .with_workdir("/app")
        .clone(name="other", extendable=True, addl_layer=object(), platform="linux/arm64")
    )
    description = image.description()
    assert (description.name, description.python_version, description.platforms) == ("other", "3.12", ("linux/arm64",))
    assert len(description.layers) == 5


def test_triggers_hold_what_they_are_given() -> None:
    trigger, cron = named("flyte", "Trigger"), named("flyte", "Cron")
    daily = trigger.daily("at", inputs={"x": 1}, auto_activate=False)
    assert (daily.name, daily.automation.expression, daily.auto_activate) == ("daily", "0 0 * * *", False)
    assert daily.inputs == {"x": 1, "at": named("flyte", "TriggerTime")}
    assert trigger("own", cron("0 9 * * 1", timezone="Europe/Vienna")).automation.timezone == "Europe/Vienna"
    assert [make().automation.expression for make in (trigger.minutely, trigger.hourly, trigger.weekly)] == [
        "* * * * *",
        "0 * * * *",
        "0 0 * * 0",
    ]


def test_storage_reads_and_writes(tmp_path: Any) -> None:
    import asyncio

    storage = FlyteModule("flyte.storage")

    async def copied() -> bytes:
        target = await storage.put_stream(b"some bytes", to_path=storage.join(str(tmp_path), "a", ""))
        assert await storage.exists(target)
        assert await storage.get(target, tmp_path / "b") == str(tmp_path / "b")
        async with await storage.open(str(tmp_path / "b")) as stream:
            first = await stream.read(4)
        rest = [part async for part in storage.get_stream(str(tmp_path / "b"), chunk_size=20)]
        assert rest == [b"some bytes"]
        return bytes(first)

    assert asyncio.run(copied()) == b"some"
    assert storage.is_remote("s3://b/k")
    assert not storage.is_remote("file:///a")
    assert storage.S3(endpoint="http://x").endpoint == "http://x"


def test_a_module_is_pickled_by_its_name() -> None:
    """Tasks of a program that is run as a script are pickled with what they use, for executors of other processes."""
    assert FlyteModule("flyte").__reduce__() == (importlib.import_module, ("flyte",))
