"""What this machine's processor can do."""

from __future__ import annotations

import torch


def has_bfloat16_products() -> bool:
    """Tell whether this processor multiplies bfloat16 matrices in hardware."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
