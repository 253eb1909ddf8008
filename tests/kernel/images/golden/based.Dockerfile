# syntax=docker/dockerfile:1
# cuda:4828c8826b854df05976
# docker build -t cuda:4828c8826b854df05976 .

FROM python:3-slim AS uv
RUN pip install --no-cache-dir uv

FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04
COPY --from=uv /usr/local/bin/uv /usr/local/bin/uv
ENV PYTHONUNBUFFERED=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_INSTALL_DIR=/opt/python \
    VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"
RUN useradd --create-home --home-dir /home/alula --shell /bin/sh alula
WORKDIR /home/alula
RUN uv venv --system-site-packages /opt/venv

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0

USER alula
