"""The terminal view of runs, ``alula tui``: the only part of Alula that imports Textual."""
