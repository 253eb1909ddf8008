"""Interfaces of Python functions: names, Python types, defaults; and their converters."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from alula_kernel.contracts import ConversionContext, Converter
from alula_kernel.errors import CompileError, UnknownNameError, UsageError, ValueConversionError
from alula_kernel.literals import NONE, Literal
from alula_kernel.specs import Interface, Variable
from alula_kernel.types import NONE as NONE_TYPE
from alula_kernel.types import UnionOf

from ._promise import Promise
from ._state import callers_locals

if TYPE_CHECKING:
    from alula_kernel.registry import TypeRegistry

MISSING: Any = inspect.Parameter.empty
"""Marks an input without a default."""


class PythonInterface(msgspec.Struct, frozen=True):
    """Inputs and outputs as Python knows them.

    Attributes:
        inputs: Python type of each input.
        defaults: Default of each input that has one.
        outputs: Python type of each output.
        output_tuple: What a call returns: a NamedTuple class, ``tuple`` for several unnamed outputs, or None for at
            most one output that is returned bare.
    """

    inputs: Mapping[str, Any]
    defaults: Mapping[str, Any]
    outputs: Mapping[str, Any]
    output_tuple: type | None = None

    @property
    def inputs_with_defaults(self) -> dict[str, tuple[Any, Any]]:
        """Python type and default of each input; None for one without a default."""
        return {name: (python_type, self.defaults.get(name)) for name, python_type in self.inputs.items()}

    def pack(self, values: Mapping[str, Any]) -> Any:
        """Put outputs by name into what a call returns."""
        if self.output_tuple is None:
            return next(iter(values.values()), None)
        if self.output_tuple is tuple:
            return tuple(values.values())
        return self.output_tuple(**values)

    def unpack(self, result: Any, where: str) -> dict[str, Any]:
        """Take apart what a function returned.

        Raises:
            ValueConversionError: It returned another number of values than it declares.
        """
        if self.output_tuple is None:
            if not self.outputs:
                return {}
            return {next(iter(self.outputs)): result}
        alone = type(result) is tuple and len(result) == 1
        if len(self.outputs) == 1 and not alone and not isinstance(result, self.output_tuple):  # returned bare
            return {next(iter(self.outputs)): result}
        if not isinstance(result, (tuple, list)) or len(result) != len(self.outputs):
            found = f"{len(result)} values" if isinstance(result, (tuple, list)) else type(result).__qualname__
            raise ValueConversionError(f"{where} declares {len(self.outputs)} outputs and returned {found}")
        return dict(zip(self.outputs, result, strict=True))

    def with_output_class(self, make: Callable[[tuple[str, ...]], type] | None) -> PythonInterface:
        """Return the interface with another class for several unnamed outputs.

        Args:
            make: Makes it from their names; None leaves the interface as it is.
        """
        if make is None or self.output_tuple is not tuple:
            return self
        return msgspec.structs.replace(self, output_tuple=make(tuple(self.outputs)))

    def without_inputs(self, names: typing.Container[str]) -> PythonInterface:
        """Return the interface without some of the inputs."""
        return msgspec.structs.replace(
            self,
            inputs={k: v for k, v in self.inputs.items() if k not in names},
            defaults={k: v for k, v in self.defaults.items() if k not in names},
        )


def function_interface(
    function: Callable[..., Any],
    name: str,
    *,
    pickle_untyped: bool = False,
    names: Mapping[str, Any] | None = None,
) -> PythonInterface:
    """Read the interface of a function from its annotations.

    Args:
        function: The function.
        name: What messages call it.
        pickle_untyped: Whether parameters, and a result, without annotation are pickled.
        names: Names that annotations may use besides the function's globals; see `local_names`.

    Raises:
        CompileError: A parameter or the result has no annotation, or one that cannot be evaluated, or the function takes
            ``*args`` or ``**kwargs``.
    """
    where = source_location(function)
    try:
        hints = _type_hints(function, dict(names or {}))
    except NameError as problem:
        raise CompileError(
            f"an annotation of {name} cannot be evaluated: {problem}",
            hint="Import the name at module level, outside `if TYPE_CHECKING:`.",
            location=where,
        ) from None
    signature = inspect.signature(function)
    inputs: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise CompileError(
                f"{name} takes {parameter}, and inputs must be named", hint="Name every input.", location=where
            )
        if parameter.name not in hints and not pickle_untyped:
            raise CompileError(
                f"parameter {parameter.name!r} of {name} has no type annotation",
                hint=f"Write `{parameter.name}: <type>`, or `{parameter.name}: Pickle` for anything, pickled.",
                location=where,
            )
        inputs[parameter.name] = _explicit_type(hints.get(parameter.name, MISSING))
        if parameter.default is not MISSING:
            defaults[parameter.name] = parameter.default
            if parameter.default is None and not _allows_none(inputs[parameter.name]):
                inputs[parameter.name] = typing.Optional[inputs[parameter.name]]  # noqa: UP045 - built at run time
    untyped = _explicit_type(MISSING) if pickle_untyped else None
    outputs, output_tuple = _outputs(hints.get("return", untyped))
    return PythonInterface(inputs, defaults, outputs, output_tuple)


def _type_hints(function: Callable[..., Any], names: dict[str, Any]) -> dict[str, Any]:
    """Evaluate annotations; a result annotated as ``(int, str)`` gives a tuple of types."""
    returns = getattr(function, "__annotations__", {}).get("return")
    if isinstance(returns, str) and returns.startswith("("):
        returns = eval(returns, getattr(inspect.unwrap(function), "__globals__", {}), names)
    if not isinstance(returns, tuple):
        return typing.get_type_hints(function, localns=names or None, include_extras=True)
    rest = types.SimpleNamespace(
        __annotations__={key: value for key, value in function.__annotations__.items() if key != "return"},
        __globals__=getattr(inspect.unwrap(function), "__globals__", {}),
    )
    return {**typing.get_type_hints(rest, localns=names or None, include_extras=True), "return": returns}


def local_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the local names around the definition of a function that its annotations, being strings, may mean.

    To be called by the decorator: the names are taken from the innermost caller outside Alula.
    """
    annotations = getattr(function, "__annotations__", {})
    if "<locals>" not in getattr(function, "__qualname__", "") or not any(
        isinstance(annotation, str) for annotation in annotations.values()
    ):
        return {}
    written = " ".join(annotation for annotation in annotations.values() if isinstance(annotation, str))
    return {name: value for name, value in callers_locals().items() if name in written}


def by_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls a function with all arguments by name, also those that it takes by position only."""
    code = getattr(function, "__code__", None)
    if code is None or not code.co_posonlyargcount:
        return function
    positional = code.co_varnames[: code.co_posonlyargcount]

    @functools.wraps(function)
    def call(**inputs: Any) -> Any:
        first = []
        for name in positional:
            if name not in inputs:  # the rest keep their defaults
                break
            first.append(inputs.pop(name))
        return function(*first, **inputs)

    return call


def _explicit_type(python_type: Any) -> Any:
    if python_type is not MISSING:
        return python_type
    from ._data.pickle import Pickle

    return Pickle[object]


def _allows_none(python_type: Any) -> bool:
    return python_type is type(None) or type(None) in typing.get_args(python_type)


def _outputs(annotation: Any) -> tuple[dict[str, Any], type | None]:
    if annotation is type(None) or annotation is None or annotation is typing.NoReturn:
        return {}, None
    if isinstance(annotation, tuple):  # `-> (int, str)`, an older way to write `-> tuple[int, str]`
        return {f"o{index}": item for index, item in enumerate(annotation)}, tuple
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return {field: hints[field] for field in annotation._fields}, annotation
    if typing.get_origin(annotation) is tuple:
        items = typing.get_args(annotation)
        if items and Ellipsis not in items:
            return {f"o{index}": item for index, item in enumerate(items)}, tuple
    return {"o0": annotation}, None


def source_location(function: Callable[..., Any]) -> str:
    """Return ``file:line`` of a function's definition; empty if it has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


class CompiledInterface:
    """An interface with a converter for each variable.

    Args:
        python: The Python interface.
        registry: Where converters are found.
        context: For defaults that are stored as data.
        where: What it is the interface of, for messages.
        location: ``file:line`` of its definition.

    Raises:
        UsageError: A type has no transformer, or a default does not fit its type; the message names the variable.
    """

    __slots__ = ("_only_output", "_required", "context", "inputs", "interface", "outputs", "python", "where")

    def __init__(
        self,
        python: PythonInterface,
        registry: TypeRegistry,
        context: ConversionContext,
        where: str,
        location: str = "",
    ) -> None:
        self.python = python
        self.context = context
        self.where = where
        self.inputs = {
            name: _converter(registry, python_type, f"input {name!r} of {where}", location)
            for name, python_type in python.inputs.items()
        }
        self.outputs = {
            name: _converter(registry, python_type, f"output {name!r} of {where}", location)
            for name, python_type in python.outputs.items()
        }
        # What most functions return: one value, which is the output.
        alone = len(self.outputs) == 1 and python.output_tuple is None
        self._only_output = next(iter(self.outputs.items())) if alone else None
        self.interface = Interface(
            {name: self._variable(name, converter) for name, converter in self.inputs.items()},
            {name: Variable(converter.literal_type) for name, converter in self.outputs.items()},
        )
        self._required = frozenset(name for name, variable in self.interface.inputs.items() if variable.required)

    def _variable(self, name: str, converter: Converter[Any]) -> Variable:
        default = self.python.defaults.get(name, MISSING)
        if default is MISSING:
            return Variable(converter.literal_type)
        if default is None:
            return Variable(converter.literal_type, required=False, default=NONE)
        try:
            literal = converter.to_literal(default, self.context)
        except ValueConversionError as problem:
            raise _at(problem, f"default of input {name!r} of {self.where}") from None
        return Variable(converter.literal_type, required=False, default=literal)

    def bind_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Name positional arguments.

        Raises:
            UsageError: There are too many, or an input is given twice or is unknown.
        """
        inputs = self.inputs
        if args:
            if len(args) > len(inputs):
                raise UsageError(f"{self.where} takes {len(inputs)} inputs, and {len(args)} were given")
            named = dict(zip(inputs, args, strict=False))
            twice = named.keys() & kwargs.keys()
            if twice:
                raise UsageError(f"input {min(twice)!r} of {self.where} is given twice")
            kwargs = {**named, **kwargs}
        for name in kwargs:
            if name not in inputs:
                raise UnknownNameError.among("input", name, inputs, location=self.where)
        return kwargs

    def check_complete(self, given: Mapping[str, Any], location: str = "") -> None:
        """Refuse a call that leaves out a required input.

        Raises:
            UsageError: An input is missing.
        """
        if not self._required <= given.keys():
            missing = [name for name in self.interface.inputs if name in self._required and name not in given]
            wanted = ", ".join(repr(name) for name in missing)
            raise UsageError(
                f"{self.where} needs the input{'s' * (len(missing) > 1)} {wanted}",
                hint=f"Its inputs are {', '.join(self.interface.inputs)}.",
                location=location,
            )

    def inputs_to_literals(self, values: Mapping[str, Any]) -> dict[str, Literal]:
        """Convert named input values.

        Raises:
            ValueConversionError: A value does not fit; the message names the input.
        """
        converters, context = self.inputs, self.context
        literals = {}
        for name, value in values.items():
            try:
                literals[name] = converters[name].to_literal(value, context)
            except ValueConversionError as problem:
                if isinstance(value, Promise):
                    raise UsageError(
                        f"input {name!r} of {self.where} is a promise, {value!r}, and there is no workflow around the call",
                        hint="Call it in the workflow that made the promise.",
                    ) from None
                raise _at(problem, f"input {name!r} of {self.where}") from None
        return literals

    def inputs_to_python(self, literals: Mapping[str, Literal], context: ConversionContext) -> dict[str, Any]:
        """Convert named input literals to what the function takes.

        Raises:
            ValueConversionError: A literal does not fit; the message names the input.
        """
        values = {}
        for name, converter in self.inputs.items():
            literal = literals.get(name)
            if literal is None:
                continue
            try:
                values[name] = converter.to_python(literal, context)
            except ValueConversionError as problem:
                raise _at(problem, f"input {name!r} of {self.where}") from None
        return values

    def outputs_to_literals(self, result: Any, context: ConversionContext) -> dict[str, Literal]:
        """Convert what the function returned.

        Raises:
            ValueConversionError: It does not fit what is declared; the message names the output.
        """
        if self._only_output is not None:
            name, converter = self._only_output
            try:
                return {name: converter.to_literal(result, context)}
            except ValueConversionError as problem:
                raise _at(problem, f"output {name!r} of {self.where}") from None
        outputs, literals = self.outputs, {}
        for name, value in self.python.unpack(result, self.where).items():
            try:
                literals[name] = outputs[name].to_literal(value, context)
            except ValueConversionError as problem:
                raise _at(problem, f"output {name!r} of {self.where}") from None
        return literals

    def outputs_to_python(self, literals: Mapping[str, Literal]) -> Any:
        """Convert output literals to what a call returns.

        Raises:
            ValueConversionError: One is not of its type; the message names it.
        """
        context = self.context
        if self._only_output is not None:
            name, converter = self._only_output
            try:
                return converter.to_python(literals[name], context)
            except ValueConversionError as problem:
                raise _at(problem, f"output {name!r} of {self.where}") from problem.__cause__
        values: dict[str, Any] = {}
        for name, converter in self.outputs.items():
            try:
                values[name] = converter.to_python(literals[name], context)
            except ValueConversionError as problem:
                raise _at(problem, f"output {name!r} of {self.where}") from problem.__cause__
        return self.python.pack(values)


def _converter(registry: TypeRegistry, python_type: Any, what: str, location: str) -> Converter[Any]:
    try:
        return registry.converter(python_type)
    except UsageError as problem:
        raise type(problem)(f"{what}: {problem.message}", hint=problem.hint, location=location) from None


def _at(problem: ValueConversionError, place: str) -> ValueConversionError:
    return type(problem)(f"{place}: {problem.message}", hint=problem.hint, location=problem.location)


def optional_output(python_type: Any, registry: TypeRegistry) -> Any:
    """Return the Python type with None allowed."""
    literal_type = registry.converter(python_type).literal_type
    if literal_type == NONE_TYPE or (isinstance(literal_type, UnionOf) and NONE_TYPE in literal_type.variants):
        return python_type
    return typing.Optional[python_type]  # noqa: UP045 - built at run time


def module_name(function: Callable[..., Any]) -> str:
    """Return the importable name of a function's module; a script run as ``__main__`` is named by its path.

    The name is that which an import from the script's package root would give, so that tasks have the same names, and
    the same cache keys, however their file is run.
    """
    name = getattr(function, "__module__", None) or "__main__"
    if name != "__main__":
        return name
    filename = getattr(sys.modules.get("__main__"), "__file__", None)
    return module_name_of_file(filename) if filename else name


def module_name_of_file(filename: str) -> str:
    """Return the dotted name of a source file, seen from the first parent folder without ``__init__.py``."""
    folder, name = os.path.split(os.path.realpath(filename))
    parts = [os.path.splitext(name)[0]]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        parts.insert(0, name)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)
