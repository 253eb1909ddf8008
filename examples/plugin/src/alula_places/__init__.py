"""Places on the globe as values of Alula workflows, and a cache in a folder, which is chosen by its name.

Only what tasks use is imported here: Alula imports this package when it starts.
"""

from .places import Place

__all__ = ["Place"]
