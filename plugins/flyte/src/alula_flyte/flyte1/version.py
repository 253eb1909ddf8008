"""The version of Flyte 1 whose names are here."""

__version__ = "1.16.31"
"""``flytekit.__version__``: programs put it into the names of images, or compare it."""
