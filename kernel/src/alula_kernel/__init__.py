"""The kernel of Alula: contracts, types and literals, specs, storage, caches and the engine.

Modules, from the bottom up: `errors`; `literals`, `types`; `specs`; `contracts`, `hookspecs`; `plugins`, `registry`,
`storage`; `builtin`; `engine`; `testing` (the conformance kit).
"""

__version__ = "0.1.0"
