"""Options in the query of a camera's address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from mirante.nearest import nearest
from pipeline.config.camera_url import redact

# Key → pattern of its values, and what is expected of them in words.
Keys = Mapping[str, tuple[str, str]]


def options_of(query: str, keys: Keys) -> dict[str, str]:
    """Return the options in an address's query.

    Args:
        query: the part behind the question mark, with percent escapes.
        keys: those that it may have.

    Raises:
        ValueError: naming the key, the value unless it is a secret, and what was expected.
    """
    options = {}
    for part in filter(None, query.split("&")):
        key, _, value = map(unquote, part.partition("="))  # a plus is a plus in a passphrase
        if key not in keys:
            raise ValueError(f'unknown key "{key}" behind "?": {nearest(key, keys)}')
        pattern, words = keys[key]
        if not re.fullmatch(pattern, value):
            raise ValueError(f'"{redact(f"{key}={value}")}": expected {words}')
        options[key] = value
    return options
