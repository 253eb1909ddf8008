"""An executor is given what finds the secrets that it needs itself."""

from __future__ import annotations

import pytest

import alula
from alula_kernel.contracts import Attempt, Controller, ExecutorContext, Handle, Outcome, TaskExecutor
from alula_kernel.errors import ArgumentError
from alula_kernel.secrets import SecretRequest


class Service(TaskExecutor):
    name = "service"
    context: ExecutorContext

    def open(self, context: ExecutorContext) -> None:
        self.context = context

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        raise NotImplementedError

    async def wait(self, handle: Handle) -> Outcome:
        raise NotImplementedError

    async def cancel(self, handle: Handle) -> None:
        raise NotImplementedError


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    app = alula.current_app()
    made = Service()
    monkeypatch.setattr(type(app.plugins), "executors", lambda plugins: [(made, "a test")])
    app.__dict__.pop("executors", None)
    assert app.executors["service"] is made
    return made


def test_it_finds_a_secret(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_SECRET_WAREHOUSE", "of the warehouse")
    assert service.context.secret(SecretRequest("warehouse")) == b"of the warehouse"


def test_a_missing_one_is_told_with_the_places(service: Service) -> None:
    with pytest.raises(ArgumentError, match="no secret 'nowhere'") as caught:
        service.context.secret(SecretRequest("nowhere"))
    assert "ALULA_SECRET_NOWHERE" in caught.value.hint
