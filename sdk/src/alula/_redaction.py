"""Values of secrets that this process knows, and masking them in whatever leaves it.

They are kept for the process and not for an application object: a secret stays one wherever a message that holds it is
put together, as in the task that called the one which asked for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

SHORTEST = 6
"""Length in characters from which on a value is masked: shorter ones stand in every other text by chance."""
MASK = "[secret]"

_forms: tuple[str, ...] = ()
_masking = 0


def remember(value: bytes) -> None:
    """Mask a value from now on: as it is, and as quoting, URLs, HTML and base64 write it."""
    global _forms
    import base64
    import html
    from urllib.parse import quote, quote_plus

    text = value.decode(errors="replace").strip()
    if len(text) < SHORTEST:
        return
    forms = {text, repr(text)[1:-1], quote(text, safe=""), quote_plus(text), html.escape(text)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= {encode(value).decode(), encode(text.encode()).decode()}
    forms |= {line.strip() for line in text.splitlines() if len(line.strip()) >= 2 * SHORTEST}  # as of a private key
    if not forms <= set(_forms):
        _forms = tuple(sorted({*forms, *_forms}, key=len, reverse=True))


def knows_secrets() -> bool:
    """Tell whether there is anything to mask in this process."""
    return bool(_forms)


def masked(text: str) -> str:
    """Return a text without values of secrets."""
    for form in _forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


def holds_secret(data: bytes) -> bool:
    """Tell whether encoded data holds the value of a secret."""
    return any(form.encode() in data for form in _forms)


@contextlib.contextmanager
def masked_streams() -> Iterator[None]:
    """Mask values in what Python code prints while the block runs.

    What is written past `sys.stdout` and `sys.stderr`, as by `os.write` or another program, is not masked.
    """
    global _masking
    if _masking == 0:
        sys.stdout, sys.stderr = _MaskedStream(sys.stdout), _MaskedStream(sys.stderr)
    _masking += 1
    try:
        yield
    finally:
        _masking -= 1
        if _masking == 0:
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if isinstance(stream, _MaskedStream):
                    stream.flush()
                    setattr(sys, name, stream.stream)


class _MaskedStream:
    """Writes text to another stream without values of secrets.

    The end of a text that may be the beginning of a value waits for what comes next, or for a flush.

    Args:
        stream: The other stream.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._waiting = ""

    def write(self, text: str) -> int:
        """Write a text; returns its length, as it was before."""
        whole = masked(self._waiting + text)
        kept = _begun(whole)
        self._waiting = whole[len(whole) - kept :]
        self.stream.write(whole[: len(whole) - kept])
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, ""
        self.stream.write(waiting)
        self.stream.flush()

    @property
    def buffer(self) -> _MaskedBuffer:
        """The same for bytes."""
        return _MaskedBuffer(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _MaskedBuffer:
    """Writes bytes to a masked stream.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: _MaskedStream) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        """Write bytes: through the text stream if they are text and hold a value, else as they are."""
        content = bytes(data)
        if holds_secret(content):
            self._stream.write(content.decode(errors="backslashreplace"))
        else:
            self._stream.flush()
            self._stream.stream.buffer.write(content)
        return len(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.stream.buffer, name)


def _begun(text: str) -> int:
    """Return how many characters at the end of a text are the beginning of a value."""
    longest = min(len(text), max(map(len, _forms), default=1) - 1)
    return next((n for n in range(longest, 0, -1) if any(form.startswith(text[-n:]) for form in _forms)), 0)
