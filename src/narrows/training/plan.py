"""From the estimator's parameters to the numbers of a run: nothing is ``"auto"`` afterwards.

What the defaults were chosen on stands in ``docs/decisions/0005-defaults.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from narrows.common.optimizers import Optimizer
from narrows.common.processor import has_bfloat16_products
from narrows.common.sizes import FEW_ROWS, MANY_ROWS
from narrows.errors import ParameterError
from narrows.linear.neighbors import neighbor_memory
from narrows.linear.patches import Cells, cells_for_pca
from narrows.model.parts import named_part
from narrows.networks import MLP, Network, Widths
from narrows.networks.base import AXES
from narrows.objectives import Objective
from narrows.objectives.base import Usual
from narrows.objectives.ordered import Loss, loss_of
from narrows.sources.split import Split, count_held_out
from narrows.training.batches import CACHE_BYTES

N_FOLDS = 5
"""Runs of the cross-fitting, where rows are too few for a single held-out part."""
MARGIN = 0.95
"""Part of the time left that steps are laid out for; the rest absorbs a machine's drift."""
FEW_HELD_OUT = 0.2
"""Part of few rows that a map is judged on."""
MOST_HELD_OUT = 2_500
"""Held-out rows that ``validation_fraction="auto"`` asks for at the most."""
MOST_BATCH_VALUES = 1 << 24
"""Values in a batch (64 MiB in float32) that ``batch_size="auto"`` asks for at the most."""
STEPS, STEPS_OF_A_MAP, MANY_STEPS = 1_200, 600, 2_400
"""Steps that ``max_epochs="auto"`` gives at the most below 1,000 rows, and at the least from there
on. The last is from 10,000 rows on, and at the slow rate."""
SLOW_RATE = 0.001
"""Learning rate of `partial_fit`, whose weights are not averaged, and of convolutions and a user's
own modules below 10,000 rows."""
N_EVALUATIONS = 24
"""Times that the held-out error is measured over a run whose learning rate falls."""
SMALL_STEP = 2e8
"""Arithmetic of a step below which one thread is faster than several."""
WORK_FOR_BFLOAT16 = 1 << 25
"""Weights times rows of a batch from which bfloat16 pays for its conversions."""


@dataclass(frozen=True)
class Plan:
    """What a fit will do, in numbers.

    Attributes
    ----------
    n_rows, n_features, n_components : int
    widths : Widths
        Of encoder and decoder.
    network : Network
        With nothing left to choose.
    objective : Objective
    optimizer : Optimizer
    n_parameters, n_products : int
        Trainable numbers, and multiplications of one row; the linear path included.
    batch_size : int
        Rows per optimizer step.
    n_steps : int or None
        Optimizer steps per run; None until a short timing has fixed it (``max_seconds``).
    most_steps : int
        Most steps that ``max_seconds`` may be turned into.
    split : Split
        Which rows are held out.
    device : torch.device
    dtype : torch.dtype
        That training computes in.
    learning_rate : float
    schedule : str
    patience : int
        Measurements of the held-out error without a gain after which a run stops.
    seed : int
    cells : Cells or None
        What pictures are cut into that are too large for a PCA of whole ones.
    n_neighbors : int
        Of each row, for a family that asks for them; 0 for none.
    learns_from_all : bool
        Whether a network learns from all rows, beside those that are judged on rows they have not
        seen: where rows are few. It depends on the data alone, so that ``max_steps=n_steps_``
        repeats what ``max_seconds`` made.
    side_by_side : bool
        Whether all of these networks are trained as one.
    """

    n_rows: int
    n_features: int
    n_components: int
    widths: Widths
    network: Network
    objective: Objective
    optimizer: Optimizer
    n_parameters: int
    n_products: int
    batch_size: int
    n_steps: int | None
    most_steps: int
    split: Split
    device: torch.device
    dtype: torch.dtype
    learning_rate: float
    schedule: str
    patience: int
    seed: int
    cells: Cells | None = None
    n_neighbors: int = 0
    learns_from_all: bool = False
    side_by_side: bool = False

    @property
    def loss(self) -> Loss:
        """What training minimises: that of the family, or of ordered codes."""
        return loss_of(self.objective, ordered=self.widths.ordered)

    @property
    def n_axes(self) -> int:
        """Principal components that a run needs: as many as the code has, or distances ask for."""
        most = AXES if self.n_neighbors and self.cells is None else 0
        return min(max(self.n_components, most), self.n_features)

    def n_warm_up(self, n_steps: int) -> int:
        """Return over how many steps the learning rate rises, for a run of some length."""
        if self.schedule == "averaged":
            return min(20, n_steps)
        return math.ceil(0.03 * n_steps)

    def evaluation_steps(self, n_steps: int) -> set[int]:
        """Return the steps at which the held-out error is measured.

        Evenly spread where the learning rate falls; else, since few rows are soon learned by
        heart, at steps that grow by about a third.
        """
        if self.schedule != "averaged":
            return {round(n_steps * i / N_EVALUATIONS) for i in range(1, N_EVALUATIONS + 1)}
        steps, step = {n_steps}, 25.0
        while step < n_steps:
            steps.add(round(step))
            step *= 4 / 3
        return steps

    def threads(self, available: int) -> int:
        """Return how many of the available threads a run should use."""
        return 1 if self.flops(1) < SMALL_STEP else available

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps that see every training row once."""
        n_rows = self.n_rows if self.side_by_side else self.split.n_train_rows
        return math.ceil(n_rows / self.batch_size)

    def flops(self, n_steps: int) -> float:
        """Return the arithmetic of a network's steps: 2 per product and row forward, 4 backward."""
        return 6.0 * self.n_products * self.batch_size * n_steps

    @property
    def n_nets(self) -> int:
        """Networks that a fit trains at the most: of folds or one, and one more on all rows."""
        return max(self.split.n_folds, 1) + self.learns_from_all

    @property
    def n_runs(self) -> int:
        """Runs that a fit makes at the most: one for each network, or one for all."""
        return 1 if self.side_by_side else self.n_nets

    def steps_in(self, seconds: float, per_step: float, per_run: float) -> int:
        """Return how many steps each of the remaining runs may take, at least one.

        Parameters
        ----------
        seconds : float
            Until the deadline.
        per_step : float
            Seconds of one step.
        per_run : float
            Seconds that each further run takes beside its steps: PCA, rows, evaluations.
        """
        n_steps = (MARGIN * seconds / self.n_runs - per_run) / per_step
        return int(max(1, min(n_steps, self.most_steps)))

    @property
    def memory(self) -> int:
        """Bytes that a fit takes beside the data: scaled rows, network, optimizer, covariance."""
        rows = min(self.n_rows * self.n_features * self.dtype.itemsize, CACHE_BYTES)
        together = self.n_nets if self.side_by_side else 1
        network = self.n_parameters * (4 * 5 + 2 * self.dtype.itemsize)
        activations = self.batch_size * (self.n_features * 8 + self.n_parameters // 100) * 4
        covariance = 3 * 8 * min(self.n_features, self.n_rows, 4096) * self.n_features
        return together * (rows + network + activations) + covariance + self.graph_memory

    @property
    def graph_memory(self) -> int:
        """Bytes that finding neighbours takes."""
        if not self.n_neighbors:
            return 0
        return neighbor_memory(self.split.n_train_rows, self.n_axes, self.n_neighbors)


def make_plan(
    params: dict[str, Any],
    n_rows: int,
    n_features: int,
    seed: int,
    *,
    sample_shape: tuple[int, ...] = (),
    class_shares: tuple[float, ...] = (),
    partial: bool = False,
) -> Plan:
    """Resolve checked constructor parameters for data of a given shape.

    Parameters
    ----------
    params : dict
        The estimator's parameters by name, as `check_params` has passed them.
    n_rows, n_features : int
    seed : int
        Drawn from ``random_state``.
    sample_shape : tuple of int
        Shape of one row; () where it is not known.
    class_shares : tuple of float
        Part of the rows in each class; () where there are none.
    partial : bool
        Plan for ``partial_fit``: nothing held out, one pass, constant learning rate.

    Raises
    ------
    ParameterError
        Where parameters do not fit the data or each other.
    """
    objective = named_part("objective", params["objective"])
    ordered, n_components = bool(params["ordered"]), int(params["n_components"])
    usual = loss_of(objective, ordered=ordered).usual(n_components)
    shape = sample_shape or (n_features,)
    widths = objective.widths(
        n_features, n_components, sample_shape=shape, class_shares=class_shares, ordered=ordered
    )
    network, widths = _network(params["network"], objective, usual, widths, n_rows)
    cells = cells_for_pca(shape, min(n_components, n_features))
    _check_together(params, objective, network, widths, cells)
    n_parameters, n_products = _counts(network, widths, cells, params["init"])
    split = Split(n_rows, *((0, 0) if partial else _split(params, n_rows, objective)), seed)
    batch_size = _batch_size(params["batch_size"], usual.batch_size, n_rows, n_features)
    device = _device(params["device"])
    dtype = _precision(params["precision"], device, n_products * batch_size, network)
    learns_from_all = split.holds_out and params["keep"] == "best" and n_rows < MANY_ROWS
    side_by_side = (
        learns_from_all
        and params["init"] == "pca"
        and (dtype, device.type) == (torch.float32, "cpu")
        and 6.0 * n_products * batch_size < SMALL_STEP
        and cells is None
        and _may_share_steps(objective, network, widths)
    )
    n_seen = n_rows if side_by_side else split.n_train_rows
    steps_per_epoch = math.ceil(n_seen / batch_size)
    # What was found for layers alone is too fast for others.
    slow = not isinstance(network, MLP) and n_rows < MANY_ROWS
    rates = (SLOW_RATE,) * 3 if slow else usual.rates
    usual_steps = _usual_steps(objective, n_rows, steps_per_epoch, slow=slow)
    n_steps, most_steps = _budget(params, usual_steps, steps_per_epoch)
    return Plan(
        n_rows=n_rows,
        n_features=n_features,
        n_components=n_components,
        widths=widths,
        network=network,
        objective=objective,
        optimizer=named_part("optimizer", params["optimizer"]).resolved(usual.weight_decay),
        n_parameters=n_parameters,
        n_products=n_products,
        batch_size=batch_size,
        n_steps=steps_per_epoch if partial else n_steps,
        most_steps=most_steps,
        split=split,
        device=device,
        dtype=dtype,
        learning_rate=_learning_rate(params["learning_rate"], rates, n_rows, partial),
        schedule=(schedule := _schedule(params["schedule"], n_rows, partial)),
        patience=_patience(params["patience"], schedule, slow or objective.needs.n_neighbors > 0),
        seed=seed,
        cells=cells,
        n_neighbors=min(objective.needs.n_neighbors, max(split.n_train_rows - 1, 1)),
        learns_from_all=learns_from_all,
        side_by_side=side_by_side,
    )


def _may_share_steps(objective: Objective, network: Network, widths: Widths) -> bool:
    """Tell whether networks of a family can be trained as one: they are layers, one by one."""
    in_layers = type(network) is MLP and not network.skip and not widths.ordered
    return in_layers and objective.needs.side_by_side


def _network(
    asked: Any, objective: Objective, usual: Usual, widths: Widths, n_rows: int
) -> tuple[Network, Widths]:
    """Return the network with nothing left to choose, and what enters and leaves it."""
    network = named_part("network", asked)
    if asked == "auto" and usual.networks is not None:
        network = usual.networks[n_rows >= FEW_ROWS]
    n_axes = max(AXES, widths.code)
    if objective.needs.n_neighbors and network.reads_axes and widths.features > n_axes:
        widths = widths._replace(axes=n_axes)
    return network.resolved(widths, n_rows), widths


def _check_together(
    params: dict[str, Any],
    objective: Objective,
    network: Network,
    widths: Widths,
    cells: Cells | None,
) -> None:
    """Check that parameters fit the data and each other.

    Raises
    ------
    ParameterError
    """
    from_pca = params["init"] == "pca"
    if from_pca and widths.code > widths.features:
        raise ParameterError(
            f"`n_components`={widths.code} is more than the data has (n_features ="
            f" {widths.features}), and init='pca' starts from at most that many. Ask for fewer"
            " components, or use init='random' for an overcomplete code."
        )
    if objective.needs.linear_ends and not network.linear_ends():
        raise ParameterError(
            f"{objective!r} reads logits or log variances, which may be any number, so code and"
            f" output of the network must be linear. Set `code_activation` and `output_activation`"
            f" to 'linear', or choose another objective for {network!r}."
        )
    if cells is not None and (widths.ordered or objective.needs.n_neighbors):
        raise ParameterError(
            f"Pictures of {cells.height} × {cells.width} × {cells.channels} values are too large"
            " for one PCA at this code size, which ordered codes and maps need; give smaller"
            " pictures or fewer components."
        )
    if from_pca:
        network.check_start(widths)
    if from_pca and cells is not None:
        _check_starts_as_pca(objective, cells)


def _counts(network: Network, widths: Widths, cells: Cells | None, init: str) -> tuple[int, int]:
    """Return the trainable numbers and the products of one row, the linear path included."""
    n_parameters, n_products = network.n_parameters(widths), network.n_products(widths)
    if init != "pca":
        return n_parameters, n_products
    read = widths.axes or widths.features
    in_path = read * widths.encoder_out + widths.code * widths.decoder_out
    if cells is not None:
        in_path = 2 * cells.size * widths.code
    n_cells = 1 if cells is None else cells.n_cells
    return n_parameters + in_path // n_cells, n_products + in_path


def _check_starts_as_pca(objective: Objective, cells: Cells) -> None:
    if not objective.needs.starts_as_pca:
        raise ParameterError(
            f"Pictures of {cells.height} × {cells.width} × {cells.channels} values are too large"
            f" for one PCA at this code size, and objective={objective.name!r} cannot start at the"
            f" PCA of {cells.rows} × {cells.columns} cells. Use init='random', smaller pictures,"
            " or objective='reconstruction'."
        )


def _split(params: dict[str, Any], n_rows: int, objective: Objective) -> tuple[int, int]:
    """Return the number of rows in the single held-out part, and of folds."""
    fraction, few = params["validation_fraction"], n_rows < FEW_ROWS
    if fraction == "auto":
        is_map = objective.needs.n_neighbors > 0
        if params["keep"] == "best" and params["init"] == "pca" and few and not is_map:
            return 0, min(N_FOLDS, n_rows)
        # Whether a map keeps neighbours is soon told; folds would take six times as long.
        fraction = FEW_HELD_OUT if few and is_map else min(0.1, MOST_HELD_OUT / n_rows)
    return count_held_out(n_rows, float(fraction)), 0


def _batch_size(asked: str | int, many: int, n_rows: int, n_features: int) -> int:
    if asked != "auto":
        return int(asked)
    usual = 128 if n_rows < MANY_ROWS else many
    return max(1, min(usual, MOST_BATCH_VALUES // n_features))


def _usual_steps(objective: Objective, n_rows: int, steps_per_epoch: int, *, slow: bool) -> int:
    quick = STEPS_OF_A_MAP if objective.needs.n_neighbors and not slow else STEPS
    if n_rows < FEW_ROWS:
        return min(quick, max(200, 8 * n_rows))
    return max(MANY_STEPS if slow or n_rows >= MANY_ROWS else quick, 20 * steps_per_epoch)


def _budget(params: dict[str, Any], usual: int, steps_per_epoch: int) -> tuple[int | None, int]:
    """Return the steps of a run (None where time decides) and the most there may be."""
    automatic = params["max_epochs"] == "auto"
    from_epochs = usual if automatic else int(params["max_epochs"]) * steps_per_epoch
    if params["max_steps"] is not None:
        most = int(params["max_steps"])
        return (most if automatic else min(most, from_epochs)), most
    if params["max_seconds"] is not None:
        return None, (max(usual, 200 * steps_per_epoch) if automatic else from_epochs)
    return from_epochs, from_epochs


def _device(asked: str) -> torch.device:
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.empty(0, device=device)
        device = torch.device("cpu") if device.type == "cpu" else device  # "cpu:0" is the same
    except (RuntimeError, AssertionError) as error:
        raise ParameterError(
            f"`device`={asked!r} cannot be used here: {error}. Use 'auto' or 'cpu'."
        ) from error
    return device


def _precision(asked: str, device: torch.device, work: int, network: Network) -> torch.dtype:
    """Choose bfloat16 where the processor has it and the products outweigh the rounding."""
    if asked == "auto" and (not network.bfloat16 or device.type not in ("cpu", "cuda")):
        return torch.float32
    if asked == "auto":
        on_gpu = device.type == "cuda"
        fast = _gpu_has_bfloat16_products() if on_gpu else has_bfloat16_products()
        return torch.bfloat16 if fast and work >= WORK_FOR_BFLOAT16 else torch.float32
    return torch.bfloat16 if asked == "bfloat16" else torch.float32


def _gpu_has_bfloat16_products() -> bool:
    """Tell the same of the CUDA device; older ones multiply it by way of float32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _learning_rate(
    asked: str | float, usual: tuple[float, float, float], n_rows: int, partial: bool
) -> float:
    if asked != "auto":
        return float(asked)
    few, some, many = usual
    if partial:
        return SLOW_RATE
    if n_rows < FEW_ROWS:
        return few
    return some if n_rows < MANY_ROWS else many


def _schedule(asked: str, n_rows: int, partial: bool) -> str:
    if partial:
        return "constant"
    if asked != "auto":
        return asked
    return "averaged" if n_rows < MANY_ROWS else "cosine"


def _patience(asked: str | int, schedule: str, slow: bool) -> int:
    if asked != "auto":
        return int(asked)
    if schedule == "averaged":
        return 6 if slow else 2  # at first a map loses more than it gains
    return N_EVALUATIONS  # while the learning rate is still to fall, a standstill says little
