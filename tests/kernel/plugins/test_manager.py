from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import pytest

from alula_kernel.contracts import ActionEvent, BlobBackend, Cache, TaskType
from alula_kernel.errors import PluginError
from alula_kernel.hookspecs import hookimpl
from alula_kernel.plugins import PluginManager, load_plugins

from .conftest import Site

TASK_TYPE = """
    from alula_kernel.contracts import TaskType
    from alula_kernel.hookspecs import hookimpl

    @hookimpl
    def alula_task_types():
        return [TaskType("{name}", config="{config}")]
"""


def task_type_source(name: str, config: str = "") -> str:
    return TASK_TYPE.format(name=name, config=config)


class Provider:
    """A plugin object that registers what it is given."""

    def __init__(self, name: str = "kernel", **registered: object) -> None:
        self.__name__ = name
        for hook, value in registered.items():
            setattr(self, f"alula_{hook}", self._implementation(value))

    @staticmethod
    def _implementation(value: object) -> object:
        @hookimpl
        def implementation() -> object:
            return value

        return implementation


def load(site: Site, **options: object) -> PluginManager:
    return load_plugins(path=[str(site.folder)], disabled="", **options)  # type: ignore[arg-type]


def messages(manager: PluginManager) -> list[str]:
    return [str(problem) for problem in manager.problems]


def type_names(manager: PluginManager) -> list[str]:
    return [task_type.name for task_type, _source in manager.task_types()]


# --- loading ---------------------------------------------------------------------------------------------------------


def test_a_plugin_is_imported_when_a_hook_is_first_needed(site: Site) -> None:
    module = site.install("alula-demo", source=task_type_source("demo"))
    manager = load(site)
    assert manager.names() == ["demo"]
    assert module not in sys.modules
    assert type_names(manager) == ["demo"]
    assert module in sys.modules
    assert [source for _, source in manager.task_types()] == ["demo (alula-demo 1.0)"]


def test_an_entry_point_may_name_an_object(site: Site) -> None:
    source = """
        from alula_kernel.contracts import TaskType
        from alula_kernel.hookspecs import hookimpl

        class Hooks:
            @hookimpl
            def alula_task_types(self):
                return [TaskType("inner")]

        class holder:
            hooks = Hooks()
    """
    site.install("alula-demo", source=source, entry_points="demo = alula_demo:holder.hooks")
    assert type_names(load(site)) == ["inner"]


def test_built_ins_are_modules_objects_or_import_paths_and_come_first(site: Site) -> None:
    site.install("alula-demo", source=task_type_source("demo"))
    site.install("other", source=task_type_source("by-path"), entry_points="")
    module = types.ModuleType("package.module")
    module.alula_task_types = Provider._implementation([TaskType("by-module")])  # type: ignore[attr-defined]
    manager = load(site, builtins=[module, Provider("package", task_types=[TaskType("by-object")]), "other"])
    assert type_names(manager) == ["by-module", "by-object", "by-path", "demo"]
    assert [source for _, source in manager.task_types()] == [
        "package (built in)",
        "package-2 (built in)",
        "other (built in)",
        "demo (alula-demo 1.0)",
    ]
    assert messages(manager) == []


def test_the_order_does_not_depend_on_which_hook_was_needed_first(site: Site, cache_file: Path) -> None:
    both = """
        from alula_kernel.contracts import TaskType
        from alula_kernel.hookspecs import hookimpl

        @hookimpl
        def alula_caches():
            return []

        @hookimpl(tryfirst=True)
        def alula_task_types():
            return [TaskType("b")]
    """
    site.install("alula-a", source=task_type_source("a"))
    site.install("alula-b", source=both)
    assert type_names(load(site, cache_file=cache_file)) == ["a", "b"]
    manager = load(site, cache_file=cache_file)
    manager.caches()
    assert type_names(manager) == ["a", "b"]


def test_a_hook_that_returns_none_registers_nothing(site: Site) -> None:
    manager = load(site, builtins=[Provider(task_types=None), Provider(task_types=(TaskType("x"),))])
    assert type_names(manager) == ["x"]
    assert messages(manager) == []


def test_hooks_are_called_once(site: Site) -> None:
    calls = []

    class Counting:
        @hookimpl
        def alula_task_types(self) -> list[TaskType]:
            calls.append(1)
            return [TaskType("x")]

    manager = load(site, builtins=[Counting()])
    assert manager.task_types() == manager.task_types()
    manager.describe()
    assert calls == [1]


def test_the_answer_is_the_callers_own(site: Site) -> None:
    manager = load(site, builtins=[Provider(task_types=[TaskType("x")])])
    manager.task_types().clear()  # type: ignore[attr-defined]
    assert type_names(manager) == ["x"]


def test_threads_may_ask_at_once(site: Site) -> None:
    site.install("alula-demo", source="import time\ntime.sleep(0.05)\n" + textwrap.dedent(task_type_source("demo")))
    manager = load(site)
    answers: list[list[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(type_names(manager))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["demo"]] * 8


def test_loaded_distributions_are_told_at_debug_level(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.install("alula-demo", "3.2", source=task_type_source("demo"))
    with caplog.at_level(logging.DEBUG, "alula.plugins"):
        load(site).task_types()
    assert "loaded demo (alula-demo 3.2) from alula_demo" in caplog.messages


# --- what is remembered about hooks ----------------------------------------------------------------------------------


def test_a_plugin_is_not_imported_for_hooks_it_is_known_not_to_implement(site: Site, cache_file: Path) -> None:
    module = site.install("alula-demo", source=task_type_source("demo"))
    load(site, cache_file=cache_file).task_types()
    del sys.modules[module]
    manager = load(site, cache_file=cache_file)
    assert manager.caches() == []
    assert manager.type_transformers() == []
    assert module not in sys.modules
    assert type_names(manager) == ["demo"]


def test_a_plugin_that_was_edited_is_imported_again(site: Site, cache_file: Path) -> None:
    module = site.install("alula-demo", source="")
    assert type_names(load(site, cache_file=cache_file)) == []
    del sys.modules[module]
    (site.folder / f"{module}.py").write_text(textwrap.dedent(task_type_source("demo")))
    assert type_names(load(site, cache_file=cache_file)) == ["demo"]


def test_the_file_that_a_hook_really_comes_from_counts_too(site: Site, cache_file: Path) -> None:
    site.install("alula-inner", source=task_type_source("inner"), entry_points="")
    site.install("alula-demo", source="from alula_inner import *")
    assert type_names(load(site, cache_file=cache_file)) == ["inner"]
    (found,) = load(site, cache_file=cache_file)._plugins
    assert {Path(source).name for source in found.found.sources} == {"alula_demo.py", "alula_inner.py"}


def test_a_broken_plugin_is_told_every_time(site: Site, cache_file: Path) -> None:
    site.install("alula-demo", source="raise RuntimeError('no')")
    for _ in range(2):
        manager = load(site, cache_file=cache_file)
        manager.caches()
        assert len(manager.problems) == 1


# --- broken plugins --------------------------------------------------------------------------------------------------


def test_a_plugin_that_cannot_be_imported_is_named_and_the_rest_works(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.install("alula-bad", "0.3", source="raise RuntimeError('out of order')")
    site.install("alula-good", source=task_type_source("good"))
    manager = load(site)
    assert type_names(manager) == ["good"]
    manager.caches()
    (message,) = messages(manager)
    assert message == (
        "plugin 'bad' (alula-bad 0.3): importing alula_bad raised RuntimeError: out of order\n"
        "  Reinstall or update it, or switch it off with ALULA_PLUGINS_DISABLED=bad."
    )
    assert [(r.levelname, r.name) for r in caplog.records] == [("WARNING", "alula.plugins")]
    assert caplog.messages == messages(manager)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a_library_that_is_not_there", "Install what brings the module 'a_library_that_is_not_there'"),
        ("def broken(:", "raised SyntaxError"),
        ("import sys; sys.exit('bye')", "raised SystemExit: bye"),
        ("raise ValueError", "raised ValueError\n"),
        ("raise ValueError('x' * 10_000)", "xxx...\n"),
    ],
)
def test_every_kind_of_failing_import_is_a_problem(site: Site, source: str, expected: str) -> None:
    site.install("alula-bad", source=source)
    manager = load(site)
    assert manager.task_types() == []
    (message,) = messages(manager)
    assert expected in message
    assert len(message) < 1_000


def test_an_entry_point_to_nothing_is_a_problem(site: Site) -> None:
    site.install("alula-bad", entry_points="bad = alula_bad:missing\nworse = alula_missing.plugin")
    manager = load(site)
    manager.task_types()
    first, second = messages(manager)
    assert "importing alula_bad:missing raised AttributeError" in first
    assert "importing alula_missing.plugin raised ModuleNotFoundError" in second


def test_an_unknown_hook_is_refused_with_near_matches(site: Site) -> None:
    source = task_type_source("kept out").replace("alula_task_types", "alula_task_tipes")
    site.install("alula-bad", source=source)
    site.install("alula-good", source=task_type_source("good"))
    manager = load(site)
    assert type_names(manager) == ["good"]
    (message,) = messages(manager)
    assert "plugin 'bad' (alula-bad 1.0): it implements the unknown hook 'alula_task_tipes'" in message
    assert "Did you mean 'alula_task_types'" in message
    assert "optionalhook=True" in message


def test_an_optional_hook_of_another_version_is_accepted(site: Site) -> None:
    source = (
        task_type_source("new").replace("@hookimpl", "@hookimpl(optionalhook=True)").replace("_types()", "_later()")
    )
    site.install("alula-new", source=source)
    manager = load(site)
    assert manager.task_types() == []
    assert messages(manager) == []


def test_a_hook_with_unknown_arguments_is_refused(site: Site) -> None:
    site.install("alula-bad", source=task_type_source("bad").replace("_types()", "_types(application)"))
    manager = load(site)
    assert manager.task_types() == []
    (message,) = messages(manager)
    assert "cannot be registered" in message
    assert "application" in message


def test_a_hook_wrapper_is_refused(site: Site) -> None:
    source = """
        from alula_kernel.hookspecs import hookimpl

        @hookimpl(wrapper=True)
        def alula_task_types():
            return (yield)
    """
    site.install("alula-bad", source=source)
    manager = load(site)
    manager.task_types()
    assert "its alula_task_types is a hook wrapper, which is not supported" in messages(manager)[0]


def test_a_hook_that_raises_leaves_the_other_plugins_and_hooks_alone(site: Site) -> None:
    class Half:
        __name__ = "half"

        @hookimpl
        def alula_task_types(self) -> list[TaskType]:
            yield TaskType("first")
            raise RuntimeError("half way")

        @hookimpl
        def alula_caches(self) -> list[Cache]:
            return []

    manager = load(site, builtins=[Half(), Provider("whole", task_types=[TaskType("whole")])])
    assert type_names(manager) == ["whole"]
    manager.caches()
    assert messages(manager) == ["plugin 'half': alula_task_types raised RuntimeError: half way\n  Tell its author."]


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ([42], "returned 42, expected objects of TaskType"),
        ([TaskType], "it is a class, not an object"),
        (7, "raised TypeError"),
        ([TaskType("")], "returned a TaskType without a name"),
        ([TaskType("x", config=7)], "the task type 'x' with the config class 7, expected a string"),  # type: ignore[arg-type]
    ],
)
def test_objects_that_do_not_fulfil_the_contract_are_left_out(site: Site, returned: object, expected: str) -> None:
    manager = load(site, builtins=[Provider(task_types=returned)])
    assert manager.task_types() == []
    assert expected in messages(manager)[0]


def backend(backend_name: str, *backend_schemes: str) -> BlobBackend:
    class Backend(BlobBackend):
        name = backend_name
        schemes = backend_schemes
        open_read = open_write = get = put = list = exists = size = delete = None  # type: ignore[assignment]

    Backend.__abstractmethods__ = frozenset()
    return Backend()


def test_a_string_where_a_sequence_belongs_is_not_taken_letter_by_letter(site: Site) -> None:
    wrong = backend("odd")
    wrong.schemes = "s3"
    manager = load(site, builtins=[Provider(blob_backends=[wrong])])
    assert manager.blob_backends() == []
    assert "schemes is the string 's3', expected a sequence such as ['s3']" in messages(manager)[0]


# --- clashes ---------------------------------------------------------------------------------------------------------


def test_the_first_of_two_objects_with_one_name_is_kept_and_both_plugins_are_named(site: Site) -> None:
    site.install("alula-one", "1.0", source=task_type_source("same"))
    site.install("alula-two", "2.0", source=task_type_source("same"))
    manager = load(site)
    ((_, source),) = manager.task_types()
    assert source == "one (alula-one 1.0)"
    (message,) = messages(manager)
    assert message == (
        "plugin 'two' (alula-two 2.0): its task type 'same' is left out: "
        "the name 'same' belongs to one (alula-one 1.0)\n"
        "  Uninstall one of the two, or switch one off with ALULA_PLUGINS_DISABLED."
    )


def test_two_task_types_with_one_config_class_clash(site: Site) -> None:
    site.install("alula-one", source=task_type_source("one", "package.Config"))
    site.install("alula-two", source=task_type_source("two", "package.Config"))
    manager = load(site)
    assert type_names(manager) == ["one"]
    assert "the config class 'package.Config' belongs to one (alula-one 1.0)" in messages(manager)[0]


def test_two_backends_with_one_scheme_clash(site: Site) -> None:
    builtins = [
        Provider("kernel", blob_backends=[backend("any", "*"), backend("file", "file")]),
        Provider("plugin", blob_backends=[backend("mine", "mine", "file"), backend("s3", "s3")]),
    ]
    manager = load(site, builtins=builtins)
    assert [b.name for b, _ in manager.blob_backends()] == ["any", "file", "s3"]
    assert "its blob backend 'mine' is left out: the scheme 'file' belongs to kernel (built in)" in messages(manager)[0]


def test_two_transformers_with_one_class_clash_however_it_is_written(site: Site) -> None:
    source = """
        from alula_kernel.contracts import TypeTransformer
        from alula_kernel.hookspecs import hookimpl

        class Transformer(TypeTransformer):
            def __init__(self, name, *types):
                self.name, self.python_types = name, types
            def converter(self, request):
                raise AssertionError

        import decimal

        @hookimpl
        def alula_type_transformers():
            return [Transformer("class", decimal.Decimal), Transformer("text", "decimal.Decimal")]
    """
    site.install("alula-demo", source=source)
    manager = load(site)
    assert [t.name for t, _ in manager.type_transformers()] == ["class"]
    assert "the class 'decimal.Decimal' belongs to demo (alula-demo 1.0)" in messages(manager)[0]


def test_a_plugin_may_not_take_the_name_of_a_built_in_provider(site: Site) -> None:
    site.install("alula-kernel-imposter", source=task_type_source("x"), entry_points="kernel = alula_kernel_imposter")
    manager = load(site, builtins=[Provider("kernel")])
    assert manager.task_types() == []
    assert "its name is that of a part of Alula" in messages(manager)[0]


def test_discovery_problems_are_problems_of_the_manager(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.install("alula-one", "1.0", entry_points="same = alula_one")
    site.install("alula-two", "2.0", entry_points="same = alula_two")
    manager = load(site)
    assert "its name is taken by alula-one 1.0" in messages(manager)[0]
    assert caplog.messages == messages(manager)


# --- switching plugins off -------------------------------------------------------------------------------------------


def test_plugins_are_switched_off_by_name(site: Site) -> None:
    for name in ("one", "two", "three"):
        site.install(f"alula-{name}", source=task_type_source(name))
    manager = load_plugins(path=[str(site.folder)], disabled=" one, three ,")
    assert type_names(manager) == ["two"]
    assert [(info.name, info.disabled) for info in manager.describe()] == [
        ("two", False),
        ("one", True),
        ("three", True),
    ]


def test_all_plugins_are_switched_off_at_once_but_built_ins_stay(site: Site) -> None:
    site.install("alula-one", source=task_type_source("one"))
    site.install("alula-bad", entry_points="demo =")
    manager = load_plugins([Provider(task_types=[TaskType("built-in")])], path=[str(site.folder)], disabled="all")
    assert type_names(manager) == ["built-in"]
    assert messages(manager) == []
    assert "alula_one" not in sys.modules


def test_the_environment_variable_is_read_when_the_manager_is_built(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("alula-one", source=task_type_source("one"))
    monkeypatch.setenv("ALULA_PLUGINS_DISABLED", "one")
    manager = load_plugins(path=[str(site.folder)])
    monkeypatch.delenv("ALULA_PLUGINS_DISABLED")
    assert type_names(manager) == []
    assert type_names(load_plugins(path=[str(site.folder)])) == ["one"]


# --- describing ------------------------------------------------------------------------------------------------------


def test_describe_tells_what_each_plugin_registers(site: Site) -> None:
    site.install("alula-good", "1.2", source=task_type_source("good"))
    site.install("alula-bad", "0.1", source="raise RuntimeError('no')")
    site.install("alula-other", "0.2", entry_points="good = alula_other")
    manager = load(site, builtins=[Provider(blob_backends=[backend("file", "file")])])
    builtin, bad, good, other = manager.describe()
    assert (bad.name, bad.distribution, bad.version, bad.registers) == ("bad", "alula-bad", "0.1", {})
    assert "RuntimeError: no" in bad.error
    assert bad.hint.startswith("Reinstall")
    assert builtin.builtin
    assert builtin.registers == {"blob_backends": ["file"]}
    assert (good.module, good.version, good.registers) == ("alula_good", "1.2", {"task_types": ["good"]})
    assert good.error == ""
    assert "its name is taken by alula-good 1.2" in other.error


def test_describe_times_the_import(site: Site) -> None:
    site.install("alula-slow", source="import time\ntime.sleep(0.03)")
    (info,) = load(site).describe()
    assert info.import_milliseconds >= 30
    (again,) = load(site).describe()
    assert again.import_milliseconds == 0


# --- events ----------------------------------------------------------------------------------------------------------


def test_listeners_get_the_event_and_their_failures_are_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[ActionEvent] = []

    class Listening:
        @hookimpl
        def alula_action_changed(self, event: ActionEvent) -> None:
            seen.append(event)

    class Failing:
        __name__ = "failing"

        @hookimpl
        def alula_action_changed(self) -> None:
            raise RuntimeError("deaf")

    manager = load(site, builtins=[Failing(), Listening(), Provider()])
    event = ActionEvent(run="r", action="a0", phase="running")
    assert manager.listens()
    manager.action_changed(event)
    assert seen == [event]
    assert caplog.messages == ["plugin failing (built in): alula_action_changed raised RuntimeError: deaf"]
    assert [info.listens for info in manager.describe()] == [True, True, False]
    assert not load(site, builtins=[Provider()]).listens()


# --- work on behalf of a plugin --------------------------------------------------------------------------------------


def test_what_a_registry_refuses_becomes_a_problem_of_the_plugin(site: Site) -> None:
    site.install("alula-demo", "1.5", source=task_type_source("demo"))
    manager = load(site)
    ((_, source),) = manager.task_types()
    kept: list[int] = []

    def refuse(error: Exception) -> None:
        raise error

    assert manager.guard(source, kept.append, 1)
    assert not manager.guard(source, refuse, PluginError("taken", hint="Choose."))
    assert not manager.guard("nobody", refuse, KeyError("odd"))
    assert kept == [1]
    assert messages(manager) == ["plugin 'demo' (alula-demo 1.5): taken\n  Choose.", "plugin 'nobody': KeyError: 'odd'"]


# --- start-up --------------------------------------------------------------------------------------------------------


def test_with_a_fresh_cache_file_nothing_that_reads_metadata_is_imported(site: Site, cache_file: Path) -> None:
    site.install("alula-demo", source=task_type_source("demo"))
    code = f"""
        import sys
        from pathlib import Path
        from alula_kernel.plugins import load_plugins
        sys.path.append({str(site.folder)!r})
        manager = load_plugins(path=[{str(site.folder)!r}], cache_file=Path({str(cache_file)!r}))
        assert [t.name for t, _ in manager.task_types()] == ["demo"], manager.problems
        print([m for m in ("importlib.metadata", "entrypoints", "configparser", "zipfile") if m in sys.modules])
    """
    for expected in ("['entrypoints', 'configparser', 'zipfile']", "[]"):
        command = [sys.executable, "-B", "-c", textwrap.dedent(code)]  # bytecode would change the folder
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_importing_the_package_does_not_import_pluggy() -> None:
    code = "import sys, alula_kernel.plugins; print('pluggy' in sys.modules, 'entrypoints' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
