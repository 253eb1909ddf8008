"""``alula image``: Dockerfiles and environments from what images describe."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alula_kernel.errors import UsageError

from .._loading import compile_spec, entities_of, find_entity, load
from .failures import say
from .tables import table, time_text

if TYPE_CHECKING:
    from alula_kernel.images import ImageDescription

_DAY_SECONDS = 86_400


@click.group()
def group() -> None:
    """Show and build what images describe."""


@group.command()
@click.argument("file")
@click.argument("entity")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to a file."
)
def dockerfile(file: str, entity: str, output: Path | None) -> None:
    """Print the Dockerfile of the image of a task. ENTITY may be a workflow whose tasks have one image."""
    from alula_kernel.dockerfiles import dockerfile as written

    from .. import __version__

    images = _images(file, entity)
    if len(images) > 1:
        tasks = ", ".join(f"{description.name or 'image'} of {task}" for task, description in images)
        raise UsageError(f"the tasks of {entity!r} have {len(images)} images: {tasks}", hint="Name one of the tasks.")
    text = written(images[0][1], __version__)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"cannot write {output}: {problem.strerror or problem}", location="--output") from None


@group.command()
@click.argument("file")
@click.argument("entity", required=False, default="")
def build(file: str, entity: str) -> None:
    """Build the environments that the images of an ENTITY's tasks describe, or those of all tasks of a FILE.

    An environment that is there already is not built again. The path of each one's Python is printed.
    """
    from alula_kernel.images import BuildRequest

    from .._app import current_app
    from .._interpreters import environment_builder

    app = current_app()
    builders = [builder for builder, _source in app.plugins.image_builders()]
    for _task, description in _images(file, entity):
        request = BuildRequest(description=description, home=str(app.settings.home), report=say)
        click.echo(environment_builder(builders, description).build(request))


@group.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_environments(output: str) -> None:
    """List the environments of this machine, the one used last first."""
    from .._app import current_app
    from .._uv_builder import environments, last_used

    found = sorted(environments(current_app().settings.home), key=lambda each: last_used(each[0]), reverse=True)
    if output == "json":
        documents = [
            {
                "folder": str(folder),
                "complete": record is not None,
                "name": record.name if record else "",
                "python": record.python if record else "",
                "packages": record.packages if record else [],
                "used_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last_used(folder))),
            }
            for folder, record in found
        ]
        click.echo(json.dumps(documents, indent=2, ensure_ascii=False))
    elif not found:
        say("no environment has been built")
    else:
        rows = [
            (
                folder.name[:12],
                record.name if record else "(not complete)",
                record.python if record else "",
                time_text(last_used(folder)),
                "; ".join(record.wanted) if record else "",
            )
            for folder, record in found
        ]
        click.echo(table(rows, header=("ENVIRONMENT", "IMAGE", "PYTHON", "LAST USED", "INSTALLED")))


@group.command()
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Remove those that were not used for so long.",
)
@click.option("--all", "everything", is_flag=True, help="Remove all of them.")
def prune(days: float, everything: bool) -> None:
    """Remove environments that were not used for long, and those whose build was cut off. They are built again when needed.

    An environment in which a process runs, or that is being built, stays.
    """
    from .._app import current_app
    from .._uv_builder import environments, last_used, remove

    oldest = time.time() - days * _DAY_SECONDS
    removed = kept = 0
    for folder, record in list(environments(current_app().settings.home)):
        if record is not None and not everything and last_used(folder) >= oldest:
            continue
        if remove(folder):
            removed += 1
        else:
            kept += 1
    say(f"removed {removed} {'environment' if removed == 1 else 'environments'}")
    if kept:
        say(f"{kept} {'is' if kept == 1 else 'are'} in use and stayed")


def _images(file: str, entity: str) -> list[tuple[str, ImageDescription]]:
    """Return the images that are described in a file or behind an entity, each once, with the first task that has it.

    Raises:
        UsageError: There is none.
    """
    from alula_kernel.images import decode_image
    from alula_kernel.specs import TaskSpec

    from .._app import current_app

    app = current_app()
    module = load(file)
    entities = [find_entity(module, entity, file)] if entity else list(entities_of(module).values())
    found: dict[str, tuple[str, ImageDescription]] = {}
    for each in entities:
        compile_spec(each)
        for spec in app.entities.behind(each.id(app)):
            description = decode_image(spec.image) if isinstance(spec, TaskSpec) else None
            if isinstance(spec, TaskSpec) and description is not None:
                found.setdefault(spec.image, (spec.id.name, description))
    if not found:
        raise UsageError(
            f"no task of {entity or file} has an image that is described",
            hint='Give it one: image=Image.from_debian_base().with_pip_packages("pandas").',
        )
    return list(found.values())
