"""Types that programs for Flyte 2 convert themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

ALBUM = """
    import asyncio
    import flyte
    from flyteidl2.core import literals_pb2, types_pb2
    from flyte.types import TypeEngine, TypeTransformer, TypeTransformerFailedError

    class Album:
        def __init__(self, title):
            self.title = title

    class AlbumTransformer(TypeTransformer[Album]):
        def __init__(self):
            super().__init__("album", Album)

        def get_literal_type(self, t):
            return types_pb2.LiteralType(simple=types_pb2.STRING, structure=types_pb2.TypeStructure(tag="album"))

        async def to_literal(self, python_val, python_type, expected):
            await asyncio.sleep(0)
            text = literals_pb2.Primitive(string_value=f"album {python_val.title}")
            return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=text))

        async def to_python_value(self, lv, expected_python_type):
            return Album(lv.scalar.primitive.string_value.removeprefix("album "))

        def guess_python_type(self, literal_type):
            if literal_type.structure.tag == "album":
                return Album
            raise ValueError("another")

    TypeEngine.register(AlbumTransformer())
    env = flyte.TaskEnvironment("albums")
"""


def test_values_go_through_the_transformer(run: Callable[[str], str]) -> None:
    out = run(
        ALBUM
        + """
    @env.task
    async def louder(albums: list[Album]) -> Album:
        return Album(albums[0].title.upper())

    print(flyte.run(louder, albums=[Album("kind of blue")]).outputs()[0].title)
    print(TypeEngine.guess_python_type(TypeEngine.to_literal_type(Album)) is Album)
    print(type(TypeEngine.get_transformer(Album)).__name__)
    try:
        flyte.run(louder, albums=[3])
    except TypeTransformerFailedError as problem:
        print("refused:", problem)
    try:
        TypeEngine.register(AlbumTransformer())
    except ValueError as problem:
        print(str(problem)[:20])
    TypeEngine.register_additional_type(AlbumTransformer(), Album, override=True)
    """
    )
    first, guessed, found, refused, again = out.splitlines()
    assert (first, guessed, found) == ("KIND OF BLUE", "True", "AlbumTransformer")
    assert "album takes values of" in refused
    assert again == "values of <class '__"


def test_processes_of_a_run_know_the_transformer_of_a_module(
    write: Callable[[str, str], Path], run: Callable[[str], str]
) -> None:
    write(
        "albums.py",
        ALBUM
        + """
    @env.task
    async def louder(album: Album) -> Album:
        return Album(album.title.upper())
    """,
    )
    out = run(
        """
        import alula
        import albums

        found = alula.with_runcontext(executor="process").run(albums.louder, album=albums.Album("blue"))
        print(found.result.title)
        """
    )
    assert out.splitlines()[-1] == "BLUE"


def test_a_transformer_that_only_describes_leaves_the_rest_to_alula(run: Callable[[str], str]) -> None:
    out = run(
        """
        import flyte
        from pydantic import BaseModel
        from flyteidl2.core.types_pb2 import LiteralType, SimpleType
        from flyte.types import TypeEngine, TypeTransformer

        class Point(BaseModel):
            x: float
            y: float = 0.0

        class PointTransformer(TypeTransformer[Point]):
            def __init__(self):
                super().__init__("point", Point)
            def get_literal_type(self, t=None):
                return LiteralType(simple=SimpleType.STRUCT)

        TypeEngine.register(PointTransformer())
        env = flyte.TaskEnvironment("points")

        class Path(BaseModel):
            points: list[Point]
            start: Point | None = None

        @env.task
        async def moved(path: Path, by: Point) -> Point:
            return Point(x=path.points[-1].x + by.x, y=path.start.y + by.y)

        path = Path(points=[Point(x=1), Point(x=2)], start=Point(x=0, y=5))
        print(flyte.run(moved, path=path, by=Point(x=10)).outputs()[0])
        print(PointTransformer().schema_match(Point.model_json_schema()), PointTransformer().schema_match({}))
        """
    )
    assert out.splitlines() == ["x=12.0 y=5.0", "True False"]


def test_every_kind_of_value_becomes_a_message_and_back(run: Callable[[str], str]) -> None:
    out = run(
        """
        import asyncio
        import datetime as dt
        import enum
        import typing
        import flyte
        from flyte.io import DataFrame, Dir, File
        from flyte.types import TypeEngine

        class Color(enum.Enum):
            RED = "red"

        async def main():
            now = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.timezone.utc)
            for kind, value in [
                (int, 3), (float, 2.5), (float, float("inf")), (str, "a"), (bool, True), (dt.datetime, now),
                (dt.timedelta, dt.timedelta(hours=2)), (type(None), None), (list[dt.datetime], [now]),
                (dict[str, list[int]], {"a": [1, 2]}), (typing.Optional[int], 4), (Color, Color.RED), (dict, {"a": [1.5]}),
            ]:
                literal = await TypeEngine.to_literal(value, kind)
                assert await TypeEngine.to_python_value(literal, kind) == value, (kind, literal)
                assert TypeEngine.to_literal_type(kind).WhichOneof("type"), kind
            file = await File.from_local(__file__)
            literal = await TypeEngine.to_literal(file, File)
            assert literal.scalar.blob.uri and (await TypeEngine.to_python_value(literal, File)).path
            for kind in (int, list[str], dict[str, float], dt.timedelta):
                assert TypeEngine.guess_python_type(TypeEngine.to_literal_type(kind)) == kind, kind
            print(TypeEngine.to_literal_type(Dir).blob.dimensionality,
                  TypeEngine.to_literal_type(DataFrame).WhichOneof("type"))

        asyncio.run(main())
        """
    )
    assert out.strip() == "1 structured_dataset_type"


def test_models_are_made_again_from_their_schema(run: Callable[[str], str]) -> None:
    out = run(
        """
        import dataclasses
        import enum
        from pydantic import BaseModel
        from flyte.types import TypeEngine
        from flyte.types._type_engine import PydanticTransformer

        class Size(enum.Enum):
            S = "s"
            L = "l"

        class Part(BaseModel):
            weight: float
            sizes: dict[str, Size] = {}

        class Whole(BaseModel):
            name: str
            parts: list[Part]
            first: Part | None = None
            anything: object = None

        made = TypeEngine.guess_python_type(PydanticTransformer().get_literal_type(Whole))
        print(made.__name__, sorted(field.name for field in dataclasses.fields(made)))
        """
    )
    assert out.strip() == "Whole ['anything', 'first', 'name', 'parts']"
