"""The built-in type transformers, blob backends, caches and executors; they are registered through the same hooks as a plugin's."""
