"""Adapters for Flyte 1: what `flytekit` does differently."""
