"""`Autoencoder`, a scikit-learn transformer, and `load`.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from narrows.errors import DataTypeError, ParameterError
from narrows.linear.pca import PrincipalComponents
from narrows.model import sampling, serialise
from narrows.model.inference import Floats, Inference
from narrows.model.parts import named_part
from narrows.model.trust import TrustScale
from narrows.networks import Autoencoding, Network
from narrows.networks.prefixes import prefix_reader
from narrows.objectives import Objective
from narrows.objectives.ordered import Ordered, SizeCurve
from narrows.objectives.priors import Prior
from narrows.training import checking, fit, parameters, remembering
from narrows.training.align import Movement
from narrows.training.loop import HistoryRow, TrainingState
from narrows.training.run import Callback


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
        Called with a `narrows.training.run.Progress` after each step of `fit`; returning True
        ends the run.
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
    movement_ : Movement
        After ``fit(X, align_to=…)``: how far codes of these rows moved from the earlier model's.
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

    def fit(self, X: Any, y: Any = None, *, align_to: Any = None) -> Self:
        """Learn to rebuild rows.

        Parameters
        ----------
        X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
            At least two rows of finite real numbers.
        y : array-like (N,), optional
            Classes, for ``objective=VAE(conditional=True)`` and its like; others ignore them.
        align_to : Autoencoder or path-like, optional
            An earlier model of the same kind, or its file: training starts from it in place of
            PCA, at a sixteenth of the usual learning rate, so that codes stay about where they
            were; ``movement_`` then says how far they moved. Its network is taken for
            ``network="auto"``. Nothing is held out, for the earlier model may have seen any row:
            the last state is kept, and errors on held-out rows are NaN.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            For parameters outside their limits, or that do not fit the data or ``align_to``.
        DataError, DataTypeError, ValueError, TypeError
            For data that cannot be used.
        KeyboardInterrupt
            Raised again, once the best state so far is in place.
        """
        fit.fit(self, X, y, None if align_to is None else _fitted(align_to))
        return self

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
        fit.partial_fit(self, X, y)
        return self

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
        codes = checking.codes_of(self, Z)
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
        codes = checking.codes_of(self, Z)
        slopes = self._inference.loadings(codes)
        shape = self.sample_shape_ if self._came_shaped else (self.n_features_in_,)
        whole: Floats = slopes.reshape(len(codes), *shape, codes.shape[1])
        return whole

    def trust(self, Z: Any, X: Any = None) -> NDArray[np.float64]:
        """Return how far to trust codes: the part of held-out rows that are at least as strange.

        A code is strange where codes of training rows are thin, and where it drifts when decoded
        and encoded again; a row, where it comes back badly, too. Codes of new rows like those of
        training are spread evenly over 0 to 1; off the data trust falls to 0.

        Parameters
        ----------
        Z : array-like (N, K)
            Codes of rows, or any others: spots of a map, codes to be decoded.
        X : as in `fit`, N rows, optional
            The rows that ``Z`` are the codes of, so that their errors count.

        Returns
        -------
        ndarray (N,), float64
            From 0 to 1. Below 10,000 rows, where the model that is returned has learned from all
            rows, they are held against these, with errors scaled to that of held-out rows.

        Raises
        ------
        DataError
            If codes do not have K columns, or rows are not as many; for a model that `partial_fit`
            has made, or a file of an earlier narrows, which have not measured held-out rows.
        """
        check_is_fitted(self)
        return checking.trust_of(self, Z, X)

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
        row, no callback; of codes, what priors and trust are made of: means and spreads.

        Raises
        ------
        OSError
            Where the file cannot be written; an older file then stands as it was.
        """
        check_is_fitted(self)
        serialise.save(self, path)

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
        return sampling.sample(self, n, prior, temperature, y, random_state)

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
        sampling.fit_prior(self, prior, X)
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
        return sampling.interpolate(self, a, b, steps, how)

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
        return sampling.traverse(self, x, dimension, steps, span)

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
        parameters.set_fields(self, params)
        return self

    _training: TrainingState | None = None
    _classes: NDArray[Any] | None = None
    _codes: Floats | None = None
    _trust: TrustScale | None = None
    _prior_seed: int = 0
    _came_shaped: bool = False
    _network_part: Network
    _objective: Objective
    _inference: Inference
    n_components_: int
    sample_shape_: tuple[int, ...]
    bounds_: tuple[float, float] | None
    network_: Autoencoding
    pca_: PrincipalComponents
    n_steps_: int
    best_step_: int
    size_curve_: SizeCurve
    movement_: Movement
    history_: list[HistoryRow]
    priors_: dict[str, Prior]
    validation_error_: float
    pca_validation_error_: float
    explained_variance_ratio_: np.floating[Any]
    device_: str
    precision_: str
    n_threads_: int

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
            remembering.keep_network(self, self.network_)

    def _check_params(self) -> None:
        parameters.check_params(self)

    def _read(self, X: Any, *, reset: bool, least: int = 1) -> NDArray[np.generic]:
        return checking.rows_of(self, X, reset=reset, least=least)

    def _spread(self, rows: NDArray[np.generic]) -> float:
        return remembering.spread(self, rows)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_inference")


def _fitted(align_to: Any) -> Autoencoder:
    """Return an earlier model, given as such or by its file.

    Raises
    ------
    DataTypeError
        If it is neither.
    ParameterError
        If it is not fitted.
    OSError, ModelFileError
        As `load`.
    """
    if isinstance(align_to, (str, os.PathLike)):
        return load(align_to)
    if not isinstance(align_to, Autoencoder):
        raise DataTypeError(
            "align_to takes a fitted Autoencoder or the path of a model file, and was given"
            f" {type(align_to).__name__}."
        )
    if not align_to.__sklearn_is_fitted__():
        raise ParameterError("align_to was given an Autoencoder that is not fitted; fit it first.")
    return align_to


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
    serialise.restore(ae, path, {"network": network, "objective": objective})
    return ae
