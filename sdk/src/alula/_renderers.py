"""Renderers of text for reports; those of data frames are in ``_data``."""

from __future__ import annotations

import html


class MarkdownRenderer:
    """Turns Markdown into HTML. HTML inside the text is escaped."""

    def to_html(self, text: str) -> str:
        """Return the text as HTML."""
        from markdown_it import MarkdownIt

        return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


class SourceCodeRenderer:
    """Shows source code.

    Args:
        title: A heading.
    """

    def __init__(self, title: str = "Source Code") -> None:
        self._title = title

    def to_html(self, source_code: str) -> str:
        """Return the code as HTML."""
        return f"<h4>{html.escape(self._title)}</h4><pre>{html.escape(source_code)}</pre>"


class PythonDependencyRenderer:
    """Lists the installed distributions with their versions.

    Args:
        title: A heading.
    """

    def __init__(self, title: str = "Dependencies") -> None:
        self._title = title

    def to_html(self) -> str:
        """Return the list as HTML."""
        from ._report import dependencies_html

        return f"<h4>{html.escape(self._title)}</h4>{dependencies_html()}"
