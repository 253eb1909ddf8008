"""Errors of a process that an adapter of another library runs in."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import pytest

from alula_kernel.errors import (
    ActionError,
    AlulaError,
    MissingDependencyError,
    StorageError,
    UsageError,
    exception_for,
    substitute,
)


@pytest.mark.parametrize("kind", [UsageError, StorageError, MissingDependencyError])
def test_the_message_of_a_usage_error_is_its_text(kind: type[UsageError]) -> None:
    error = kind("no such thing", hint="Make one.", location="a.py:3")
    assert str(error) == "a.py:3: no such thing\n  Make one."
    assert error.args == (str(error),)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, str(error))


_PROGRAM = """
    import pickle
    from alula_kernel.errors import (
        ActionError, ArgumentError, RuntimeUserError, StorageError, TaskTimeoutError, UsageError, exception_for, substitute
    )

    class Other:
        def __init__(self, first, second):
            raise RuntimeError("an error keeps its own constructor")

    class OtherUsageError(UsageError, AssertionError, Other):
        pass

    class OtherStorageError(StorageError, AssertionError):
        pass

    class OtherTimeoutError(TaskTimeoutError, AssertionError):
        pass

    class OtherRuntimeError(RuntimeUserError, AssertionError):
        pass

    before = UsageError("before")
    for made in (OtherUsageError, OtherStorageError, OtherTimeoutError, OtherRuntimeError):
        substitute(made.__mro__[1], made)

    print(type(before).__name__, isinstance(ArgumentError("below"), AssertionError))
    for make in (
        lambda: UsageError("wrong", hint="Mend it."),
        lambda: StorageError("gone", hint="Look."),
        lambda: TaskTimeoutError("Timeout", "slow"),
        lambda: exception_for(ActionError(code="ValueError", message="no", exception="builtins:ValueError")),
    ):
        try:
            raise make()
        except AssertionError as problem:
            again = pickle.loads(pickle.dumps(problem))
            print(type(problem).__name__, repr(str(problem)), str(again) == str(problem), isinstance(again, AssertionError))
    for kind in (MemoryError, OSError, KeyError):
        made = exception_for(ActionError(code=kind.__name__, message="no", exception=f"builtins:{kind.__name__}"))
        print(isinstance(made, kind), isinstance(made, AssertionError))
"""


def test_errors_may_be_of_a_subclass_that_others_catch() -> None:
    # In a process of its own: there is no way back.
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(_PROGRAM)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "UsageError False",
        r"OtherUsageError 'wrong\n  Mend it.' True True",
        r"OtherStorageError 'gone\n  Look.' True True",
        "OtherTimeoutError 'slow' True True",
        "ValueError 'no' True True",
        "True True",
        "True True",
        "True True",
    ]


@pytest.mark.parametrize("kind", [MemoryError, OSError, KeyError, UnicodeError])
def test_a_failure_is_also_of_the_class_that_was_raised(kind: type[Exception]) -> None:
    error = ActionError(code=kind.__name__, message="no", exception=f"builtins:{kind.__name__}")
    assert isinstance(exception_for(error), kind)
    assert isinstance(exception_for(error, kind("no")), kind)


def test_only_a_subclass_takes_the_place_of_an_error() -> None:
    with pytest.raises(TypeError, match="AlulaError must derive from UsageError"):
        substitute(UsageError, AlulaError)
