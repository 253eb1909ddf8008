"""Dataclasses of Flyte 1 whose values keep the class that they have."""

from __future__ import annotations

from collections.abc import Callable


def test_subclasses_that_a_field_tells_apart(run: Callable[..., str]) -> None:
    out = run("""
        from dataclasses import dataclass
        from enum import Enum
        from typing import List
        from mashumaro.config import BaseConfig
        from mashumaro.mixins.json import DataClassJSONMixin
        from mashumaro.types import Discriminator
        from flytekit import task, workflow

        class Kind(str, Enum):
            SHAPE = "shape"
            DISC = "disc"
            SQUARE = "square"

        @dataclass
        class Shape(DataClassJSONMixin):
            class Config(BaseConfig):
                discriminator = Discriminator(field="kind", include_subtypes=True)

            name: str
            kind: Kind = Kind.SHAPE

        @dataclass
        class Disc(Shape):
            radius: float = 1.0
            kind: Kind = Kind.DISC

        @dataclass
        class Square(Shape):
            side: float = 1.0
            kind: Kind = Kind.SQUARE

        @dataclass
        class Drawing:
            shapes: List[Shape]

        @task
        def first(drawing: Drawing) -> Shape:
            return drawing.shapes[0]

        @task
        def grow(shape: Shape) -> Shape:
            if isinstance(shape, Disc):
                shape.radius *= 2
            return shape

        @workflow
        def flow(drawing: Drawing) -> Shape:
            return grow(shape=first(drawing=drawing))

        for shape in (Disc("a", radius=2.0), Square("b", side=3.0), Shape("c")):
            print(flow(drawing=Drawing([shape, Shape("last")])))
        print(grow(shape={"name": "d", "kind": "disc", "radius": 4.0}), Shape.from_json(Disc("e").to_json()))
        for wrong in ({"name": "d", "kind": "disc", "side": 1.0}, 3):
            try:
                grow(shape=wrong)
            except TypeError as problem:
                print(str(problem).splitlines()[0])
    """)
    assert out.splitlines() == [
        "Disc(name='a', kind=<Kind.DISC: 'disc'>, radius=4.0)",
        "Square(name='b', kind=<Kind.SQUARE: 'square'>, side=3.0)",
        "Shape(name='c', kind=<Kind.SHAPE: 'shape'>)",
        "Disc(name='d', kind=<Kind.DISC: 'disc'>, radius=8.0) Disc(name='e', kind=<Kind.DISC: 'disc'>, radius=1.0)",
        "input 'shape' of task program.grow: Disc has no field 'side'",
        "input 'shape' of task program.grow: expected Shape, found int 3",
    ]
