"""Configuration of the documentation: Markdown pages (MyST), reference pages from the docstrings."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Alula"
author = "The Alula authors"
copyright = "The Alula authors"
release = installed_version("alula")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Docstrings are in Google style; types are read from the signatures and not repeated in the text.
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True

# `File` is `alula.File` and the kernel's at once; a bare name in an annotation may mean either page.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = f"Alula {release}"
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "monokai"


def add_flyte_names(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put the tables of alula-flyte on their page."""
    if name == "reference/flyte-names":
        from alula_flyte.listing import markdown

        source[0] += f"\n{markdown()}"


def setup(app: Sphinx) -> None:
    """Tell Sphinx what to call."""
    app.connect("source-read", add_flyte_names)
