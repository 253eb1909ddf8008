# syntax=docker/dockerfile:1
# alula:72b7180bd180e7836e3c
# docker build -t alula:72b7180bd180e7836e3c .

FROM python:3-slim AS uv
RUN pip install --no-cache-dir uv

FROM python:3.12-slim
COPY --from=uv /usr/local/bin/uv /usr/local/bin/uv
ENV PYTHONUNBUFFERED=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_INSTALL_DIR=/opt/python \
    VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"
RUN useradd --create-home --home-dir /home/alula --shell /bin/sh alula
WORKDIR /home/alula
RUN uv venv --python 3.12 /opt/venv

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0

USER alula
