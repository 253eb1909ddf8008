"""What every `SecretProvider` promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..secrets import SecretProvider, SecretRequest
from .scenarios import Conformance, needs
from .threads import in_threads

_VALUE = b"a value that nobody guesses"


class SecretProviderConformance(Conformance):
    """What a secret provider promises. A subclass provides `provider` and `keep`.

    Attributes:
        has_groups: Whether secrets of one key in several groups are told apart.
        keeps_bytes: Whether a value may be any bytes, and not only text.
    """

    has_groups = True
    keeps_bytes = True

    @pytest.fixture
    def provider(self) -> SecretProvider:
        """The provider under test, which has no secret at first."""
        raise NotImplementedError("a subclass of SecretProviderConformance provides the fixture provider")

    @pytest.fixture
    def keep(self) -> Callable[[SecretRequest, bytes], None]:
        """A function that puts a value where the provider finds it."""
        raise NotImplementedError("a subclass of SecretProviderConformance provides the fixture keep")

    def test_P01_has_a_name(self, provider: SecretProvider) -> None:
        """It is a `SecretProvider` with a name."""
        assert isinstance(provider, SecretProvider)
        assert isinstance(provider.name, str)
        assert provider.name

    def test_P02_missing_secret(self, provider: SecretProvider) -> None:
        """`get` of a secret that it does not have gives None, with and without group and version."""
        for request in (SecretRequest("missing"), SecretRequest("missing", "group"), SecretRequest("a", "b", "7")):
            assert provider.get(request) is None

    def test_P03_value_as_it_was_stored(
        self, provider: SecretProvider, keep: Callable[[SecretRequest, bytes], None]
    ) -> None:
        """`get` gives the value as it was stored, any number of times."""
        request = SecretRequest("key", "group" if self.has_groups else "")
        keep(request, _VALUE)
        assert [provider.get(request), provider.get(request)] == [_VALUE, _VALUE]

    @needs("keeps_bytes")
    def test_P04_any_bytes(self, provider: SecretProvider, keep: Callable[[SecretRequest, bytes], None]) -> None:
        """A value of bytes that are no text, and with line breaks, comes back as it was."""
        request = SecretRequest("key")
        keep(request, b"\x00\xff\r\n line\n")
        assert provider.get(request) == b"\x00\xff\r\n line\n"

    @needs("has_groups")
    def test_P05_groups_are_apart(self, provider: SecretProvider, keep: Callable[[SecretRequest, bytes], None]) -> None:
        """A secret of one group is not that of another group, nor one without a group."""
        keep(SecretRequest("key", "one"), b"value of one")
        assert provider.get(SecretRequest("key", "one")) == b"value of one"
        assert provider.get(SecretRequest("key", "two")) is None
        assert provider.get(SecretRequest("key")) is None

    def test_P06_the_place_is_told_without_the_value(
        self, provider: SecretProvider, keep: Callable[[SecretRequest, bytes], None]
    ) -> None:
        """`place` gives text for a person, before and after the secret is there, and never its value."""
        request = SecretRequest("key")
        before = provider.place(request)
        keep(request, _VALUE)
        assert isinstance(before, str)
        assert _VALUE.decode() not in provider.place(request)

    def test_P07_strange_names_mean_nothing(self, provider: SecretProvider) -> None:
        """Names that could mean something else, as of files, mean no secret, and raise nothing."""
        for name in ("..", "../../etc/passwd", "/etc/passwd", "a\0b", "*", "%s", "x" * 300):
            assert provider.get(SecretRequest(name)) is None
            assert provider.get(SecretRequest("key", name)) is None

    def test_P08_many_threads(self, provider: SecretProvider, keep: Callable[[SecretRequest, bytes], None]) -> None:
        """Threads look secrets up at the same time."""
        requests = [SecretRequest(f"key{n}") for n in range(4)]
        for n, request in enumerate(requests):
            keep(request, f"value number {n}".encode())

        def look(number: int) -> None:
            for _ in range(20):
                assert provider.get(requests[number]) == f"value number {number}".encode()

        in_threads(look, len(requests))
