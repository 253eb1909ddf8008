"""Tests of the type: Alula's conformance suite, and what is the plugin's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from alula_places import Place, plugin
from alula_places.transformers import PlaceTransformer

from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.plugins import load_plugins
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import Sample, TypeTransformerConformance

VIENNA = Place(48.2082, 16.3738)
SYDNEY = Place(-33.8688, 151.2093)


class TestPlaceTransformer(TypeTransformerConformance):
    """The numbered scenarios T01, T02 ... of the type transformer's contract."""

    @pytest.fixture
    def transformer(self) -> PlaceTransformer:
        return PlaceTransformer()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        return [
            Sample(Place, VIENNA, plain={"latitude": 48.2082, "longitude": 16.3738}, text="48.2082, 16.3738"),
            Sample(Place, SYDNEY, plain="-33.8688, 151.2093", text=" -33.8688,151.2093 "),
            Sample(Place, Place(0.0, 0.0), plain={"longitude": 0, "latitude": 0}, text="0,0"),
            Sample(Place, Place(0.1 + 0.2, -180.0)),
        ]

    @pytest.fixture
    def wrong_texts(self) -> Sequence[str]:
        return ["", "48.2082", "1, 2, 3", "north, east", "91, 0", "0, -181", "nan, 0", "1" * 5_000]


def test_the_plugin_registers_type_and_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_FOLDER_CACHE", "/somewhere/else")
    manager = load_plugins([plugin], disabled="all")
    assert [transformer.name for transformer, _source in manager.type_transformers()] == ["place"]
    assert [str(cache.folder) for cache, _source in manager.caches()] == ["/somewhere/else"]
    assert manager.problems == ()


@pytest.mark.parametrize(
    "plain",
    [{"latitude": 1.0}, {"latitude": 1.0, "longitude": 999.0}, {"x": 1.0, "y": 2.0}, {"latitude": None}, [1, 2], 3],
)
def test_plain_data_that_is_no_place_is_refused(
    plain: object, type_registry: TypeRegistry, conversion_context: ConversionContext
) -> None:
    type_registry.register(PlaceTransformer(), "the plugin under test")
    with pytest.raises(ValueConversionError, match=r"expected alula_places\.Place"):
        type_registry.converter(Place).from_plain(plain, conversion_context)


def test_a_place_is_shown_on_a_map(type_registry: TypeRegistry) -> None:
    type_registry.register(PlaceTransformer(), "the plugin under test")
    shown = type_registry.converter(Place).to_html(SYDNEY)
    assert '<circle cx="151.2093" cy="33.8688"' in shown
    assert "-33.8688, 151.2093" in shown


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [(VIENNA, VIENNA, 0.0), (Place(0, 0), Place(0, 180), 20_015.1), (Place(0, 0), Place(0, 1), 111.195)],
)
def test_distances(here: Place, there: Place, km: float) -> None:
    assert here.distance_km(there) == pytest.approx(km, rel=0.001)
    assert there.distance_km(here) == here.distance_km(there)
