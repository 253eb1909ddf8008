"""``alula inspect``: the entities of a file, and one entity's interface, graph and spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alula_kernel.errors import UsageError

from .._loading import compile_spec, entities_of, find_entity, load, load_module
from .failures import USAGE, say_error

if TYPE_CHECKING:
    from alula_kernel.specs import EntitySpec

    from .._app import App
    from .._entity import Entity


@click.command()
@click.argument("file", required=False, default="")
@click.argument("entity", required=False, default="")
@click.option("-m", "module", default="", metavar="MODULE", help="Load a module instead of a FILE.")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["text", "mermaid", "svg", "json"]),
    default="text",
    show_default=True,
    help="text: the graph as a tree; mermaid and svg: a drawing; json: the specs.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to a file."
)
def command(file: str, entity: str, module: str, wanted: str, output: Path | None) -> int:
    """Show the entities of a FILE, or the graph of one ENTITY.

    Everything is compiled, and nothing runs.
    """
    if module:
        file, entity = module, file
    if not file:
        raise click.UsageError("the FILE is missing", click.get_current_context())
    loaded = load_module(module) if module else load(file)
    entities = {entity: find_entity(loaded, entity, file)} if entity else entities_of(loaded)
    if not entities:
        raise UsageError(f"{file} has no tasks, workflows or launch plans", hint="Decorate a function with @task.")
    if wanted in {"mermaid", "svg"}:
        only = _the_one(entities, file)
        entities = {only: entities[only]}
    good, problems = _compiled(entities)
    if problems and len(entities) == 1:
        raise problems[0]
    if wanted in {"mermaid", "svg"}:
        text = _drawn(next(iter(good.values())), wanted)
    elif wanted == "json":
        text = _specs(good.values())
    else:
        text = "\n".join(_described(name, found, graph=bool(entity)) for name, found in good.items())
    _write(text, output)
    for problem in problems:
        say_error(str(problem))
    return USAGE if problems else 0


def _compiled(entities: dict[str, Entity]) -> tuple[dict[str, Entity], list[UsageError]]:
    """Return the entities that can be compiled and registered, and what is wrong with the others."""
    from .._app import current_app

    good: dict[str, Entity] = {}
    problems: list[UsageError] = []
    for name, found in entities.items():
        try:
            compile_spec(found)
            found.documented_spec(current_app())
            good[name] = found
        except UsageError as problem:
            problems.append(problem)
    return good, problems


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"cannot write {output}: {problem.strerror or problem}", location="--output") from None


def _the_one(entities: dict[str, Entity], file: str) -> str:
    if len(entities) == 1:
        return next(iter(entities))
    workflows = [name for name, entity in entities.items() if entity.kind != "task"]
    raise UsageError(
        "a drawing shows one entity",
        hint=f"Name one: alula inspect {file} {(workflows or list(entities))[0]} --format ...",
    )


def _drawn(entity: Entity, wanted: str) -> str:
    from .._app import current_app
    from .._graphs import graph_mermaid, graph_of

    app = current_app()
    graph = graph_of(entity.spec(app), app.entities.spec)
    if wanted == "mermaid":
        return graph_mermaid(graph)
    from .._drawing import graph_svg

    return graph_svg(graph)


def _described(name: str, entity: Entity, *, graph: bool) -> str:
    from .._app import current_app

    app = current_app()
    lines = [f"{name}  {entity.kind.replace('_', ' ')} {entity.name}"]
    description = getattr(entity, "description", "")
    if description:
        lines.append(f"  {description}")
    interface = entity.documented_spec(app).interface
    for title, variables in (("inputs", interface.inputs), ("outputs", interface.outputs)):
        lines += [f"  {title}"] if variables else []
        lines += [f"    {_variable(key, variable)}" for key, variable in variables.items()]
    if entity.location:
        lines.append(f"  defined at {entity.location}")
    text = "".join(f"{line}\n" for line in lines)
    if graph and entity.kind != "task":
        from .._graphs import graph_of, graph_text

        text += "  graph\n"
        text += "".join(
            f"    {line}\n" for line in graph_text(graph_of(entity.spec(app), app.entities.spec)).splitlines()
        )
    return text


def _variable(name: str, variable: Any) -> str:
    from alula_kernel.types import display

    from .._plain import preview

    default = f" = {preview(variable.default, 60)}" if variable.default is not None else ""
    description = f"  {' '.join(variable.description.split())}" if variable.description else ""
    return f"{name}: {display(variable.type)}{default}{description}"


def _specs(entities: Any) -> str:
    """Return the specs of entities and of everything that they refer to as JSON."""
    import msgspec

    from .._app import current_app

    app = current_app()
    documented = {entity.id(app): entity.documented_spec(app) for entity in entities}
    specs = {**{spec.id: spec for own in documented.values() for spec in _reachable(own, app)}, **documented}
    return f"{json.dumps(msgspec.to_builtins(list(specs.values())), indent=2, ensure_ascii=False)}\n"


def _reachable(spec: EntitySpec, app: App) -> list[EntitySpec]:
    """Return a spec and those that it refers to, each once."""
    from alula_kernel.errors import UnknownNameError
    from alula_kernel.specs import LaunchPlanSpec, WorkflowSpec, entity_ids

    found = {spec.id: spec}
    waiting = [spec]
    while waiting:
        current = waiting.pop()
        ids = [current.workflow] if isinstance(current, LaunchPlanSpec) else []
        if isinstance(current, WorkflowSpec):
            ids += entity_ids(current)
        for entity_id in ids:
            if entity_id in found:
                continue
            try:
                found[entity_id] = app.entities.spec(entity_id)
            except UnknownNameError:  # a reference to what is registered elsewhere
                continue
            waiting.append(found[entity_id])
    return list(found.values())
