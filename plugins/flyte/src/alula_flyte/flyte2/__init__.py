"""Adapters for Flyte 2: what `flyte` does differently."""
