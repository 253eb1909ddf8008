"""Exceptions of Flyte 1: programs make them as Flyte's, and catch by them what Alula raises."""

from __future__ import annotations

from collections.abc import Callable

Run = Callable[..., str]


def test_programs_make_exceptions_as_flytes(run: Run) -> None:
    out = run("""
        import pickle
        from flytekit.exceptions import base, system, user

        for problem in (
            base.FlyteException("late", timestamp=3.5),
            user.FlyteUserException("bad", 2),
            user.FlyteUserRuntimeException(KeyError("k")),
            user.FlyteTypeException("int", "float", "no fractions", received_value=1),
            user.FlyteTypeException("int", ("list", "set")),
            user.FlyteValueException(-1, "it must be positive"),
            user.FlyteDataNotFoundException("/no/file"),
            user.FlyteEntityNotFoundException("module", "entity"),
            user.FlyteAssertion("does not hold"),
            user.FlyteDisapprovalException("no"),
            user.FlyteTimeout("slow"),
            user.FlyteRecoverableException("again"),
            user.FlyteInvalidInputException({"a": 1}),
            user.FlyteMissingTypeException(print, "sep"),
            user.FlyteMissingReturnValueException(fn=print),
            system.FlyteSystemException("broken"),
            system.FlyteEntrypointNotLoadable("module", "one", "no file"),
            system.FlyteNonRecoverableSystemException(OSError("disk")),
        ):
            assert isinstance(problem, base.FlyteException)
            assert type(problem).error_code == problem.error_code
            print(type(problem).__name__, problem)
        print(base.FlyteException("x", timestamp=3.5).timestamp, base.FlyteException("x").timestamp)
        print(user.FlyteUserRuntimeException(KeyError("k")).value, system.FlyteNonRecoverableSystemException(OSError()).value)

        class Coded(Exception):
            error_code = 422

        print(user.FlyteUserRuntimeException(Coded()).error_code)

        class Mine(user.FlyteAssertion):
            _ERROR_CODE = "USER:Mine"

            def __init__(self, number, text):
                super().__init__(text)
                self.number = number

        try:
            raise Mine(3, "mine") from ValueError("why")
        except AssertionError as problem:
            print(problem, problem.number)
    """)
    assert out.splitlines() == [
        "FlyteException UnknownFlyteException: error=late",
        "FlyteUserException USER:Unknown: error=bad,2",
        "FlyteUserRuntimeException USER:RuntimeError: error='k'",
        "FlyteTypeException USER:TypeError: error=expected float, found 1 of type int; no fractions",
        "FlyteTypeException USER:TypeError: error=expected one of ('list', 'set'), found int",
        "FlyteValueException USER:ValueError: error=it must be positive; found -1",
        "FlyteDataNotFoundException USER:ValueError: error=there is no such file; found /no/file",
        "FlyteEntityNotFoundException USER:ValueError: error=module 'module' has no such task or workflow; found entity",
        "FlyteAssertion USER:AssertionError: error=does not hold",
        "FlyteDisapprovalException USER:ResultNotApproved: error=no",
        "FlyteTimeout USER:Timeout: error=slow",
        "FlyteRecoverableException USER:Recoverable: error=again",
        "FlyteInvalidInputException USER:BadInputToAPI: error=None",
        "FlyteMissingTypeException USER:MissingTypeError: error='sep' of print has no type annotation",
        "FlyteMissingReturnValueException USER:MissingReturnValueError: error=print returns nothing, not what it says",
        "FlyteSystemException SYSTEM:Unknown: error=broken",
        "FlyteEntrypointNotLoadable SYSTEM:UnloadableCode: error=task 'one' of module 'module' cannot be loaded: no file",
        "FlyteNonRecoverableSystemException USER:NonRecoverableSystemError: error=disk",
        "3.5 None",
        "'k' ",
        "422",
        "USER:Mine: error=mine, cause=why 3",
    ]


def test_tasks_raise_them_and_callers_catch_them(run: Run) -> None:
    out = run("""
        from flytekit import task, workflow
        from flytekit.exceptions.base import FlyteException
        from flytekit.exceptions.system import FlyteNonRecoverableSystemException
        from flytekit.exceptions.user import FlyteRecoverableException, FlyteValueException

        tries = []

        @task(retries=2)
        def often(again: bool) -> int:
            tries.append(again)
            raise FlyteRecoverableException("again") if again else FlyteNonRecoverableSystemException(OSError("disk"))

        @task
        def positive(x: int) -> int:
            if x < 0:
                raise FlyteValueException(x, "too small")
            if x == 0:
                raise KeyError("zero")
            return x

        @workflow
        def flow(x: int) -> int:
            return positive(x=x)

        for again in (True, False):
            try:
                often(again=again)
            except FlyteException as problem:
                print(type(problem).__name__, len(tries), problem)
        for call in (positive, flow):
            for x, kind in ((-1, FlyteValueException), (0, KeyError)):
                try:
                    call(x=x)
                except kind as problem:
                    print(kind.__name__, problem)
    """)
    assert out.splitlines() == [
        "FlyteRecoverableException 3 USER:Recoverable: error=again",
        "FlyteNonRecoverableSystemException 4 USER:NonRecoverableSystemError: error=disk",
        *2 * ["FlyteValueException USER:ValueError: error=too small; found -1", "KeyError 'zero'"],
    ]


def test_what_alula_raises_is_of_flytes_classes(run: Run) -> None:
    out = run("""
        import pickle
        import typing
        from flytekit import LaunchPlan, Resources, approve, conditional, reference_task, task, workflow
        from flytekit.core.type_engine import TypeTransformerFailedError
        from flytekit.exceptions.base import FlyteException
        from flytekit.exceptions.user import (
            FlyteAssertion, FlyteDataNotFoundException, FlyteMissingTypeException, FlyteTypeException, FlyteValueException
        )
        from flytekit.types.file import FlyteFile

        @task
        def one(a: int) -> int:
            return a

        @task
        def nothing() -> None:
            pass

        @task
        def lies() -> int:
            return "text"

        @workflow
        def returns_nothing() -> int:
            one(a=1)

        @workflow
        def wrong_type() -> str:
            return one(a=1)

        @workflow
        def of_nothing() -> int:
            return one(a=nothing())

        @reference_task(project="p", domain="d", name="n", version="v")
        def elsewhere(a: int) -> int: ...

        @workflow
        def refers() -> int:
            return elsewhere(a=1)

        @workflow
        def handled(a: int) -> int:
            return one(a=a)

        def untyped():
            @task
            def without(a) -> int:
                return a

        def path():
            return FlyteFile("/no/such/file").download()

        for name, call, *kinds in (
            ("unknown input", lambda: one(b=1), FlyteAssertion, AssertionError, FlyteException),
            ("twice", lambda: one(1, a=1), FlyteAssertion, AssertionError),
            ("too many", lambda: one(1, 2), FlyteAssertion, AssertionError),
            ("input", lambda: one(a="text"), TypeError, TypeTransformerFailedError),
            ("output", lies, TypeError, TypeTransformerFailedError),
            ("no result", returns_nothing, AssertionError),
            ("binding", wrong_type, TypeError, AssertionError),
            ("nothing bound", of_nothing, AssertionError, TypeError),
            ("reference", elsewhere, Exception),
            ("reference in a workflow", refers, AssertionError),
            ("no type", untyped, FlyteMissingTypeException),
            ("resources", lambda: Resources(cpu=b"1"), AssertionError, ValueError),
            ("plan", lambda: LaunchPlan.get_or_create(handled, default_inputs={"a": 1}), ValueError, AssertionError),
            ("setting", lambda: task(template=1)(print), ValueError),
            ("file", path, FlyteValueException, ValueError),
        ):
            for kind in kinds:
                try:
                    call()
                except kind as problem:
                    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)
                else:
                    print("nothing raised", name)
        print("all caught")
    """)
    assert out == "all caught\n"
