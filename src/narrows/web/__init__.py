"""Pages: templates, drawings, the map.

``from narrows.web import map_page`` is the way in to a page of a map; what stands in `__all__` is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.web.map.page import map_page
    from narrows.web.page import Fact
    from narrows.web.words import Words

__all__ = ["Fact", "Words", "map_page"]
_HOMES = {"Fact": "page", "Words": "words", "map_page": "map.page"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'narrows.web' has no attribute {name!r}")
    return getattr(importlib.import_module(f"narrows.web.{_HOMES[name]}"), name)
