"""How large the programs are that every system under test runs."""

CHAIN_LENGTH = 1_000
"""Tasks of P3."""

MAPPED_ITEMS = 10_000
"""Items of P4."""

CACHE_HITS = 1_000
"""Hits of P5."""

FORKED_ATTEMPTS = 300
"""Attempts of P6."""

KEPT_ATTEMPTS = 2_000
"""Attempts of P7."""

COMPILED_NODES = 10_000
"""Nodes of P16."""
