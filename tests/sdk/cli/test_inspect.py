"""``alula inspect`` and the graphs behind it."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._layout import _nearest, layered

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = '''
import datetime

from alula import CronSchedule, LaunchPlan, approve, conditional, dynamic, map_task, sleep, task, wait_for_input, workflow


@task(cache=True, cache_version="1", retries=3, timeout=60)
def load(path: str) -> list[int]:
    """Load numbers.

    Args:
        path: Where they are.
    """
    return []


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(xs: list[int | None]) -> int:
    return sum(x or 0 for x in xs)


@dynamic
def grows(n: int) -> int:
    return double(x=n)


@task
def clean(x: int) -> None: ...


@task
def report(path: str, limit: int) -> None: ...


@workflow
def pick(x: int) -> int:
    """Pick one."""
    return conditional("size").if_((x > 10) & (x < 20)).then(double(x=x)).elif_(x == 0).then(grows(n=x)).else_().fail("too <odd>")


@workflow(on_failure=report)
def main(path: str, limit: int = 5) -> tuple[int, int]:
    """Do it all."""
    numbers = load(path=path)
    doubled = map_task(double, concurrency=4, min_success_ratio=0.9)(x=numbers)
    picked = pick(x=total(xs=doubled))
    allowed = approve(picked, "check")
    more = wait_for_input("more", None, int)
    pause = sleep(datetime.timedelta(seconds=5))
    cleaned = clean(x=limit)
    pause >> cleaned
    return allowed, total(xs=[more, limit, 3])


nightly = LaunchPlan.get_or_create(
    main, "nightly", default_inputs={"path": "p", "limit": 9}, schedule=CronSchedule(schedule="0 2 * * *")
)
'''


@pytest.fixture(autouse=True)
def script(write: Write) -> Path:
    return write("flow.py", SCRIPT)


def test_a_file_shows_its_entities_with_interfaces_and_docs(alula: Run, folder: Path) -> None:
    answer = alula("inspect", "flow.py")
    assert answer.code == 0
    blocks = answer.out.split("\n\n")
    assert [block.split()[0] for block in blocks] == [
        *("load", "double", "total", "grows", "clean", "report", "pick", "main", "nightly")
    ]
    assert blocks[0] == (
        "load  task flow.load\n  Load numbers.\n  inputs\n    path: str  Where they are.\n  outputs\n    o0: list[int]\n"
        f"  defined at {folder}/flow.py:7"
    )
    assert "    limit: int = 9\n" in blocks[-1]
    assert "graph" not in answer.out


def test_a_schedule_that_cannot_fire_by_itself_is_told(alula: Run, write: Write) -> None:
    write("flow.py", SCRIPT.replace('"path": "p", ', ""))
    answer = alula("inspect", "flow.py")
    assert answer.code == 2
    assert "launch plan nightly has a schedule, and nobody gives its input 'path'" in answer.err
    assert "main  workflow flow.main" in answer.out


def test_one_entity_shows_its_graph(alula: Run) -> None:
    graph = alula("inspect", "flow.py", "main").out.partition("  graph\n")[2]
    expected = """\
    inputs path, limit
    task n0 load [cached, 3 retries, timeout 60 s]  <- path=path
    map n1 double [4 at once, 90% must succeed]  <- x=n0.o0
      for each item of x
        task double
    task n2 total  <- xs=n1.o0
    workflow n3 pick  <- x=n2.o0
      conditional n2 size
        if (x > 10 and x < 20)
          task n0 double  <- x=x
        elif x == 0
          task n1 grows [dynamic]  <- n=x
        else: fail with 'too <odd>'
    gate n4 approve check  <- value=n3.o0
    gate n5 input more
    gate n6 sleep [5 s]
    task n7 clean  <- x=limit
      after n6
    task n8 total  <- xs=[n5.o0, limit, 3]
    outputs o0, o1  <- o0=n4.o0, o1=n8.o0
    failure fn0 report
"""
    assert graph == expected


def test_a_launch_plan_shows_its_schedule_and_workflow(alula: Run) -> None:
    graph = alula("inspect", "flow.py", "nightly").out.partition("  graph\n")[2]
    assert graph.startswith(
        "    launch plan nightly [cron 0 2 * * * UTC]  <- path=p, limit=9\n      inputs path, limit\n"
    )
    assert "      workflow n3 pick" in graph


def test_mermaid(alula: Run) -> None:
    lines = alula("inspect", "flow.py", "main", "--format", "mermaid").out.splitlines()
    assert lines[0] == "flowchart TD"
    assert '  n0(["path, limit"])' in lines
    assert '  n1["load #91;cached, 3 retries, timeout 60 s#93;"]' in lines
    assert '  subgraph n2["double (map) #91;4 at once, 90#37; must succeed#93;"]' in lines
    assert '  n0 -->|"path"| n1' in lines
    assert "  n7 -.-> n8" in lines
    assert any("too #60;odd#62;" in line for line in lines)
    assert sum(line.strip().startswith("subgraph") for line in lines) == sum(line.strip() == "end" for line in lines)
    nodes = re.findall(r"^\s*(?:subgraph )?(\w+)(?:\[|\(\[|\{\{)", "\n".join(lines), re.MULTILINE)
    assert len(nodes) == len(set(nodes))
    used = re.findall(r"(\w+) -(?:->|\.->)(?:\|.*\|)? (\w+)", "\n".join(lines))
    assert {name for pair in used for name in pair} <= set(nodes)


def test_svg_is_well_formed_and_has_every_node(alula: Run, folder: Path) -> None:
    answer = alula("inspect", "flow.py", "main", "--format", "svg", "-o", "flow.svg")
    assert answer == Answer(0, "", "")
    root = ET.fromstring((folder / "flow.svg").read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("load", "double", "total", "pick", "size", "grows", "approve check", "input more", "clean", "report"):
        assert text in texts
    assert "else: fail with 'too <odd>'" in texts
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert 0 <= float(rect.get("x", -1)) <= float(rect.get("x", -1)) + float(rect.get("width", 0)) <= width
        assert 0 <= float(rect.get("y", -1)) <= float(rect.get("y", -1)) + float(rect.get("height", 0)) <= height
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_json_has_the_specs_of_everything_that_is_reached(alula: Run) -> None:
    specs = json.loads(alula("inspect", "flow.py", "nightly", "--format", "json").out)
    names = [spec["id"]["name"] for spec in specs]
    assert names[:2] == ["nightly", "flow.main"]
    own = ("main", "load", "double", "total", "pick", "grows", "clean", "report")
    assert sorted(names) == sorted(["nightly", *(f"flow.{name}" for name in own)])
    assert specs[0]["schedule"]["cron"] == "0 2 * * *"


def test_a_module_is_inspected_with_dash_m(alula: Run) -> None:
    assert alula("inspect", "-m", "flow", "pick").out.startswith("pick  workflow flow.pick\n  Pick one.\n")


def test_a_broken_entity_does_not_hide_the_others(alula: Run, write: Write) -> None:
    write(
        "part.py",
        "from alula import task, workflow\n\n@task\ndef good() -> int:\n    return 1\n\n"
        "@workflow\ndef bad() -> str:\n    return good()\n",
    )
    answer = alula("inspect", "part.py")
    assert answer.code == 2
    assert answer.out.startswith("good  task part.good\n")
    assert "part.py:" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "the FILE is missing"),
        (("nope.py",), "unknown file 'nope.py'"),
        (("flow.py", "mian"), "Did you mean 'main'"),
        (("flow.py", "--format", "svg"), "a drawing shows one entity\n  Name one: alula inspect flow.py pick --format"),
        (("flow.py", "main", "--format", "gif"), "'gif'"),
        (("flow.py", "main", "-o", "nowhere/x.txt"), "cannot write nowhere/x.txt: No such file or directory"),
        (("flow.py", "main", "-o", "/dev/full"), "cannot write /dev/full: No space left on device"),
    ],
)
def test_wrong_use(alula: Run, arguments: tuple[str, ...], expected: str) -> None:
    answer = alula("inspect", *arguments)
    assert answer.code == 2
    assert expected in answer.err
    assert "Traceback" not in answer.err


# --- the layout ------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[float, float]], list[tuple[str, str]]]:
    count = draw(st.integers(0, 12))
    sizes = {f"n{i}": (draw(st.floats(10, 200)), draw(st.floats(10, 100))) for i in range(count)}
    pairs = list(itertools.combinations(sizes, 2))
    return sizes, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []


@given(graphs())
def test_nodes_do_not_overlap_and_edges_lead_downwards(
    graph: tuple[dict[str, tuple[float, float]], list[tuple[str, str]]],
) -> None:
    sizes, edges = graph
    found = layered(sizes, edges, gap=20, layer_gap=30)
    boxes = {name: (x, y, x + sizes[name][0], y + sizes[name][1]) for name, (x, y) in found.corners.items()}
    for name, (left, top, right, bottom) in boxes.items():
        assert left >= -1e-6
        assert top >= 0
        assert right <= found.width + 1e-6
        assert bottom <= found.height + 1e-6
        for other, (left2, top2, right2, bottom2) in boxes.items():
            if name < other:
                assert right + 19 < left2 or right2 + 19 < left or bottom <= top2 or bottom2 <= top
    for source, target in edges:
        assert boxes[source][3] + 29 < boxes[target][1]
        route = found.routes[source, target]
        assert [y for _x, y in route] == sorted(y for _x, y in route)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(1, 50)), min_size=1, max_size=8))
def test_places_are_as_near_as_the_distances_allow(cells: list[tuple[float, float]]) -> None:
    wanted, distances = [place for place, _gap in cells], [gap for _place, gap in cells[1:]]

    def cost(places: list[float]) -> float:
        return sum((a - b) ** 2 for a, b in zip(places, wanted, strict=True))

    found = _nearest(wanted, distances)
    for (left, right), distance in zip(itertools.pairwise(found), distances, strict=True):
        assert right - left >= distance - 1e-6
    # Moving any run of neighbours a little, as far as the distances allow, must not be better.
    for first in range(len(found)):
        for last in range(first, len(found)):
            for step in (-0.5, 0.5):
                moved = [place + step * (first <= i <= last) for i, place in enumerate(found)]
                if all(b - a >= d - 1e-9 for (a, b), d in zip(itertools.pairwise(moved), distances, strict=True)):
                    assert cost(moved) >= cost(found) - 1e-6


def test_a_large_graph_is_laid_out_quickly() -> None:
    names = [f"n{i}" for i in range(2_000)]
    edges = [(names[i], names[j]) for i in range(2_000) for j in (i + 1, i + 7) if j < 2_000]
    found = layered(dict.fromkeys(names, (50.0, 20.0)), edges, gap=10, layer_gap=20)
    assert len(found.corners) == 2_000


def test_an_empty_graph_has_no_extent() -> None:
    found = layered({}, [], gap=1, layer_gap=1)
    assert (found.width, found.height) == (0.0, 0.0)
