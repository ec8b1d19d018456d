"""click's commands and groups, with the global options on every one of them: people put `--json`
where they think of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """An option that stands nearer to the end of the line wins; one that is absent says nothing."""
    session = ctx.ensure_object(Session)
    if value and param.name:
        setattr(session, param.name, value)


def global_options() -> list[click.Option]:
    return [
        click.Option(
            ["--policy"],
            type=click.Path(path_type=Path),
            metavar="PATH",
            expose_value=False,
            callback=_remember,
            help="The policy file. Without it: NEXUS_POLICY, ./nexus.yaml, the default policy.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Write JSON: results to standard output, errors to standard error.",
        ),
        click.Option(
            ["--no-color"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="No colours; so does the variable NO_COLOR, and an output that is no terminal.",
        ),
    ]


class Command(click.Command):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()


class Group(click.Group):
    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options()


Group.group_class = Group


def tag_option[Function: Callable[..., Any]](told: str) -> Callable[[Function], Function]:
    """`--tag name=value`, any number of times: the command takes `tags`, pairs."""
    return click.option(
        "--tag", "tags", metavar="NAME=VALUE", multiple=True, callback=_pairs, help=told
    )


def _pairs(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    parted = [value.partition("=") for value in values]
    for name, equals, _ in parted:
        if not name or not equals:
            raise click.BadParameter("a tag is written name=value")
    return tuple((name, text) for name, _, text in parted)
