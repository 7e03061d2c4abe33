"""`connector completion`: what a shell has to run to complete the commands, by click's own means."""

import click

from connector.cli.common import cli

COMPLETION_VARIABLE = "_CONNECTOR_COMPLETE"


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL has to run so that Tab completes commands and options.

    \b
    bash: connector completion bash > ~/.local/share/bash-completion/completions/connector
    zsh:  connector completion zsh > ~/.zfunc/_connector, with ~/.zfunc in fpath
    fish: connector completion fish > ~/.config/fish/completions/connector.fish
    """
    from click.shell_completion import get_completion_class

    completion_class = get_completion_class(shell)
    if completion_class is not None:
        click.echo(completion_class(cli, {}, "connector", COMPLETION_VARIABLE).source())
