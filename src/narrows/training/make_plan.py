"""From the estimator's parameters to the numbers of a run: nothing is ``"auto"`` afterwards.

What the defaults were chosen on stands in ``docs/decisions/0005-defaults.md``.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch

from narrows.common.optimizers import FALL_FROM_THE_START
from narrows.common.processor import has_bfloat16_products
from narrows.common.sizes import FEW_ROWS, MANY_ROWS
from narrows.errors import ParameterError
from narrows.linear.patches import Cells, cells_for_pca
from narrows.model.parts import named_part
from narrows.networks import MLP, Network, Widths
from narrows.networks.base import AXES
from narrows.objectives import Objective
from narrows.objectives.base import Usual
from narrows.objectives.ordered import loss_of
from narrows.sources.split import Split, count_held_out
from narrows.training.plan import N_EVALUATIONS, SMALL_STEP, Plan

N_FOLDS = 5
"""Runs of the cross-fitting, where rows are too few for a single held-out part."""
FEW_HELD_OUT = 0.2
"""Part of few rows that a map is judged on."""
MOST_HELD_OUT = 2_500
"""Held-out rows that ``validation_fraction="auto"`` asks for at the most."""
MOST_BATCH_VALUES = 1 << 24
"""Values in a batch (64 MiB in float32) that ``batch_size="auto"`` asks for at the most."""
STEPS_OF_ANY, MANY_STEPS, EPOCHS = 200, 2_400, 20
"""Steps that ``max_epochs="auto"`` allows however few the rows are; the fewest steps, and the
fewest epochs, that it gives from 10,000 rows on."""
ROWS_OF_ALL_EPOCHS = 60_000
"""Rows up to which every family gets so many epochs."""
SLOW_RATE = 0.001
"""Learning rate of `partial_fit`, whose weights are not averaged, and of convolutions and a user's
own modules below 10,000 rows."""
SLOW_STEPS, SLOW_PATIENCE = 1_200, 6
"""Of such modules: the most steps below 1,000 rows, and measurements without a gain that end a
run."""
WORK_FOR_BFLOAT16 = 1 << 25
"""Weights times rows of a batch from which bfloat16 pays for its conversions."""

Number = TypeVar("Number", int, float)


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
    batch_size = _batch_size(params["batch_size"], usual.batch_sizes, n_rows, n_features)
    device = _device(params["device"])
    dtype = _precision(params["precision"], device, n_products * batch_size, network)
    chosen_by_held_out = split.holds_out and params["keep"] == "best"
    learns_from_all = chosen_by_held_out and n_rows < MANY_ROWS and not _is_map(objective)
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
    if slow:
        usual = usual._replace(rates=(SLOW_RATE,) * 3, steps=SLOW_STEPS, patience=SLOW_PATIENCE)
    usual_steps = _usual_steps(usual, n_rows, steps_per_epoch, slow=slow)
    if params["max_epochs"] != "auto":
        usual_steps = int(params["max_epochs"]) * steps_per_epoch
    if partial:
        usual_steps = steps_per_epoch
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
        n_usual=usual_steps,
        split=split,
        device=device,
        dtype=dtype,
        learning_rate=_learning_rate(params["learning_rate"], usual.rates, n_rows, partial),
        schedule=(schedule := _schedule(params["schedule"], usual, n_rows, partial)),
        patience=_patience(params["patience"], schedule, usual),
        seed=seed,
        cells=cells,
        n_neighbors=min(objective.needs.n_neighbors, max(split.n_train_rows - 1, 1)),
        learns_from_all=learns_from_all,
        side_by_side=side_by_side,
    )


def _is_map(objective: Objective) -> bool:
    return objective.needs.n_neighbors > 0


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
        is_map = _is_map(objective)
        if params["keep"] == "best" and params["init"] == "pca" and few and not is_map:
            return 0, min(N_FOLDS, n_rows)
        # Whether a map keeps neighbours is soon told; folds would take six times as long.
        fraction = FEW_HELD_OUT if few and is_map else min(0.1, MOST_HELD_OUT / n_rows)
    return count_held_out(n_rows, float(fraction)), 0


def _of_size(values: tuple[Number, Number, Number], n_rows: int) -> Number:
    """Return what is meant for so many rows: below 1,000, below 10,000, or more."""
    return values[(n_rows >= FEW_ROWS) + (n_rows >= MANY_ROWS)]


def _batch_size(asked: str | int, usual: tuple[int, int, int], n_rows: int, n_features: int) -> int:
    if asked != "auto":
        return int(asked)
    return max(1, min(_of_size(usual, n_rows), MOST_BATCH_VALUES // n_features))


def _usual_steps(usual: Usual, n_rows: int, steps_per_epoch: int, *, slow: bool) -> int:
    if n_rows < FEW_ROWS:
        return min(usual.steps, max(STEPS_OF_ANY, 8 * n_rows))
    if slow or n_rows >= MANY_ROWS:
        fewer: float = min(1.0, ROWS_OF_ALL_EPOCHS / n_rows) ** (1.0 - usual.growth)
        return max(MANY_STEPS, round(EPOCHS * steps_per_epoch * fewer))
    return max(usual.steps, usual.epochs * steps_per_epoch)


def _budget(params: dict[str, Any], usual: int, steps_per_epoch: int) -> tuple[int | None, int]:
    """Return the steps of a run (None where time decides) and the most there may be."""
    automatic = params["max_epochs"] == "auto"
    if params["max_steps"] is not None:
        most = int(params["max_steps"])
        return (most if automatic else min(most, usual)), most
    if params["max_seconds"] is None:
        return usual, usual
    if params["schedule"] in FALL_FROM_THE_START:
        raise ParameterError(
            f"`schedule`={params['schedule']!r} falls from the first step on, so it has to know the"
            " number of steps, and max_seconds leaves it open. Give max_steps or max_epochs, or"
            " schedule='auto'."
        )
    return None, (max(usual, 200 * steps_per_epoch) if automatic else usual)


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
    return SLOW_RATE if partial else _of_size(usual, n_rows)


def _schedule(asked: str, usual: Usual, n_rows: int, partial: bool) -> str:
    if partial:
        return "constant"
    if asked != "auto":
        return asked
    return "averaged" if n_rows < MANY_ROWS else usual.schedule


def _patience(asked: str | int, schedule: str, usual: Usual) -> int:
    if asked != "auto":
        return int(asked)
    if schedule == "averaged":
        return usual.patience
    return N_EVALUATIONS  # while the learning rate is still to fall, a standstill says little
