"""Make commands of the command line from the dataclasses that they fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_type_hints

from typer.models import ParameterInfo

from mirante.nearest import nearest


@dataclass(frozen=True, slots=True)
class Text:
    """Marks an option whose text a parser reads; stands beside it in a field's ``Annotated``.

    Attributes:
        read: makes the field's value; a ValueError says the option, its value and what was
            expected.
        default: what is read, and shown, where the option is not given; None for the field's own
            default.
    """

    read: Callable[[str], Any]
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """The same for an option that may be repeated.

    Attributes:
        read: makes the field's value of all texts.
    """

    read: Callable[[list[str]], Any]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer, with options for the dataclasses that ``function`` takes.

    Each field with ``typer.Option`` or ``typer.Argument`` in its ``Annotated`` is an option, with
    the field's default; a field that is a dataclass adds its own. Other fields keep their default.
    Parameters of ``function`` that are no dataclasses are handed through.
    """
    hints = get_type_hints(function, include_extras=True)
    own = signature(function).parameters.values()
    options: list[Parameter] = []
    for each in own:
        if is_dataclass(hints[each.name]):
            options += _options(hints[each.name])
        else:
            options.append(each.replace(annotation=hints[each.name], kind=Parameter.KEYWORD_ONLY))

    @wraps(function)
    def run(**given: Any) -> None:
        function(
            **{
                each.name: _filled(hints[each.name], given)
                if is_dataclass(hints[each.name])
                else given[each.name]
                for each in own
            }
        )

    run.__signature__ = Signature(options)  # type: ignore[attr-defined] # typer reads it
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def names_in(text: str | None) -> tuple[str, ...]:
    """Return the names in an option's ``a, b,c``; none where it was not given."""
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def names_of(option: str, what: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the names in an option's ``a,b``.

    Raises:
        ValueError: one is of no ``what`` that is known.
    """
    names = names_in(text)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f'{option}: no {what} "{unknown[0]}"; {nearest(unknown[0], known)}')
    return names


def size_reader(option: str, example: str) -> Callable[[str], tuple[int, int]]:
    """Return what reads an option's ``WIDTHxHEIGHT``."""

    def read(text: str) -> tuple[int, int]:
        found = re.fullmatch(r"(\d+)x(\d+)", text)
        if found is None:
            raise ValueError(f'{option}: expected WIDTHxHEIGHT, such as {example}, got "{text}"')
        return int(found[1]), int(found[2])

    return read


def _options(kind: Any) -> Iterator[Parameter]:
    """The parameters that typer reads, of a dataclass and those within it."""
    for field, hint in _fields(kind):
        if is_dataclass(hint):
            yield from _options(hint)
        else:
            yield _option(field, hint)


def _option(field: Field[Any], hint: Any) -> Parameter:
    text = _text(hint)
    default: Any = Parameter.empty
    if field.default is not MISSING or field.default_factory is not MISSING:
        default = getattr(text, "default", None) if text else field.default
    if text:
        typed = list[str] | None if isinstance(text, Texts) else str | None
        hint = Annotated[typed, _about(hint)]
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _filled(kind: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass with what was typed."""
    values = {}
    for field, hint in _fields(kind):
        if is_dataclass(hint):
            values[field.name] = _filled(hint, given)
        elif (text := _text(hint)) is None:
            values[field.name] = given[field.name]
        elif given[field.name] not in (None, []):
            values[field.name] = text.read(given[field.name])
    return kind(**values)


def _fields(kind: Any) -> Iterator[tuple[Field[Any], Any]]:
    """The fields that hold options, with their types as they are written."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        if is_dataclass(hints[field.name]) or _about(hints[field.name]):
            yield field, hints[field.name]


def _about(hint: Any) -> ParameterInfo | None:
    beside = getattr(hint, "__metadata__", ())
    return next((each for each in beside if isinstance(each, ParameterInfo)), None)


def _text(hint: Any) -> Text | Texts | None:
    return next((each for each in hint.__metadata__ if isinstance(each, Text | Texts)), None)
