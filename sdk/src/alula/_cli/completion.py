"""``alula completion``: scripts that teach a shell to complete commands, options, entities and their inputs."""

from __future__ import annotations

import click

_HELP = """Print the completion script for a shell.

\b
bash: eval "$(alula completion bash)"          in ~/.bashrc
zsh:  eval "$(alula completion zsh)"           in ~/.zshrc
fish: alula completion fish | source           in ~/.config/fish/config.fish

Completing the entities of a file, and their inputs, loads the file.
"""


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    from . import COMPLETION_VARIABLE

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click.Command("alula"), {}, "alula", COMPLETION_VARIABLE).source())
