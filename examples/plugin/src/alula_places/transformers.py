"""How places become literals and come back."""

from __future__ import annotations

from typing import Any

from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Literal, MapLiteral, Scalar, unwrap
from alula_kernel.types import LiteralType, Opaque

from .places import Place

PLACE_TYPE = Opaque("alula_places.Place")
"""What a place is on the wire: a type of its own, so that a workflow which passes it to a pair of numbers is refused."""


class PlaceConverter(Converter[Place]):
    """Converts places to two named numbers and back."""

    def __init__(self) -> None:
        self.literal_type = PLACE_TYPE
        self.python_type = Place

    def to_literal(self, value: Place, context: ConversionContext) -> Literal:
        """Convert a place to a literal. Equal places have equal literals, so a cached task finds them again.

        Raises:
            ValueConversionError: The value is no place.
        """
        if not isinstance(value, Place):
            raise self.refuse(value)
        return MapLiteral({"latitude": Scalar(float(value.latitude)), "longitude": Scalar(float(value.longitude))})

    def to_python(self, literal: Literal, context: ConversionContext) -> Place:
        """Convert a literal back to a place.

        Raises:
            ValueConversionError: The literal is no place.
        """
        match unwrap(literal):
            case MapLiteral({"latitude": Scalar(float() as latitude), "longitude": Scalar(float() as longitude)}):
                return Place(latitude, longitude)
        raise self.refuse(literal)

    def from_text(self, text: str, context: ConversionContext) -> Place:
        """Make a place from what a person typed, as ``48.2082, 16.3738``.

        Raises:
            ValueConversionError: The text describes no place.
        """
        try:
            return Place.parse(text)
        except ValueError as error:
            raise ValueConversionError(str(error)) from error

    def from_plain(self, value: Any, context: ConversionContext) -> Place:
        """Make a place from JSON or YAML: a text, or ``{"latitude": 48.2082, "longitude": 16.3738}``.

        Raises:
            ValueConversionError: The data describes no place.
        """
        if not isinstance(value, dict):
            return super().from_plain(value, context)
        try:
            return Place(**{name: float(number) for name, number in value.items()})
        except (TypeError, ValueError) as error:
            raise self.refuse(value, "a place has a latitude of -90 to 90 and a longitude of -180 to 180") from error

    def to_html(self, value: Place) -> str:
        """Show a place as a dot on a map of the world, which is a plain grid of 30 degrees."""
        grid = "".join(f'<path d="M-180 {y}H180"/>' for y in range(-60, 90, 30))
        grid += "".join(f'<path d="M{x} -90V90"/>' for x in range(-150, 180, 30))
        return (
            '<svg viewBox="-180 -90 360 180" width="240" height="120" role="img" stroke="#bcd" fill="none">'
            f'<rect x="-180" y="-90" width="360" height="180"/>{grid}'
            f'<circle cx="{value.longitude:.4f}" cy="{-value.latitude:.4f}" r="5" fill="#c22" stroke="none"/></svg>'
            f" <code>{value}</code>"
        )

    def to_text(self, value: Place) -> str:
        """Show a place as it is typed."""
        return str(value)


class PlaceTransformer(TypeTransformer):
    """Makes converters for places."""

    name = "place"
    # A class of a heavy library is named by text instead ("shapely.Point"), so that it need not be imported.
    python_types = (Place,)

    def converter(self, request: TypeRequest) -> Converter[Place]:
        """Make the converter."""
        return PlaceConverter()

    def python_type(self, literal_type: LiteralType) -> type[Place] | None:
        """Return `Place` for the literal type of places."""
        return Place if literal_type == PLACE_TYPE else None
