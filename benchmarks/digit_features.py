"""Train the classifier whose features measure samples, and write it into the package.

    python benchmarks/digit_features.py [--out DIR]

Training digits alone, moved by up to two pixels at random; AdamW, one cycle. The same seed,
threads and versions give the same file. The accuracy on the 10,000 test digits is printed; the
README beside the file states it.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from narrows.datasets import load_mnist
from narrows.evaluation.digit_features import DigitNet
from narrows.evaluation.digit_features.network import WEIGHTS

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "narrows" / "digit_features"
EPOCHS, BATCH, RATE, SEED = 12, 128, 3e-3, 0
MOST_SHIFT = 2  # pixels


def pictures(part: str) -> tuple[Tensor, Tensor]:
    X, y = load_mnist(part, return_X_y=True)
    return torch.from_numpy(X).reshape(-1, 1, 28, 28), torch.from_numpy(y).long()


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move each picture of a batch (N, 1, 28, 28), filling with black."""
    n, size = len(x), x.shape[-1]
    padded = nn.functional.pad(x, [MOST_SHIFT] * 4)
    corner = torch.randint(0, 2 * MOST_SHIFT + 1, (n, 2), generator=generator)
    rows = corner[:, :1] + torch.arange(size)
    columns = corner[:, 1:] + torch.arange(size)
    return padded[torch.arange(n)[:, None, None], 0, rows[:, :, None], columns[:, None]][:, None]


def train(epochs: int) -> DigitNet:
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(SEED)
    x, y = pictures("train")
    net = DigitNet().to(memory_format=torch.channels_last)
    steps = epochs * -(-len(x) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(epochs):
        started = time.perf_counter()
        losses = []
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            moved = shifted(x[rows], generator).contiguous(memory_format=torch.channels_last)
            logits = net(moved)
            loss = nn.functional.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        mean = torch.stack(losses).mean().item()
        print(
            f"epoch {epoch + 1}: loss {mean:.4f}, {time.perf_counter() - started:.1f} s", flush=True
        )
    net.eval()
    with torch.no_grad():
        features = torch.cat([net.features(block) for block in x.split(1_000)])
        net.scale.copy_(features.var(dim=0).mean().sqrt())
    return net


def accuracy(net: DigitNet) -> float:
    x, y = pictures("test")
    with torch.no_grad():
        return (net(x).argmax(dim=1) == y).float().mean().item()


def main() -> None:
    """Train, print the accuracy, write the file and its checksum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PACKAGE, help="folder of the file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    net = train(options.epochs)
    print(f"accuracy on the 10,000 test digits: {accuracy(net):.4f}")
    content = save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / WEIGHTS).write_bytes(content)
    line = f"{hashlib.sha256(content).hexdigest()}  {WEIGHTS}\n"
    (options.out / "SHA256SUMS").write_text(line, encoding="utf-8")
    print(f"wrote {WEIGHTS}, {len(content):,} bytes")


if __name__ == "__main__":
    main()
