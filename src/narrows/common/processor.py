"""What this machine's processor can do."""

from __future__ import annotations

from typing import Any

import torch


def capabilities() -> dict[str, Any]:
    """Return what torch tells of this processor, by name; nothing where torch is too old for it."""
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


def has_bfloat16_products() -> bool:
    """Tell whether this processor multiplies bfloat16 matrices in hardware."""
    return any(capabilities().get(name, False) for name in ("avx512_bf16", "amx_bf16"))
