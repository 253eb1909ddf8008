# syntax=docker/dockerfile:1
# registry.example/team/train:a198e44a1d65b2a42fe6
# docker build --platform linux/amd64 --secret id=TOKEN,src=... --secret id=netrc,src=... -t registry.example/team/train:a198e44a1d65b2a42fe6 .

FROM python:3-slim AS uv
RUN pip install --no-cache-dir uv

FROM python:3.12-slim
COPY --from=uv /usr/local/bin/uv /usr/local/bin/uv
ENV PYTHONUNBUFFERED=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_INSTALL_DIR=/opt/python \
    VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"
RUN useradd --create-home --home-dir /home/alula --shell /bin/sh alula
WORKDIR /home/alula
RUN uv venv --python 3.12 /opt/venv

RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1

RUN --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=netrc,target=/root/.netrc,required=true --mount=type=secret,id=TOKEN,env=TOKEN,required=true \
    uv pip install --index-url https://index.example/simple --extra-index-url https://more.example/simple --prerelease allow --no-binary pandas alula==0.1.0 'numpy>=2,<3' pandas

COPY <<'EOF_' /opt/alula/requirements-3.txt
scipy
EOF
EOF_
COPY <<'EOF' /opt/alula/constraints-3.txt
scipy<2
EOF
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0 --requirements /opt/alula/requirements-3.txt --constraints /opt/alula/constraints-3.txt

COPY <<'EOF' /opt/alula/project-4/pyproject.toml
[project]
name = "x"
EOF
COPY <<'EOF' /opt/alula/project-4/uv.lock
version = 1
EOF
RUN uv export --frozen --no-emit-project --no-dev --no-hashes --quiet --project /opt/alula/project-4 --output-file /opt/alula/project-4/locked.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0 --requirements /opt/alula/project-4/locked.txt

COPY <<'EOF' /opt/alula/project-5/pyproject.toml
[project]
name = "unlocked"
EOF
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0 --requirements /opt/alula/project-5/pyproject.toml

COPY <<'EOF' /opt/alula/script-6.py
# /// script
# dependencies = ["httpx"]
# ///
EOF
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0 --requirements /opt/alula/script-6.py

ENV MODE="a \"b\" \$c \\d"

WORKDIR /srv/app

COPY --chown=alula ["my data", "./data"]

RUN python -m compileall .
RUN touch /srv/ready

USER alula
ENTRYPOINT ["python", "-m", "app"]
