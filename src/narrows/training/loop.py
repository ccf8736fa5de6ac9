"""THE loop: batch → terms → backward → step → record.

Losses come per row and are reduced here, once. Parameters are kept in float32; where the
processor multiplies bfloat16 faster, each step computes on a bfloat16 copy of them.

Legend: B batch, D features, N held-out rows.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from narrows.common.adam import AdamSteps
from narrows.common.foreach import blend_all, copy_all
from narrows.common.optimizers import FALL_AT_THE_END, Optimizer
from narrows.common.seeds import mixed
from narrows.common.threads import torch_stream
from narrows.model.fitted import HistoryRow
from narrows.networks import Autoencoding, LinearPlus, OnAxes
from narrows.networks.fast_products import with_fast_products
from narrows.networks.own import Guest
from narrows.networks.prefixes import prefix_reader
from narrows.objectives.base import Batch, Bounds, Noise, Objective, Step
from narrows.objectives.ordered import Loss, loss_of
from narrows.training.pace import Pace

AVERAGE_EVERY, AVERAGE_GAMMA = 4, 8
"""Steps between two blendings of the average, and how much it prefers late steps."""
Batches = Callable[[int], Iterator[Batch]]


@dataclass(frozen=True)
class StepRule:
    """Everything about a step that stays the same over a run.

    Attributes
    ----------
    objective : Objective
    bounds : Bounds or None
        In the network's units.
    dtype : torch.dtype
        Of the copy that is computed on: torch.float32 or torch.bfloat16.
    learning_rate : float
        At its highest.
    n_components : int
        Numbers in a code, K.
    seed : int
        Of the noise, together with the epoch and the batch.
    ordered : bool
        Whether codes are cut short at random.
    own : bool
        Whether the architecture is a user's own.
    n_nets : int
        Networks that the rows of a batch belong to (`narrows.networks.side_by_side`).
    """

    objective: Objective
    bounds: Bounds | None
    dtype: torch.dtype
    learning_rate: float
    n_components: int = 1
    seed: int = 0
    ordered: bool = False
    own: bool = False
    n_nets: int = 1

    @property
    def loss(self) -> Loss:
        """What is minimised."""
        return loss_of(self.objective, ordered=self.ordered)

    def step_seed(self, epoch: int, number: int) -> int:
        """Return the seed of a step, its batch counted within the epoch."""
        return mixed((self.seed, epoch, number))

    def noise(self, x: Tensor, seed: int) -> Noise:
        """Return what the family draws for rows (B, D)."""
        return drawn(self.loss, x, self.n_components, seed)


def drawn(loss: Loss, x: Tensor, n_components: int, seed: int | tuple[int, ...]) -> Noise:
    """Return what a loss draws for rows (B, D); the same seed gives the same."""
    generator = torch.Generator(x.device)
    generator.manual_seed(seed if isinstance(seed, int) else mixed(seed))
    return loss.draw(generator, x, n_components)


def _layer_draws(net: Autoencoding, own: bool) -> Callable[[int], AbstractContextManager[None]]:
    """Return what seeds torch's global stream for a step, from which layers such as dropout draw.

    It does nothing for a network without such layers, so that its steps wait for nobody. Those of
    a user's own architecture are not known.
    """
    device = net.code_unit.device
    if own or any(isinstance(module, nn.Dropout) for module in net.modules()):
        return lambda seed: torch_stream(seed, device)
    return lambda seed: nullcontext()


@dataclass
class TrainingState:
    """What changes over a run.

    Attributes
    ----------
    net : Autoencoding
        Parameters in float32.
    optimizer : AdamSteps
        Over the parameters of ``net``.
    average : Autoencoding or None
        Running average of ``net``, where the schedule keeps one; until the learning rate falls.
    step, epoch : int
        Steps taken and epochs begun and finished.
    history : list of dict
        A row per epoch: ``epoch``, ``step``, ``learning_rate``, the mean of every term over the
        epoch's rows and of the sum of the main phase's terms, ``loss``, and that sum on its last
        batch, ``last_loss``, in the units that the family states; ``validation_error`` where it
        was measured in that epoch, in the unit of ``validation_error_``, NaN elsewhere.
    """

    net: Autoencoding
    optimizer: AdamSteps
    average: Autoencoding | None = None
    step: int = 0
    epoch: int = 0
    history: list[HistoryRow] = field(default_factory=list)
    validation_error: float = math.nan
    """The latest held-out error measured in the running epoch, for its row of the history."""
    made_for: tuple[torch.device, Optimizer] | None = None
    """What `partial_fit` made it for; another device or optimizer begins anew."""

    @property
    def result(self) -> Autoencoding:
        """The network to measure and to return."""
        return self.net if self.average is None else self.average


def start_training(net: Autoencoding, optimizer: Optimizer, schedule: str) -> TrainingState:
    """Wrap a network for training."""
    groups = [group for group in _parameter_groups(net) if group["params"]]
    average = copy.deepcopy(net) if schedule in ("averaged", *FALL_AT_THE_END) else None
    return TrainingState(net, optimizer.build(groups), average)


def _parameter_groups(net: Autoencoding) -> list[dict[str, Any]]:
    """Set the linear path apart: no weight decay, and steps as small as what PCA left over.

    Adam's steps do not shrink with the error, so a linear path that is nearly right already would
    otherwise be shaken as hard as a network that knows nothing.
    """
    encoder = net.encoder.inner if isinstance(net.encoder, OnAxes) else net.encoder
    linear = [part for part in (encoder, net.decoder) if isinstance(part, LinearPlus)]
    weights = [part.weight for part in linear]
    extra = [] if net.extra is None else list(net.extra.parameters())
    chosen = {id(weight) for weight in (*weights, *extra)}
    left_over, reader = 1.0, prefix_reader(net.decoder)
    if isinstance(net.decoder, LinearPlus):
        left_over = float((net.decoder if reader is None else reader).gain.mean())
    return [
        {"params": [p for p in net.parameters() if id(p) not in chosen], "share": 1.0},
        {"params": weights, "share": min(left_over, 1.0), "weight_decay": 0.0},
        {"params": extra, "share": 1.0, "weight_decay": 0.0},
    ]


def train(
    state: TrainingState,
    batches: Batches,
    rule: StepRule,
    pace: Pace,
    after_step: Callable[[TrainingState], bool] = lambda state: False,
) -> None:
    """Train until ``pace.until`` steps are taken in all, or ``after_step`` returns True.

    It also ends after an epoch whose loss is not finite.

    Parameters
    ----------
    state : TrainingState
        Changed in place.
    batches : callable
        Takes the epoch, gives its batches (B, D), in the network's units and ``rule.dtype``.
    rule : StepRule
    pace : Pace
        Counts the steps that the state already has, too; may be changed by ``after_step``.
    after_step : callable
        Called after each step.
    """
    loss, phases = rule.loss, rule.objective.needs.phases
    copy_of_net = _ComputeCopy(state.net, rule.dtype, rule.objective)
    layer_draws = _layer_draws(state.net, rule.own)
    stopped = False
    while state.step < pace.until and not stopped:
        record = _EpochRecord(rule.n_nets)
        for number, (batch, is_last) in enumerate(_marked(batches(state.epoch))):
            n_rows, rate = len(batch.x), rule.learning_rate * pace.factor(state.step)
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            seed = rule.step_seed(state.epoch, number)
            noise = rule.noise(batch.x, seed)
            # The loss is the mean over rows of the sum of terms: so much for each row of each term.
            each = batch.shares
            if each is None:
                each = torch.full((n_rows,), 1 / n_rows, device=batch.x.device)
            with layer_draws(seed ^ 1):  # another stream than the family's noise
                for phase in phases:
                    step = Step(noise, rule.bounds, pace.progress(state.step), phase)
                    terms = loss.terms(copy_of_net.net, batch, step)
                    # Reduced to one number here: weights given to torch's `backward` would make it
                    # load a part of its compiler.
                    means = {name: term.float() @ each for name, term in terms.items()}
                    copy_of_net.backward(cast("Tensor", sum(means.values())), phase)
                    state.optimizer.step()
                    copy_of_net.refresh(phase)
                    record.add(means, n_rows, in_loss=phase == phases[0])
            if pace.falls(state.step):
                state.average = None  # the network itself comes to rest
            state.step += 1
            early = state.step < AVERAGE_EVERY
            if state.average is not None and (early or state.step % AVERAGE_EVERY == 0):
                _blend(state.average, state.net, state.step)
            if is_last or state.step >= pace.until:
                state.epoch += 1
                record.finish(state, rate)
                stopped = not math.isfinite(state.history[-1]["loss"])
            stopped = after_step(state) or stopped
            if stopped or state.step >= pace.until:
                break


def _marked(batches: Iterator[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Give each batch with whether it is the last."""
    current = next(batches, None)
    while current is not None:
        following = next(batches, None)
        yield current, following is None
        current = following


@torch.no_grad()
def _blend(average: Autoencoding, net: Autoencoding, step: int) -> None:
    """Move a running average towards a network.

    Step t weighs about as t^γ, so that early steps are forgotten whenever the average is looked
    at (polynomial-decay averaging: O. Shamir and T. Zhang, ICML 2013).
    """
    kept = max(1.0 - AVERAGE_EVERY / step, 0.0) ** (AVERAGE_GAMMA + 1)
    theirs: list[Tensor] = list(net.parameters())
    blend_all(list(average.parameters()), theirs, 1.0 - kept)
    for ours, buffer in zip(average.buffers(), net.buffers(), strict=True):
        ours.copy_(buffer)


class _ComputeCopy:
    """What a step computes on: in float32 the network's own parameters, else a rounded copy.

    What the family adds is never rounded: it is shared with the network.
    """

    def __init__(self, net: Autoencoding, dtype: torch.dtype, objective: Objective) -> None:
        self._same = dtype == torch.float32
        self._original = net
        self.net = with_fast_products(net) if self._same else self._rounded(net, dtype)
        self.net.train()
        self._masters, self._copies = (
            {phase: _trained(objective, which, phase) for phase in objective.needs.phases}
            for which in (net, self.net)
        )
        for parameter in (*net.parameters(), *self.net.parameters()):
            parameter.grad = None
        self._gradients: dict[str, list[Tensor]] = {}

    @staticmethod
    def _rounded(net: Autoencoding, dtype: torch.dtype) -> Autoencoding:
        shared = {} if net.extra is None else {id(net.extra): net.extra}
        copied = copy.deepcopy(net, shared)
        copied.encoder.to(dtype)
        copied.decoder.to(dtype)
        return copied

    def backward(self, loss: Tensor, phase: str) -> None:
        """Compute the gradients of the phase's parameters and hand them to the originals."""
        # Named inputs keep a phase from leaving gradients to the parameters of another.
        loss.backward(inputs=self._copies[phase] if len(self._copies) > 1 else None)
        if self._same:
            return
        masters, copies = self._masters[phase], self._copies[phase]
        kept = self._gradients.setdefault(phase, [torch.zeros_like(p) for p in masters])
        copy_all(kept, [_gradient(p) for p in copies])
        for master, gradient in zip(masters, kept, strict=True):
            master.grad = gradient

    @torch.no_grad()
    def refresh(self, phase: str) -> None:
        """Round the originals of a phase anew, and forget its gradients."""
        masters, copies = self._masters[phase], self._copies[phase]
        if not self._same:
            copy_all(copies, masters)
            for original, rounded in self._buffers():
                original.copy_(rounded)
        for parameter in (*copies, *masters):
            parameter.grad = None

    def _buffers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the buffers that training may change, as a user's own layers do."""
        for part in ("encoder", "decoder"):
            modules = (getattr(net, part).modules() for net in (self._original, self.net))
            for ours, theirs in zip(*modules, strict=True):
                if isinstance(ours, Guest):
                    yield from zip(ours.buffers(), theirs.buffers(), strict=True)


def _trained(objective: Objective, net: Autoencoding, phase: str) -> list[Tensor]:
    return [p for p in objective.parameters(net, phase) if p.requires_grad]


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    return parameter.grad


class _EpochRecord:
    """Means of every term over the rows of each batch, kept as tensors until the epoch ends."""

    def __init__(self, n_nets: int) -> None:
        self._means: dict[str, list[Tensor]] = {}
        self._in_loss: set[str] = set()
        self._n_rows: list[int] = []
        self._n_nets = n_nets

    def add(self, means: dict[str, Tensor], n_rows: int, *, in_loss: bool) -> None:
        for name, mean in means.items():
            self._means.setdefault(name, []).append(mean.detach())
        if in_loss:
            self._in_loss.update(means)
            self._n_rows.append(n_rows)

    def finish(self, state: TrainingState, learning_rate: float) -> None:
        by_batch, means = {}, {}
        for name, found in self._means.items():
            by_batch[name] = np.divide(torch.stack(found).tolist(), self._n_nets)
            means[name] = float(np.average(by_batch[name], weights=self._n_rows))
        last = math.fsum(by_batch[name][-1] for name in self._in_loss)
        state.history.append(
            {
                "epoch": state.epoch,
                "step": state.step,
                "learning_rate": learning_rate,
                "loss": math.fsum(means[name] for name in self._in_loss),
                **means,
                "last_loss": last,
                "validation_error": state.validation_error,
            }
        )
        state.validation_error = math.nan
