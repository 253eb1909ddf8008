"""Reports: HTML that a running task writes about itself."""

from ._report import Deck, DeckField, Report, flush, get_tab, log, replace, time_block

__all__ = ["Deck", "DeckField", "Report", "flush", "get_tab", "log", "replace", "time_block"]
