from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pytest

from alula_kernel.plugins import PluginProblem, discover
from alula_kernel.plugins import discovery as discovery_module

from .conftest import Site


def names(found: discovery_module.Discovery) -> list[str]:
    return [plugin.name for plugin in found.plugins]


def test_finds_name_module_distribution_and_version(site: Site) -> None:
    site.install("alula-demo", "2.1", entry_points="demo = alula_demo.plugin:hooks.all")
    (plugin,) = discover([str(site.folder)]).plugins
    assert (plugin.name, plugin.module, plugin.attribute) == ("demo", "alula_demo.plugin", "hooks.all")
    assert (plugin.distribution, plugin.version) == ("alula-demo", "2.1")
    assert plugin.hooks is None


def test_other_groups_and_distributions_without_entry_points_do_not_count(site: Site) -> None:
    (site.folder / "plain-1.0.dist-info").mkdir()
    other = site.folder / "other-1.0.dist-info"
    other.mkdir()
    (other / "entry_points.txt").write_text("[console_scripts]\nalula = other:main\n")
    assert discover([str(site.folder)]) == discovery_module.Discovery()


def test_reads_eggs_egg_info_and_zip_files(tmp_path: Path, site: Site) -> None:
    egg_info = site.folder / "Alula_First.egg-info"
    egg_info.mkdir()
    (egg_info / "entry_points.txt").write_text("[alula]\nfirst = first\n")
    egg = tmp_path / "alula_second-0.2-py3.11.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "entry_points.txt").write_text("[alula]\nsecond = second\n")
    archive = tmp_path / "third.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("alula_third-0.3.dist-info/entry_points.txt", "[alula]\nthird = third\n")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no archive")
    found = discover([str(site.folder), str(egg), str(archive), str(broken), str(tmp_path / "missing")])
    assert [(p.name, p.distribution, p.version) for p in found.plugins] == [
        ("first", "alula-first", ""),
        ("second", "alula-second", "0.2"),
        ("third", "alula-third", "0.3"),
    ]


def test_two_distributions_with_one_name_are_both_named(site: Site) -> None:
    site.install("alula-one", "1.0", entry_points="same = one")
    site.install("alula-two", "2.0", entry_points="same = two")
    found = discover([str(site.folder)])
    assert [plugin.distribution for plugin in found.plugins] == ["alula-one"]
    (problem,) = found.problems
    assert str(problem) == (
        "plugin 'same' (alula-two 2.0): its name is taken by alula-one 1.0, which is used\n"
        "  Uninstall alula-one or alula-two."
    )


def test_a_distribution_earlier_on_the_path_hides_the_same_one_later(tmp_path: Path, site: Site) -> None:
    later = Site(tmp_path / "later")
    site.install("alula-demo", "2.0")
    later.install("alula-demo", "1.0", entry_points="demo = alula_demo\nold = alula_demo.old")
    found = discover([str(site.folder), str(later.folder)])
    assert [(p.name, p.version) for p in found.plugins] == [("demo", "2.0")]
    assert found.problems == ()


def test_what_pip_is_removing_is_not_there(site: Site) -> None:
    site.install("alula-demo")
    (site.folder / "alula_demo-1.0.dist-info").rename(site.folder / "~lula_demo-1.0.dist-info")
    assert names(discover([str(site.folder)])) == []


@pytest.mark.parametrize("text", ["demo", "demo = a\ndemo = b", "demo = not a module!"])
def test_unreadable_entry_points_are_a_problem_of_their_distribution_alone(site: Site, text: str) -> None:
    site.install("alula-bad", "0.1", entry_points=text)
    site.install("alula-good")
    found = discover([str(site.folder)])
    assert names(found) == ["good"]
    (problem,) = found.problems
    assert (problem.distribution, problem.version) == ("alula-bad", "0.1")
    assert problem.message.startswith("its entry points cannot be read: ")


def test_a_broken_file_without_our_group_is_nobodys_problem(site: Site) -> None:
    metadata = site.folder / "strange-1.0.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_bytes(b"\xff\xfe[alula\n")
    assert discover([str(site.folder)]) == discovery_module.Discovery()


# --- the cache file --------------------------------------------------------------------------------------------------


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were read instead of taken from the cache file."""
    read: list[str] = []
    original = discovery_module._scan

    def scan(entry: str, modified: int) -> object:
        read.append(entry)
        return original(entry, modified)

    monkeypatch.setattr(discovery_module, "_scan", scan)
    return read


def test_a_fresh_cache_file_is_enough(site: Site, cache_file: Path, scans: list[str]) -> None:
    site.install("alula-demo")
    first = discover([str(site.folder)], cache_file)
    second = discover([str(site.folder)], cache_file)
    assert first == second
    assert names(second) == ["demo"]
    assert scans == [str(site.folder)]


def test_install_upgrade_and_uninstall_are_noticed(site: Site, cache_file: Path) -> None:
    assert names(discover([str(site.folder)], cache_file)) == []
    site.install("alula-demo")
    assert names(discover([str(site.folder)], cache_file)) == ["demo"]
    site.uninstall("alula-demo")
    site.install("alula-demo", "1.1")
    assert discover([str(site.folder)], cache_file).plugins[0].version == "1.1"
    site.uninstall("alula-demo", "1.1")
    assert names(discover([str(site.folder)], cache_file)) == []


def test_only_the_folder_that_changed_is_read_again(
    tmp_path: Path, site: Site, cache_file: Path, scans: list[str]
) -> None:
    other = Site(tmp_path / "other")
    path = [str(site.folder), str(other.folder)]
    discover(path, cache_file)
    scans.clear()
    other.install("alula-demo")
    assert names(discover(path, cache_file)) == ["demo"]
    assert scans == [str(other.folder)]


def test_a_folder_that_changed_just_now_is_not_kept(tmp_path: Path, cache_file: Path) -> None:
    """A clock that ticks slowly would not show a second change within the tick."""
    folder = tmp_path / "busy"
    folder.mkdir()
    discover([str(folder)], cache_file)
    assert not cache_file.exists()


def test_environments_share_a_cache_file(tmp_path: Path, site: Site, cache_file: Path, scans: list[str]) -> None:
    other = Site(tmp_path / "other")
    site.install("alula-one")
    other.install("alula-two")
    for _ in range(2):
        assert names(discover([str(site.folder)], cache_file)) == ["one"]
        assert names(discover([str(other.folder)], cache_file)) == ["two"]
    assert len(scans) == 2


def test_folders_that_are_gone_leave_the_cache_file(tmp_path: Path, site: Site, cache_file: Path) -> None:
    gone = Site(tmp_path / "gone")
    discover([str(gone.folder)], cache_file)
    gone.folder.rmdir()
    discover([str(site.folder)], cache_file)
    assert str(gone.folder) not in cache_file.read_text()


def test_the_working_directory_is_searched(
    site: Site, cache_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("alula-demo")
    monkeypatch.chdir(site.folder)
    assert names(discover([""], cache_file)) == ["demo"]
    monkeypatch.chdir(tmp_path)
    assert names(discover([""], cache_file)) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1, "folders": []}', b"[1]", b"\xff\xfe"])
def test_a_damaged_cache_file_is_replaced(site: Site, cache_file: Path, content: bytes) -> None:
    site.install("alula-demo")
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)
    assert names(discover([str(site.folder)], cache_file)) == ["demo"]
    assert msgspec.json.decode(cache_file.read_bytes())["format"] == 1


def test_the_cache_file_of_another_version_is_not_believed(site: Site, cache_file: Path, scans: list[str]) -> None:
    site.install("alula-demo")
    discover([str(site.folder)], cache_file)
    content = msgspec.json.decode(cache_file.read_bytes())
    cache_file.write_bytes(msgspec.json.encode({**content, "format": 99}))
    assert names(discover([str(site.folder)], cache_file)) == ["demo"]
    assert len(scans) == 2


def test_a_cache_file_that_cannot_be_written_does_no_harm(site: Site, tmp_path: Path) -> None:
    site.install("alula-demo")
    (tmp_path / "file").write_text("")
    assert names(discover([str(site.folder)], tmp_path / "file" / "plugins.json")) == ["demo"]


def test_the_cache_file_leaves_nothing_beside_it(site: Site, cache_file: Path) -> None:
    discover([str(site.folder)], cache_file)
    assert [entry.name for entry in cache_file.parent.iterdir()] == ["plugins.json"]


def test_with_a_fresh_cache_file_no_metadata_is_opened(
    site: Site, cache_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(20):
        site.install(f"alula-demo{index}")
    path = [str(site.folder)]
    discover(path, cache_file)

    def refuse(entry: str) -> object:
        raise AssertionError(f"{entry} was listed")

    monkeypatch.setattr(discovery_module, "_metadata_files", refuse)
    found = discover(path, cache_file)
    assert len(found.plugins) == 20


def test_a_problem_pickles_and_has_a_wire_form() -> None:
    problem = PluginProblem(name="demo", distribution="alula-demo", version="1.0", message="broken", hint="Mend it.")
    assert msgspec.json.decode(msgspec.json.encode(problem), type=PluginProblem) == problem
    assert str(PluginProblem(name="demo", message="broken")) == "plugin 'demo': broken"
