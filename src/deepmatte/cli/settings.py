"""Options made from the fields of a configuration: name, type, help and default."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Config = TypeVar("Config", bound=DataclassInstance)

UNPARSED = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of a command whose options are made once it is run; it has no own ``--help``."""


def parse(
    context: typer.Context, explanation: str, example: str, options: Sequence[inspect.Parameter]
) -> dict[str, Any]:
    """What a command line says, by the options' names; what it does not say is left out.

    Args:
        context: of a command with the settings `UNPARSED`.
        explanation: what ``--help`` says first.
        example: what it says last.
        options: as `options_of` makes them.

    Raises:
        typer.Exit: ``--help`` was asked for and is printed.
    """

    def command(**values: Any) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}

    command.__doc__ = explanation
    command.__annotations__ = {option.name: option.annotation for option in options}
    command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(epilog=example)(command)
    found = typer.main.get_command(app).main(
        context.args, prog_name=context.command_path, standalone_mode=False
    )
    if not isinstance(found, dict):
        raise typer.Exit
    return found


def options_of(
    config: DataclassInstance,
    *,
    required: Collection[str] = (),
    hidden: Collection[str] = (),
    varying: Collection[str] = (),
    flags: Mapping[str, str] | None = None,
) -> list[inspect.Parameter]:
    """An option for each field of a configuration.

    Args:
        config: whose values hold where the command line says nothing.
        required: fields that it must give.
        hidden: fields that it cannot give.
        varying: fields whose value is another on another machine; ``--help`` shows none.
        flags: how options are called that are not called like their field.
    """
    kinds, helps = get_type_hints(type(config)), _explanations(type(config))
    options = []
    for field in dataclasses.fields(config):
        name = field.name
        if name in hidden:
            continue
        kind, needed = _kind(kinds[name]), name in required
        unshown = needed or name in varying
        option = typer.Option(
            (flags or {}).get(name, _flag(name, kind)),
            *(["-o"] if name == "out" else []),
            help=helps.get(name, "") + ("" if unshown else _default(getattr(config, name))),
            metavar={list[Path]: "DIR", Path: "PATH"}.get(kind),
            show_default=False,
        )
        annotation = Annotated[kind if needed else kind | None, option]  # type: ignore[valid-type]
        default = inspect.Parameter.empty if needed else None
        options.append(option_named(name, annotation, default))
    return sorted(options, key=lambda option: option.name not in required)


def option_named(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """An option that is no field."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def changed(config: Config, given: Mapping[str, Any]) -> Config:
    """The configuration with the fields that are given, of those that it has."""
    names = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(
        config,
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
            if name in names
        },
    )


def _kind(hint: Any) -> Any:
    """The type of an option for a field of this type."""
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) is tuple:
        if parts[-1] is not Ellipsis:
            return hint
        return {Path: list[Path], int: list[int]}.get(parts[0], list[str])
    return parts[0] if len(parts) == 1 and len(get_args(hint)) == 2 else hint


def _flag(name: str, kind: Any) -> str:
    flag = name.replace("_", "-")
    return f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"


def _default(value: Any) -> str:
    """A default as ``--help`` shows it; nothing where there is none."""
    if value is None or value == ():
        return ""
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return f"  [default: {shown}]"


def _explanations(kind: type) -> dict[str, str]:
    """The docstrings under the fields of a dataclass and of those that it is made of."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                assert isinstance(field.target, ast.Name)
                text = ast.literal_eval(below.value)
                found[field.target.id] = " ".join(text.replace("`", "").split())
    return found
