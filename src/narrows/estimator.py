"""`Autoencoder`, a scikit-learn transformer, and `load`.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from narrows import generating, persistence, reading
from narrows.diagnosis import diagnose, rows_to_show
from narrows.errors import DataError, NarrowsWarning, ParameterError
from narrows.fields import (
    Limit,
    boolean,
    check,
    integer,
    interval,
    is_integer,
    nothing,
    one_of,
    real,
    replaced,
    widths,
)
from narrows.fitting import Outcome, fit_model, train_on
from narrows.inference import Floats, Inference
from narrows.networks import Autoencoding, converted
from narrows.networks.prefixes import prefix_reader
from narrows.objectives import Objective
from narrows.optimizers import SCHEDULE
from narrows.ordering import Ordered, SizeCurve
from narrows.parts import PARTS, named_part
from narrows.planning import Plan, make_plan
from narrows.priors import Normal, Prior
from narrows.running import Callback, Request, print_epochs
from narrows.scaling import SCALING
from narrows.sources.array import ArraySource, held_out_rows
from narrows.starting import start, with_code_size
from narrows.training import HistoryRow, TrainingState, start_training

_LIMITS: dict[str, Limit] = {
    "n_components": integer(1) | real(0, 1, low_open=True),
    "init": one_of("pca", "random"),
    "ordered": boolean(),
    "sample_shape": nothing() | widths(),
    "scaling": SCALING,
    "bounds": one_of("auto") | interval() | nothing(),
    "max_epochs": one_of("auto") | integer(1),
    "max_steps": nothing() | integer(1),
    "max_seconds": nothing() | real(0, low_open=True),
    "patience": one_of("auto") | integer(1),
    "validation_fraction": one_of("auto") | real(0, 1),
    "keep": one_of("best", "last"),
    "batch_size": one_of("auto") | integer(1),
    "learning_rate": one_of("auto") | real(0, low_open=True),
    "schedule": SCHEDULE,
    "precision": one_of("auto", "float32", "bfloat16"),
    "n_threads": one_of("auto") | integer(1),
    "verbose": integer(0),
    "device": Limit(lambda v: isinstance(v, str), "'auto', 'cpu', 'cuda' or another torch device"),
    "callbacks": Limit(
        lambda v: isinstance(v, (tuple, list)) and all(map(callable, v)),
        "a sequence of callables that take a Progress",
    ),
    "random_state": nothing()
    | integer(0)
    | Limit(lambda v: isinstance(v, np.random.RandomState), "a numpy.random.RandomState"),
}


CODED_VALUES = 1 << 24
"""Values of training rows (128 MiB in float64) that are encoded at once after a fit."""


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Squeeze rows through a narrow code and rebuild them, starting from PCA.

    ::

        X (N, D) ──encoder──▶ Z (N, K) ──decoder──▶ X̂ (N, D)        error = X − X̂, no labels

    Training starts at the PCA of the same rows and leaves it only for a gain on held-out rows that
    stands out from the noise, so on average the default objective is never worse than PCA on new
    rows.

    Parameters
    ----------
    n_components : int or float, default=2
        Numbers in a code, K. A fraction in (0, 1) asks for the smallest code that explains so
        much of the variance of held-out rows, found from one ordered training: 0.95, as
        ``PCA(0.95)``.
    network : "auto", "mlp", "conv", MLP, Conv or (nn.Module, nn.Module), default="auto"
        Architecture of encoder and decoder; ``"auto"`` is ``"mlp"``. A pair of modules of your own
        is copied: the encoder turns flat rows (B, D) into (B, K), the decoder (B, K) into (B, D).
    objective : str or Objective, default="reconstruction"
        What training makes small: a family's name ("reconstruction", "denoising", "sparse",
        "contractive", "vae", "iwae", "wae", "adversarial", "vq", "fsq", "neighbors"), or such an
        object, ``VAE(beta=4)``; also one of your own.
    init : {"pca", "random"}, default="pca"
        ``"pca"`` adds a linear path set to PCA and a non-linear path that is silent at the start;
        ``"random"`` is the plain network.
    ordered : bool, default=False
        Train every prefix of the code, so that ``inverse_transform(Z[:, :k])`` is good for each
        k; ``size_curve_`` then says how good. A code whose last numbers are exactly zero counts
        as cut before them. For "reconstruction" and "denoising".
    sample_shape : sequence of int, default=None
        Shape of one flat row, such as (28, 28); learned from input of more than two axes.
    scaling : "auto", "standard", None or (float, float), default="auto"
        ``"auto"`` centres columns and divides all by one number; ``"standard"`` divides each by
        its own standard deviation; a pair maps the data's smallest and largest value to it.
    bounds : "auto", None or (float, float), default="auto"
        Range that reconstructions are clipped to, in data units. ``"auto"`` takes (0, 255) for
        uint8, (0, 1) for floats within [0, 1] that are exactly 0 and exactly 1 in at least 0.1 %
        of the values each, and none otherwise.
    max_epochs : "auto" or int, default="auto"
        Passes over the training rows. ``"auto"`` chooses by the number of rows, and gives way to
        ``max_steps`` and ``max_seconds``.
    max_steps : int, default=None
        Optimizer steps of a run. ``max_steps=n_steps_`` repeats a model that ``max_seconds`` made.
    max_seconds : float, default=None
        Seconds that `fit` may take in all. The number of steps is fixed by a short timing, unless
        ``max_steps`` gives it; a run that falls behind is shortened, with a warning.
    patience : "auto" or int, default="auto"
        Measurements of the held-out error (24 in a full run) without a gain that end a run.
    validation_fraction : "auto" or float in [0, 1), default="auto"
        Part of the rows that is held out. ``"auto"`` is 0.1, at most 2,500 rows; below 1,000 rows
        it cross-fits in five folds instead (``init="pca"``, ``keep="best"``).
    keep : {"best", "last"}, default="best"
        Which state to return: the best on held-out rows, the start included, or the last.
    batch_size : "auto" or int, default="auto"
        Rows per optimizer step.
    learning_rate : "auto" or float, default="auto"
        At its highest.
    optimizer : "adamw", "adam", AdamW or Adam, default="adamw"
        How a step is made from gradients.
    schedule : {"auto", "averaged", "cosine", "linear", "constant"}, default="auto"
        ``"averaged"`` keeps the learning rate and returns a running average of the weights, which
        may stop anywhere; ``"cosine"`` and ``"linear"`` let it fall to zero at the end of the
        run. ``"auto"`` averages below 10,000 rows and takes the cosine from there.
    device : str, default="auto"
        ``"auto"`` takes a CUDA device where there is one, else the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the products in training. ``"auto"`` takes bfloat16 where the processor multiplies it
        in hardware and the network is large enough. Codes are never computed in bfloat16.
    n_threads : "auto" or int, default="auto"
        Threads for `fit`; ``"auto"`` takes torch's setting, but one where steps are small, since
        sharing them out would cost more than it saves. Restored on return.
    callbacks : sequence of callable, default=()
        Called with a `narrows.running.Progress` after each step of `fit`; returning True ends the
        run.
    random_state : int, RandomState or None, default=None
        Seeds weights, batches and held-out rows.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    n_components_, n_features_in_ : int
        K and D.
    feature_names_in_ : ndarray of str
        Where the data had string names.
    sample_shape_ : tuple of int
        Shape of one row.
    bounds_ : (float, float) or None
        In data units.
    network_ : torch.nn.Module
        Scaling, encoder and decoder.
    pca_ : PrincipalComponents
        The PCA that training started from, with scikit-learn's attribute names; of the scaled
        columns under ``scaling="standard"``.
    n_steps_, best_step_ : int
        Steps that a run was planned for, and the step of the state returned; 0 is the start: PCA,
        or what the family makes of it.
    size_curve_ : SizeCurve
        Of ordered codes: held-out errors of every prefix, PCA's beside them.
    history_ : list of dict
        A row per epoch of the first run: every term of the loss, learning rate, held-out error.
    priors_ : dict of str to Prior
        What was fitted to the codes of training rows, for `sample`; ``"normal"`` by `fit`.
    validation_error_, pca_validation_error_ : float
        Mean squared error per value on held-out rows, in data units; ours and PCA's.
    explained_variance_ratio_ : float
        1 − ``validation_error_`` over the mean variance of the training columns; a single number,
        because the numbers of a code share what they explain.
    device_, precision_, n_threads_ : str, str, int
        What was resolved.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from narrows import Autoencoder
    >>> X = load_iris().data
    >>> Autoencoder(2, max_steps=100, random_state=0).fit_transform(X).shape
    (150, 2)
    """

    def __init__(
        self,
        n_components: int | float = 2,
        *,
        network: Any = "auto",
        objective: Any = "reconstruction",
        init: str = "pca",
        ordered: bool = False,
        sample_shape: Sequence[int] | None = None,
        scaling: Any = "auto",
        bounds: Any = "auto",
        max_epochs: int | str = "auto",
        max_steps: int | None = None,
        max_seconds: float | None = None,
        patience: int | str = "auto",
        validation_fraction: float | str = "auto",
        keep: str = "best",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        optimizer: Any = "adamw",
        schedule: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        n_threads: int | str = "auto",
        callbacks: Sequence[Callback] = (),
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.network = network
        self.objective = objective
        self.init = init
        self.ordered = ordered
        self.sample_shape = sample_shape
        self.scaling = scaling
        self.bounds = bounds
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.keep = keep
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.schedule = schedule
        self.device = device
        self.precision = precision
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn to rebuild rows.

        Parameters
        ----------
        X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
            At least two rows of finite real numbers.
        y : array-like (N,), optional
            Classes, for ``objective=VAE(conditional=True)`` and its like; others ignore them.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            For parameters outside their limits, or that do not fit the data.
        DataError, DataTypeError, ValueError, TypeError
            For data that cannot be used.
        KeyboardInterrupt
            Raised again, once the best state so far is in place.
        """
        started = time.perf_counter()
        self._check_params()
        with self._all_or_nothing():
            interrupted, complaints = self._fit(X, y, started)
        for complaint in complaints:
            warnings.warn(complaint, NarrowsWarning, stacklevel=2)
        if self.scaling != "standard":
            names = getattr(self, "feature_names_in_", None)
            reading.warn_of_dominant_column(self._moments()[1], names)
        if interrupted is not None:
            raise interrupted
        return self

    def _fit(self, X: Any, y: Any, started: float) -> tuple[KeyboardInterrupt | None, list[str]]:
        rows = self._read(X, reset=True, least=2)
        classes = self._read_classes(y, len(rows), self.objective)
        seed = self._draw_seed()
        source = ArraySource(rows, y=classes)
        params, explained = with_code_size(self.get_params(deep=False), source, seed)
        plan = self._plan(params, rows, seed, classes)
        if explained is not None and not (plan.n_folds or plan.n_held_out):
            raise ParameterError(
                f"`n_components`={explained:g} is judged by held-out rows, and"
                " validation_fraction=0 leaves none. Give a fraction above 0, or a number of"
                " components."
            )
        bounds = reading.choose_bounds(self.bounds, rows)
        deadline = None if self.max_seconds is None else started + float(self.max_seconds)
        callbacks = [*self.callbacks, *([print_epochs()] if self.verbose else [])]
        params["callbacks"] = callbacks
        with self._threads(plan):
            outcome = fit_model(Request(source, plan, params, bounds, deadline, explained))
            complaints = self._remember(outcome, plan, bounds, explained)
            self._training, self._codes, self.priors_ = None, None, {}
            try:
                codes = self._remember_codes(source, seed)
                if outcome.interrupted is None:
                    shown = source.take(rows_to_show(source.n_rows, source.n_features))
                    complaints += diagnose(
                        plan.objective, self.network_, shown, codes, self.pca_, plan.learning_rate
                    )
            except KeyboardInterrupt as interrupt:  # the model stands
                outcome.interrupted = interrupt
        return outcome.interrupted, complaints

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Pass once over rows in the order given, at a constant learning rate.

        Nothing is held out and nothing stops early, so errors on held-out rows become NaN. The
        first call sets scaling and PCA from its own rows; after `fit` or `load` training goes on
        from the model as it is, its network and objective included, with the optimizer's running
        means empty. Priors fitted to codes are dropped, for the codes have moved; `sample` fits
        them anew to codes of the rows passed so far.

        Parameters
        ----------
        X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
            At least two rows in the first call.
        y : as in `fit`
            The first call must hold every class.

        Returns
        -------
        self

        Raises
        ------
        As `fit`.
        """
        self._check_params()
        with self._all_or_nothing():
            self._partial_fit(X, y)
        return self

    def _partial_fit(self, X: Any, y: Any) -> None:
        first = not hasattr(self, "network_")
        rows = self._read(X, reset=first, least=2 if first else 1)
        params = self.get_params(deep=False)
        if not first:
            params |= {
                "n_components": self._code_size,
                "network": self._network_part,
                "objective": self._family,
                "ordered": isinstance(self._objective, Ordered),
            }
        elif not is_integer(self.n_components):
            raise ParameterError(
                f"`n_components`={self.n_components:g} is judged by held-out rows, and partial_fit"
                " holds none out. Give a number of components, or use fit."
            )
        classes = self._read_classes(y, len(rows), params["objective"], known=not first)
        seed = self._draw_seed()
        plan = self._plan(params, rows, seed, classes, partial=True)
        source = ArraySource(rows, y=classes)
        with self._threads(plan):
            if first:
                bounds = reading.choose_bounds(self.bounds, rows)
                net, pca = start(source, params, plan, bounds)
                self._remember(Outcome(net, pca, n_steps=0), plan, bounds)
            self._continue(source, plan)
            self._remember_codes(source, seed, further=not first)

    def _plan(
        self,
        params: dict[str, Any],
        rows: NDArray[np.generic],
        seed: int,
        classes: NDArray[np.int64] | None,
        *,
        partial: bool = False,
    ) -> Plan:
        shares: tuple[float, ...] = ()
        if classes is not None and self._classes is not None:
            counts = np.bincount(classes, minlength=len(self._classes))
            shares = tuple((counts / len(classes)).tolist())
        return make_plan(
            params,
            len(rows),
            rows.shape[1],
            seed,
            sample_shape=self.sample_shape_,
            class_shares=shares,
            partial=partial,
        )

    def _read_classes(
        self, y: Any, n_rows: int, objective: Any, *, known: bool = False
    ) -> NDArray[np.int64] | None:
        """Return the classes of rows as numbers from 0, for a family that asks for them."""
        if not named_part("objective", objective).needs_classes:
            self._classes = None
            return None
        if y is None:
            raise DataError(
                "This objective learns from classes, and y is None; call fit(X, y) with one label"
                " per row."
            )
        labels = reading.as_labels(y, n_rows)
        if known and self._classes is not None:
            return generating.class_numbers(labels, self._classes, n_rows)
        self._classes, numbers = np.unique(labels, return_inverse=True)
        return numbers.astype(np.int64)

    def _continue(self, source: ArraySource, plan: Plan) -> None:
        """Train on from the model as it is, through all rows once."""
        if self._training is None:
            self._training = start_training(
                converted(self.network_, torch.float32), plan.optimizer, plan.schedule
            )
            if self.history_:
                self._training.step = self.n_steps_
                self._training.epoch = int(self.history_[-1]["epoch"])
        state = self._training
        if not train_on(state, source, self.network_.scaling, self.bounds_, plan):
            raise DataError(
                "Training diverged on these rows, so the model is left as it was. Use a smaller"
                f" learning_rate than {plan.learning_rate:g}, or look for far-off values."
            )
        self.history_ = [*self.history_, state.history[-1]]
        self.__dict__.pop("size_curve_", None)
        self.validation_error_ = self.pca_validation_error_ = math.nan
        self.explained_variance_ratio_ = np.float64(math.nan)
        self.n_steps_ += plan.steps_per_epoch
        self.best_step_ = self.n_steps_
        self._set_network(copy.deepcopy(state.net).cpu())

    # ------------------------------------------------------------------ using

    def transform(self, X: Any) -> Floats:
        """Return the codes of rows.

        Parameters
        ----------
        X : as in `fit`, one row or more

        Returns
        -------
        Z : ndarray (N, K), float32 for float32 input, float64 for all else
            The same bits for a row alone, in any batch and in any order.
        """
        check_is_fitted(self)
        return self._inference.encode(self._read(X, reset=False))

    def inverse_transform(self, Z: Any) -> Floats:
        """Return the rows that codes decode to.

        Parameters
        ----------
        Z : array-like (N, K), or of ordered codes the first columns alone

        Returns
        -------
        X : ndarray (N, D), or (N, H, W) or (N, H, W, C) if `fit` was given that
            In data units, within ``bounds_``; dtype as in `transform`.

        Raises
        ------
        DataError
            If codes do not have K columns, or of ordered codes more than K.
        """
        check_is_fitted(self)
        codes = self._read_codes(Z)
        X = self._inference.decode(codes)
        return X.reshape(len(X), *self.sample_shape_) if self._came_shaped else X

    def loadings(self, Z: Any) -> Floats:
        """Return what changes in a row as its code moves: the local loadings of each number.

        Parameters
        ----------
        Z : array-like (N, K), or of ordered codes the first columns alone

        Returns
        -------
        L : ndarray (N, D, K), or (N, H, W, K) or (N, H, W, C, K) if `fit` was given pictures
            Derivatives of what `inverse_transform` gives: data units per unit of the code; zero
            where ``bounds_`` cut a value off. Of PCA they are the same everywhere, its components.

        Raises
        ------
        DataError
            As `inverse_transform`.
        """
        check_is_fitted(self)
        codes = self._read_codes(Z)
        slopes = self._inference.loadings(codes)
        shape = self.sample_shape_ if self._came_shaped else (self.n_features_in_,)
        whole: Floats = slopes.reshape(len(codes), *shape, codes.shape[1])
        return whole

    def reconstruct(self, X: Any) -> Floats:
        """Return the rows that come back through the code, in the shape of ``X``."""
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        X_hat = self._inference.reconstruct(rows)
        shape = np.shape(X)
        return X_hat.reshape(shape) if len(shape) > 2 else X_hat

    def reconstruction_error(self, X: Any) -> NDArray[np.float64]:
        """Return the mean squared error per value of each row (N,), in squared data units."""
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        return self._inference.squared_errors(rows)

    def score(self, X: Any, y: Any = None) -> float:
        """Return 1 − Σ‖x − x̂‖² / Σ‖x − mean‖², with the mean of the training rows.

        1 is perfect; 0 is no better than always giving the mean.
        """
        del y
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        unexplained = self._inference.squared_errors(rows).mean()
        spread = self._spread(rows)
        return float(1.0 - unexplained / spread) if spread > 0 else 0.0

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one ``.safetensors`` file; an older file is replaced in one step.

        The file holds weights, scaling, the PCA beside them, the history and the parameters; no
        training row, no code, no callback.

        Raises
        ------
        OSError
            Where the file cannot be written; an older file then stands as it was.
        """
        check_is_fitted(self)
        persistence.save(self, path)

    # ------------------------------------------------------------------ generating

    def sample(
        self,
        n: int = 1,
        *,
        prior: str = "auto",
        temperature: float = 1.0,
        y: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Floats:
        """Draw codes from a prior and decode them.

        Parameters
        ----------
        n : int, default=1
            Rows to make.
        prior : {"auto", "normal", "mixture", "flow"}, default="auto"
            Where codes come from. ``"auto"`` is what the family was trained to follow (N(0, 1)
            for a VAE, or the flow trained with it), and ``"normal"`` for a family that follows
            none. A name that the family trained with means that prior too; the others are fitted
            to the codes of training rows, when they are first asked for: a normal distribution, a
            mixture of them, or a normalising flow.
        temperature : float, default=1.0
            Factor on the deviations of what is drawn: below 1 samples are more typical and more
            alike.
        y : label or array-like (n,), optional
            Classes to draw, for a model that was trained with classes.
        random_state : int, RandomState or None, default=None
            The same seed gives the same samples.

        Returns
        -------
        X : ndarray (n, D), or (n, H, W) or (n, H, W, C) if `fit` was given that, float32
            In data units, within ``bounds_``: what the decoder gives, without pixel noise.

        Raises
        ------
        ParameterError
            For a value outside its limits, or classes where the model knows none.
        DataError
            For classes that `fit` did not see, or for a prior that needs training rows where the
            model was read from a file: see `fit_prior`.
        """
        check_is_fitted(self)
        return generating.sample(self, n, prior, temperature, y, random_state)

    def fit_prior(self, prior: str = "mixture", X: Any = None) -> Self:
        """Fit a prior for `sample` to the codes of rows; it is saved with the model.

        A prior that the family itself was trained with, under the same name, goes before it.

        Parameters
        ----------
        prior : {"normal", "mixture", "flow"}, default="mixture"
        X : array, frame or tensor, optional
            Rows as in `fit`; by default the codes that `fit` kept, of at most 30,000 of its rows.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            For another name.
        DataError
            Without ``X`` where the model was read from a file, which holds no codes.
        """
        check_is_fitted(self)
        generating.fit_prior(self, prior, X)
        return self

    def interpolate(self, a: Any, b: Any, steps: int = 8, *, how: str = "linear") -> Floats:
        """Decode the way from one row's code to another's.

        Parameters
        ----------
        a, b : array-like, a row each: (D,) or (1, D), or of the shape of a sample
        steps : int, default=8
            Rows to make, the two ends included.
        how : {"linear", "spherical"}, default="linear"
            Straight, or around the mean of the codes at the distance of the two ends.

        Returns
        -------
        X : ndarray (steps, D), or shaped as `inverse_transform` gives it

        Raises
        ------
        ParameterError, DataError
        """
        check_is_fitted(self)
        return generating.interpolate(self, a, b, steps, how)

    def traverse(self, x: Any, dimension: int, steps: int = 9, *, span: float = 3.0) -> Floats:
        """Decode a row's code with one of its numbers moved step by step.

        Parameters
        ----------
        x : array-like, one row: (D,) or (1, D), or of the shape of a sample
        dimension : int
            Which number of the code, from 0.
        steps : int, default=9
            Rows to make; the middle one of an odd number is the reconstruction.
        span : float, default=3.0
            How far to either side, in deviations of that number over training rows.

        Returns
        -------
        X : ndarray (steps, D), or shaped as `inverse_transform` gives it

        Raises
        ------
        ParameterError, DataError
        """
        check_is_fitted(self)
        return generating.traverse(self, x, dimension, steps, span)

    # ------------------------------------------------------------------ parameters

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``network__hidden`` and the like replace a part by a changed copy.

        Where a part is given by name, the name is first replaced by that part.

        Raises
        ------
        ParameterError
            For a field that the part does not have.
        """
        own = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**own)
        changes: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            kind, separator, field = name.partition("__")
            if separator and kind not in PARTS:
                raise ParameterError(
                    f"Autoencoder has no part {kind!r}; parts are {', '.join(PARTS)}."
                )
            if separator:
                changes.setdefault(kind, {})[field] = value
        for kind, fields in changes.items():
            setattr(self, kind, replaced(named_part(kind, getattr(self, kind)), fields))
        return self

    def _check_params(self) -> None:
        """Report everything that is wrong with the parameters and the parts, at once."""
        values = self.get_params(deep=False)
        tests: list[Callable[[], Any]] = [partial(check, "Autoencoder", values, _LIMITS)]
        tests += [partial(named_part, kind, values[kind]) for kind in PARTS]
        found = []
        for test in tests:
            try:
                test()
            except ParameterError as error:
                found.append(str(error))
        if found:
            raise ParameterError(" ".join(found))

    # ------------------------------------------------------------------ internals

    _training: TrainingState | None = None
    _classes: NDArray[Any] | None = None
    _codes: Floats | None = None
    _prior_seed: int = 0
    _came_shaped: bool = False
    size_curve_: SizeCurve
    history_: list[HistoryRow]
    priors_: dict[str, Prior]
    sample_shape_: tuple[int, ...]

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @property
    def _family(self) -> Objective:
        """The family that the model was trained as, ordered or not."""
        return self._objective.inner if isinstance(self._objective, Ordered) else self._objective

    @property
    def _code_size(self) -> int:
        """Numbers that the network itself works with, of which codes may be the first."""
        reader = prefix_reader(self.network_.decoder)
        return self.n_components_ if reader is None else len(reader.left_over)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        with contextlib.suppress(ParameterError):
            tags.target_tags.required = named_part("objective", self.objective).needs_classes
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_inference", None)
        state.pop("_training", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            self._set_network(self.network_)

    def _read(self, X: Any, *, reset: bool, least: int = 1) -> NDArray[np.generic]:
        """Check data with scikit-learn, and say more where it says too little."""
        X, shape = reading.as_rows(X)
        try:
            rows = validate_data(self, X, reset=reset, dtype="numeric", ensure_min_samples=least)
        except ValueError as error:
            names = getattr(X, "columns", None)
            where = (
                reading.where_not_finite(X, names)
                if "NaN" in str(error) or "infinity" in str(error)
                else ""
            )
            if where:
                raise DataError(str(error) + where) from error
            raise
        rows = cast("NDArray[np.generic]", np.asarray(rows))
        if not reset and self._came_shaped and shape not in (None, self.sample_shape_):
            raise DataError(
                f"X holds pictures of shape {shape}, but this model learned from"
                f" {self.sample_shape_}. Pass that shape, or flat rows of as many values."
            )
        if reset:
            reading.check_magnitude(rows)
            self._came_shaped = shape is not None
            self.sample_shape_ = self._checked_shape(shape, rows.shape[1])
        return rows

    def _read_codes(self, Z: Any) -> Floats:
        """Check codes, which only of an ordered model may be cut short."""
        codes = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
        given, size = codes.shape[1], self.n_components_
        if given > size or (given < size and not isinstance(self._objective, Ordered)):
            shorter = " Codes of a model of ordered=True may be cut short." if given < size else ""
            raise DataError(
                f"Z has {given} columns, but a code of this model has {size}. Pass what"
                f" `transform` returned.{shorter}"
            )
        checked: Floats = codes
        return checked

    def _checked_shape(self, shape: tuple[int, ...] | None, n_features: int) -> tuple[int, ...]:
        asked = None if self.sample_shape is None else tuple(int(n) for n in self.sample_shape)
        found = asked or shape or (n_features,)
        if int(np.prod(found)) != n_features or (asked and shape and asked != shape):
            raise ParameterError(
                f"`sample_shape`={asked} does not fit data whose rows have"
                f" {n_features} values{f' in shape {shape}' if shape else ''}."
            )
        return found

    def _draw_seed(self) -> int:
        if self.random_state is None:
            # Not scikit-learn's global stream: fit leaves global random state alone.
            return int(np.random.default_rng().integers(2**31))
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo whatever a fit that fails has set, so that an earlier model stands."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            self._training = None
            raise

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_inference")

    @contextlib.contextmanager
    def _threads(self, plan: Plan) -> Iterator[None]:
        before = torch.get_num_threads()
        automatic = self.n_threads == "auto"
        self.n_threads_ = plan.threads(before) if automatic else int(self.n_threads)
        torch.set_num_threads(self.n_threads_)
        try:
            with threadpool_limits(self.n_threads_, user_api="blas"):
                yield
        finally:
            torch.set_num_threads(before)

    def _remember(
        self,
        outcome: Outcome,
        plan: Plan,
        bounds: tuple[float, float] | None,
        explained: float | None = None,
    ) -> list[str]:
        """Take over what a fit gave; return a sentence for each thing to complain of."""
        curve, complaints = outcome.curve, []
        self.n_components_ = size = plan.n_components
        self.__dict__.pop("size_curve_", None)
        if curve is not None:
            self.size_curve_ = curve
        if curve is not None and explained is not None:
            found = curve.smallest(explained)
            if found is None:
                complaints = [
                    f"{size} numbers explain {curve.explained[-1]:.4g} of the variance of held-out"
                    f" rows, less than the {explained:g} asked for; these rows are not enough to"
                    " learn more. The model has all of them."
                ]
            else:
                self.n_components_ = size = found
                place = int(np.searchsorted(curve.n_components, size))
                outcome.validation_error = float(curve.error[place])
                outcome.pca_validation_error = float(curve.pca_error[place])
        self.bounds_ = bounds
        self.pca_ = outcome.pca.first(size)
        self.n_steps_, self.best_step_ = outcome.n_steps, outcome.best_step
        self.history_ = outcome.history
        self.validation_error_ = outcome.validation_error
        self.pca_validation_error_ = outcome.pca_validation_error
        self.device_ = str(plan.device)
        self.precision_ = str(plan.dtype).removeprefix("torch.")
        self._network_part, self._objective = plan.network, plan.objective
        self._set_network(copy.deepcopy(outcome.net).cpu())
        variance = float(self._moments()[1].mean())
        ratio = 1.0 - self.validation_error_ / variance if variance > 0 else 0.0
        self.explained_variance_ratio_ = np.float64(ratio)
        return complaints

    def _remember_codes(self, source: ArraySource, seed: int, *, further: bool = False) -> Floats:
        """Keep the codes of some training rows, and their normal prior; return these rows' codes.

        Further codes join those that were kept before. As long as they are too few for a normal
        distribution of K numbers, priors that a model came with stand.
        """
        chosen = held_out_rows(source.n_rows, min(source.n_rows, generating.MOST_CODES), seed)
        n_block = max(1, CODED_VALUES // source.n_features)
        blocks = [chosen[first : first + n_block] for first in range(0, len(chosen), n_block)]
        codes = np.concatenate([self._inference.encode(source.take(rows)) for rows in blocks])
        kept = codes
        if further and self._codes is not None:
            kept = np.concatenate([self._codes, codes])[-generating.MOST_CODES :]
        self._codes, self._prior_seed = kept, seed
        if not (further and self.priors_ and len(kept) <= self.n_components_):
            self.priors_ = {"normal": Normal.fit(torch.from_numpy(kept).double(), seed)}
        return codes

    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and variance of the training columns, (D,) each, in data units."""
        mean, variances = self.pca_.mean_, self.pca_.variances_
        divisor = self.network_.scaling.divisor.numpy()
        if divisor.size == 1:
            return mean, variances
        # The PCA of scaling="standard" is that of the scaled columns.
        return mean * divisor + self.network_.scaling.shift.numpy(), variances * divisor**2

    def _spread(self, rows: NDArray[np.generic]) -> float:
        """Return the mean squared deviation of rows (N, D) from the training mean, per value."""
        mean, _ = self._moments()
        blocks = ArraySource(rows).blocks()
        return sum(float(np.square(block - mean).sum()) for block in blocks) / rows.size

    def _set_network(self, net: Autoencoding) -> None:
        self.network_ = net.eval()
        self._inference = Inference(net, self._objective, self.bounds_, self.n_components_)


def load(
    path: str | os.PathLike[str], *, network: Any = None, objective: Any = None
) -> Autoencoder:
    """Read a model that `Autoencoder.save` or ``narrows fit`` wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` file; nothing in it is run, and no class is looked up by a name in it.
    network : (nn.Module, nn.Module) or Network, optional
        A user's own, where the model was trained with one: made as it was for `fit`, whatever its
        weights.
    objective : Objective, optional
        A user's own family, likewise.

    Returns
    -------
    Autoencoder
        Fitted.

    Raises
    ------
    OSError
        Where the file cannot be opened.
    ModelFileError
        Where it is not a model, is damaged, or was written by a newer narrows.
    ParameterError
        Where the user's own network or family is missing, needless, or another one.
    """
    ae = Autoencoder()
    persistence.restore(ae, path, {"network": network, "objective": objective})
    return ae
