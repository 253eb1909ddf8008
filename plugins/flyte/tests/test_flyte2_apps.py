"""Apps of Flyte 2, served on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def port() -> int:
    """Return a port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def run(write: Callable[[str, str], Path], python: Callable[..., Any], port: int) -> Callable[[str], Any]:
    """Run a program that finds a free port in ``PORT``, and a handler of requests in ``answers``."""
    write(
        "answers.py",
        """
        import http.server

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/text" else 404)
                self.end_headers()
                self.wfile.write(self.server.text.encode())

            def log_message(self, *_):
                pass

        def serve(port, text):
            with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
                server.text = text
                server.serve_forever()
        """,
    )

    def run(source: str) -> Any:
        return python("-m", "alula_flyte", str(write("program.py", source)), PORT=str(port))

    return run


def _output(answer: Any) -> list[str]:
    assert answer.code == 0, answer.err
    return str(answer.out).splitlines()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_function_serves_and_a_task_calls_it(run: Callable[[str], Any], port: int) -> None:
    answer = run(
        """
        import os
        import urllib.request
        import answers
        import flyte
        import flyte.app

        app = flyte.app.AppEnvironment(
            name="text",
            port=int(os.environ["PORT"]),
            parameters=[
                flyte.app.Parameter(name="text", value="said"),
                flyte.app.Parameter(name="unit", value="m", env_var="UNIT"),
            ],
            env_vars={"COLOR": "green"},
        )
        env = flyte.TaskEnvironment(name="asks", depends_on=[app])

        @app.on_startup
        def begin(**parameters):
            print("begins with", parameters)

        @app.server
        def serve(text):
            answers.serve(app.get_port().port, f"{text} {os.environ['UNIT']} {os.environ['COLOR']} {flyte.app.get_parameter('unit')}")

        @env.task
        def ask() -> str:
            return urllib.request.urlopen(app.endpoint + "/text").read().decode()

        if __name__ == "__main__":
            handle = flyte.with_servecontext(
                mode="local", health_check_path="/text", parameter_values={"text": {"text": "replaced"}}
            ).serve(app)
            assert handle.activate(wait=True) is handle
            print(handle.name, handle.is_active(), handle.is_deactivated(), handle.url == app.endpoint)
            print(flyte.run(ask).outputs()[0], flyte.app.ctx().mode)
        """
    )
    assert _output(answer) == [
        "begins with {'text': 'replaced', 'unit': 'm'}",
        "text True False True",
        "replaced m green m local",
    ]
    assert not _listens(port)


def test_coroutine_function_is_stopped_and_cleans_up(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import asyncio
        import os
        import flyte
        import flyte.app

        app = flyte.app.AppEnvironment(name="waits", port=flyte.app.Port(int(os.environ["PORT"])))

        async def say(reader, writer):
            await reader.readline()
            writer.write(b"HTTP/1.0 204 No Content\\r\\n\\r\\n")
            await writer.drain()
            writer.close()

        @app.server
        async def serve():
            async with await asyncio.start_server(say, "127.0.0.1", app.get_port().port) as server:
                await server.serve_forever()

        @app.on_shutdown
        async def end():
            await asyncio.sleep(0)
            print("ended")

        async def main():
            served = await flyte.serve.aio(app)
            print(served.is_active())
            await served.deactivate.aio(wait=True)
            print(served.is_deactivated(), served.is_active())
            async with served.ephemeral_ctx():
                print(served.is_active())
            with served.ephemeral_ctx_sync():
                print(served.is_active())

        asyncio.run(main())
        """
    )
    assert _output(answer) == ["True", "ended", "True False", "True", "ended", "True", "ended"]


def test_fastapi_environment_is_served_by_uvicorn(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import os
        import urllib.request
        import flyte
        from flyte.app.extras import FastAPIAppEnvironment

        async def application(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                print("shut down")
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["path"].encode()})

        env = FastAPIAppEnvironment(name="paths", app=application, port=int(os.environ["PORT"]))
        served = flyte.serve(env)
        print(urllib.request.urlopen(env.endpoint + "/a").read().decode())
        served.deactivate(wait=True)
        print(served.is_deactivated())
        """
    )
    assert [line for line in _output(answer) if not line.startswith("INFO")] == ["/a", "shut down", "True"]


_WITH_COMMAND = """
    import os
    import sys
    import time
    import urllib.request
    import flyte
    import flyte.app

    app = flyte.app.AppEnvironment(
        name="program",
        args=["python", "served.py"],
        port=int(os.environ["PORT"]),
        parameters=[flyte.app.Parameter(name="text", value=flyte.app.AppEndpoint(app_name="other"))],
        depends_on=[flyte.app.AppEnvironment(name="other", port=1234)],
    )
    served = flyte.serve(app)
    print(urllib.request.urlopen(app.endpoint + "/text").read().decode(), flush=True)
    if "wait" in sys.argv:
        time.sleep(60)
"""


@pytest.fixture
def _served(write: Callable[[str, str], Path]) -> None:
    write(
        "served.py",
        """
        import os
        import answers
        from flyte.app import get_parameter
        import flyte

        answers.serve(int(os.environ["PORT"]), f"{get_parameter('text')} {flyte.TaskEnvironment('e').name}")
        """,
    )


@pytest.mark.usefixtures("_served")
def test_command_ends_with_the_program(run: Callable[[str], Any], port: int) -> None:
    assert _output(run(_WITH_COMMAND)) == ["http://localhost:1234 e"]
    assert not _listens(port)


@pytest.mark.usefixtures("run", "_served")
def test_command_ends_when_the_program_is_asked_to_end(
    write: Callable[[str, str], Path], port: int, tmp_path: Path
) -> None:
    write("program.py", _WITH_COMMAND)
    with subprocess.Popen(
        [sys.executable, "-m", "alula_flyte", "program.py", "wait"],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "http://localhost:1234 e\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not _listens(port)


def test_parameters_take_outputs_of_runs(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import os
        import flyte
        import flyte.app
        import flyte.io
        import flyte.remote

        env = flyte.TaskEnvironment("makes")

        @env.task
        async def make(text: str) -> flyte.io.File:
            with open("made.txt", "w") as stream:
                stream.write(text)
            return await flyte.io.File.from_local("made.txt")

        first, second = flyte.run(make, "one"), flyte.run(make, "two")
        print(flyte.remote.Run.get(first.name) is first, [r.name for r in flyte.remote.Run.listall()] == [second.name, first.name])
        try:
            flyte.remote.Run.get("nowhere")
        except Exception as e:
            print(str(e).splitlines()[0])
        app = flyte.app.AppEnvironment(
            name="shows",
            port=int(os.environ["PORT"]),
            parameters=[
                flyte.app.Parameter(name="first", value=flyte.app.RunOutput(type="file", run_name=first.name)),
                flyte.app.Parameter(name="newest", value=flyte.app.RunOutput(type="file", task_name="makes.make")),
            ],
        )

        @app.server
        async def serve(first: str, newest: flyte.io.File):
            print(open(first).read(), open(newest.path).read(), flyte.app.get_parameter("newest") == newest.path)

        served = flyte.with_servecontext(mode="local").serve(app)
        while not served.is_deactivated():
            pass
        """
    )
    assert _output(answer) == ["True True", "unknown run of this process 'nowhere'", "one two True"]


def test_app_that_cannot_start_says_so(run: Callable[[str], Any]) -> None:
    answer = run(
        """
        import os
        import flyte
        from flyte.app.extras import FastAPIAppEnvironment

        async def application(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no model"})

        flyte.serve(FastAPIAppEnvironment(name="broken", app=application, port=int(os.environ["PORT"])))
        """
    )
    assert answer.code == 1
    assert "the app broken could not be started" in answer.err
    assert "the server of the app broken ended before it answered" in answer.err


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("serve(App(name='a'))", "the app a has neither a server function nor a command nor args"),
        ("serve(App(name='a', command='no-such-program 1'))", "by the command no-such-program, and there is none"),
        ("serve(App(name='a', command='python -c 1'))", "the server of the app a ended before it answered"),
        (
            "serve(App(name='a', command='python -c 1', parameters=[flyte.app.Parameter(name='x')]))",
            "the parameter x of the app a has no value",
        ),
        (
            "serve(App(name='a', command='python -c 1', parameters=[flyte.app.Parameter('x', flyte.app.AppEndpoint('b'))]))",
            "unknown app 'b'",
        ),
        (
            "flyte.with_servecontext(activate_timeout=0.2).serve(App(name='a', command='sleep 20'))",
            "TimeoutError: the app a does not answer at http://localhost:",
        ),
        ("flyte.with_servecontext(mode='far')", "unknown mode of serving 'far'"),
        ("flyte.with_servecontext(verson='1')", "unknown option of serving 'verson'"),
        ("flyte.app.get_parameter('x')", "the parameter 'x' is asked for where no app is served"),
    ],
)
def test_what_cannot_be_served_says_so(run: Callable[[str], Any], source: str, message: str) -> None:
    answer = run(
        f"""
        import functools
        import os
        import flyte
        import flyte.app

        serve = flyte.serve
        App = functools.partial(flyte.app.AppEnvironment, port=int(os.environ["PORT"]))
        {source}
        """
    )
    assert answer.code == 1
    assert message in answer.err


def test_port_that_is_taken_is_refused(run: Callable[[str], Any], port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        answer = run(
            """
            import os, flyte, flyte.app
            flyte.serve(flyte.app.AppEnvironment(name="a", port=int(os.environ["PORT"]), command="python -c 1"))
            """
        )
    assert answer.code == 1
    assert f"the app a cannot be served at port {port}: " in answer.err
