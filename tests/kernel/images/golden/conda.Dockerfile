# syntax=docker/dockerfile:1
# alula:68ce31b8fc71bf43fa8b
# docker build -t alula:68ce31b8fc71bf43fa8b .

FROM python:3-slim AS uv
RUN pip install --no-cache-dir uv

FROM python:3.11-slim
COPY --from=uv /usr/local/bin/uv /usr/local/bin/uv
ENV PYTHONUNBUFFERED=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_INSTALL_DIR=/opt/python \
    VIRTUAL_ENV=/opt/venv PATH="/opt/venv/bin:$PATH"
RUN useradd --create-home --home-dir /home/alula --shell /bin/sh alula
WORKDIR /home/alula
COPY --from=mambaorg/micromamba /bin/micromamba /usr/local/bin/micromamba
RUN --mount=type=cache,target=/opt/micromamba/pkgs \
    MAMBA_ROOT_PREFIX=/opt/micromamba micromamba create --yes --always-copy --prefix /opt/venv \
    --channel conda-forge --channel bioconda python=3.11 'gdal>=3'

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install alula==0.1.0 rasterio

USER alula
