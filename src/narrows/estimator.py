"""`Autoencoder`, the scikit-learn face of a model, and `load`. N rows, D features, K code size."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import nn

from narrows.common.learned import Learned, all_or_nothing
from narrows.common.seeds import seed_of
from narrows.common.warn import warn
from narrows.errors import ParameterError
from narrows.model import sampling, serialise
from narrows.model.inference import Floats
from narrows.model.model import Model, model_of
from narrows.model.modules import DecoderModule, EncoderModule
from narrows.model.parts import named_part
from narrows.sources import inputs
from narrows.training import fit as training
from narrows.training.data import read_data
from narrows.training.deadline import Deadline
from narrows.training.loop import TrainingState
from narrows.training.parameters import changed_parts, check_params, described, restored
from narrows.training.progress import Callback
from narrows.training.telling import told

if TYPE_CHECKING:
    from narrows.model.export import Exported


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
        Numbers in a code, K. A fraction in (0, 1), as in ``PCA(0.95)``, asks for the smallest code
        that explains so much of the variance of held-out rows; one ordered training finds it.
    network : "auto", "mlp", "conv", MLP, Conv or (nn.Module, nn.Module), default="auto"
        Architecture; ``"auto"`` is mostly ``"mlp"``. A pair of modules of your own is copied: the
        encoder maps flat rows (B, D) to (B, K), the decoder (B, K) to (B, D).
    objective : str or Objective, default="reconstruction"
        The family of autoencoder: "reconstruction", "denoising", "sparse", "contractive", "vae",
        "iwae", "wae", "adversarial", "vq", "fsq", "neighbors", such an object, or one of your own.
    init : {"pca", "random"}, default="pca"
        ``"pca"`` adds a linear path set to PCA; the rest of the network starts at zero beside it.
    ordered : bool, default=False
        Train every prefix of the code, so that ``inverse_transform(Z[:, :k])`` is good for each k
        (``size_curve_``). A code that ends in zeros counts as cut before them.
    sample_shape : sequence of int, default=None
        Shape of one flat row, such as (28, 28); learned from input of more than two axes.
    scaling : "auto", "standard", None or (float, float), default="auto"
        ``"auto"`` centres columns and divides all by one number; ``"standard"`` divides each by
        its standard deviation; a pair maps the smallest and the largest value of the data to it.
    bounds : "auto", None or (float, float), default="auto"
        Range that reconstructions are clipped to, in data units. ``"auto"``: (0, 255) for uint8,
        (0, 1) for floats in [0, 1], at least 0.1 % of them 0 and as many 1; none otherwise.
    max_epochs, max_steps, max_seconds : "auto" or int, int or None, float or None
        Passes over the rows, optimizer steps of a run, and seconds of the whole `fit`, at the most.
        Where seconds end a run, ``max_steps=n_steps_`` repeats it bit for bit.
    validation_fraction, keep : "auto" or float in [0, 1), {"best", "last"}, default="auto", "best"
        Part of the rows that is held out, and which state to return: the best on them, or the last.
        ``"auto"`` is 0.1, at most 2,500 rows; below 1,000 rows, five folds to keep the best.
    patience, batch_size, learning_rate : "auto" or number, default="auto"
        Measurements of the held-out error without a gain that end a run, from step 75 on; rows per
        optimizer step; the rate at its highest.
    optimizer, schedule : "adamw", "adam", AdamW or Adam; str, default="adamw", "auto"
        The schedule ``"averaged"`` keeps the learning rate and returns a running average of the
        weights; ``"trapezoidal"`` lets it fall to zero over the last fifth of the steps, and
        averages until then; so does ``"inverse_sqrt"``, which also falls slowly all along;
        ``"cosine"`` and ``"linear"`` fall from the start, so they need a number of steps;
        ``"constant"`` does neither. ``"auto"`` averages below 10,000 rows; from there it is
        trapezoidal, for maps and codes of 1 to 3 numbers inverse_sqrt.
    device, precision, n_threads : str, str, "auto" or int, default="auto"
        ``"auto"`` takes CUDA where there is one; "bfloat16" in place of "float32" for products of
        large networks where the processor has it (never for codes); as many threads as are faster
        at the moment, one for small steps.
    callbacks : sequence of callable, default=()
        Given a `narrows.training.progress.Progress` after each step; True ends the run.
    random_state, verbose : int, RandomState or None; int, default=None, 0
        The seed of weights, batches and held-out rows; 1 shows one line that moves (a few lines
        where there is no terminal and no notebook), 2 prints a line per epoch.

    Attributes
    ----------
    model_ : narrows.model.model.Model, which the others are parts of
    n_components_, n_features_in_, sample_shape_, feature_names_in_
        K, D, the shape of one row, and names of columns where the data had them.
    network_, bounds_, pca_
        One torch module; (float, float) or None; the PCA that training started from, of scaled
        columns under ``scaling="standard"``.
    n_steps_, best_step_, stopped_because_ : int, int, str
        Steps that a run was planned for, the step of the state returned (0 is the start), and why
        training ended: one of `narrows.model.fitted.ENDINGS`.
    validation_error_, pca_validation_error_, explained_variance_ratio_ : float
        Mean squared error per value on held-out rows, ours (judged on other rows than those that
        chose the state) and PCA's: squared data units, or with ``scaling="standard"`` in
        units of each column's variance. And 1 − ours over the mean variance of training columns.
    history_, size_curve_, movement_, priors_
        A dict per epoch of the first run; of ordered codes, the held-out error of every prefix;
        after ``align_to``, how far codes moved; what was fitted to codes, for `sample`, by name.
    device_, precision_, n_threads_ : what was resolved

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

    n_components_ = Learned(lambda model: int(model.n_components))
    sample_shape_ = Learned(lambda model: tuple(model.sample_shape))
    bounds_ = Learned(lambda model: model.bounds)
    network_ = Learned(lambda model: model.net)
    pca_ = Learned(lambda model: model.pca)
    n_steps_ = Learned(lambda model: int(model.record.n_steps))
    best_step_ = Learned(lambda model: int(model.record.best_step))
    stopped_because_ = Learned(lambda model: str(model.record.ended))
    size_curve_ = Learned(lambda model: model.size_curve, optional=True)
    movement_ = Learned(lambda model: model.movement, optional=True)
    history_ = Learned(lambda model: list(model.record.history))
    priors_ = Learned(lambda model: dict(model.priors))
    validation_error_ = Learned(lambda model: float(model.record.validation_error))
    pca_validation_error_ = Learned(lambda model: float(model.record.pca_validation_error))
    explained_variance_ratio_ = Learned(lambda m: np.float64(m.record.explained_variance_ratio))
    device_ = Learned(lambda model: str(model.record.device))
    precision_ = Learned(lambda model: str(model.record.precision))
    n_threads_ = Learned(lambda model: int(model.record.n_threads))
    model_: Model
    n_features_in_: int
    _training: TrainingState | None = None

    def fit(self, X: Any, y: Any = None, *, align_to: Any = None) -> Self:
        """Learn to rebuild rows.

        Parameters
        ----------
        X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
            At least two rows of finite real numbers.
        y : array-like (N,), optional
            Classes, for ``objective=VAE(conditional=True)`` and its like; others ignore them.
        align_to : Autoencoder or path-like, optional
            An earlier model of the same kind, or its file. Training starts from it, at a sixteenth
            of the usual learning rate, so that codes stay about where they were. Nothing is held
            out, for it may have seen any row; the last state is kept.

        Raises
        ------
        ParameterError, DataError, DataTypeError, ValueError, TypeError
        KeyboardInterrupt
            Raised again, once the best state so far is in place.
        """
        params = check_params(self.get_params(deep=False))
        deadline, origin = Deadline.after(params["max_seconds"]), _origin(align_to)
        with all_or_nothing(self, forget="_training"):
            data = read_data(self, X, y, least=2)
            with told(params["verbose"]) as watching:
                params["callbacks"] = [*params["callbacks"], *watching]
                found = training.fit(data, params, deadline, origin)
            self.model_, self._training = found.model, None
        for complaint in found.complaints:
            warn(complaint)
        if found.interrupted is not None:
            raise found.interrupted
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Pass once over rows (as in `fit`) in the order given, at a constant learning rate.

        Nothing is held out, so errors on held-out rows become NaN. The first call sets scaling and
        PCA for good: its rows must vary in K directions, and ``y`` must hold every class. After
        `fit` or `load` training goes on from the model as it is, with the optimizer's running means
        empty. Priors are fitted anew, to at most 30,000 of the latest codes, each as the model gave
        it when its row was passed. Raises what `fit` raises.
        """
        params = check_params(self.get_params(deep=False))
        with all_or_nothing(self, forget="_training"):
            model = vars(self).get("model_")
            data = read_data(self, X, y, least=2 if model is None else 1, model=model)
            self.model_, self._training = training.partial_fit(data, params, model, self._training)
        return self

    def transform(self, X: Any) -> Floats:
        """Return the codes (N, K) of rows (as in `fit`, one or more).

        float32 for float32 input, float64 for all else; the same bits for a row alone, in any
        batch and in any order.
        """
        return self._model().encode(self._rows(X))

    def inverse_transform(self, Z: Any) -> Floats:
        """Return the rows that codes (N, K) decode to, in data units, within ``bounds_``.

        (N, D), or pictures as `fit` was given them; dtype as in `transform`. Of ordered codes the
        first columns alone will do. Raises a DataError for another number of columns.
        """
        return self._shaped(self._model().decode(self._codes(Z)))

    def loadings(self, Z: Any) -> Floats:
        """Return what changes in a row as its code moves: the local loadings of each number.

        (N, D, K), or (N, H, W, K) or (N, H, W, C, K) if `fit` was given pictures: derivatives of
        what `inverse_transform` gives, in data units per unit of the code; zero where ``bounds_``
        cut a value off. Of PCA they are the same everywhere, its components. Codes are taken, and
        errors raised, as by `inverse_transform`.
        """
        codes = self._codes(Z)
        slopes = self._model().loadings(codes)
        return self._shaped(slopes, codes.shape[1])

    def trust(self, Z: Any, X: Any = None) -> NDArray[np.float64]:
        """Return how far to trust codes (N, K): the part of held-out rows as strange or stranger.

        It is much like a p-value. A code is strange where few codes of training rows lie, and where
        it moves when decoded and encoded again; with its row in ``X`` (as in `fit`, N rows), also
        where that comes back badly. New rows like those of training have trusts spread evenly over
        0 to 1; far off the data trust falls to 0. A model that has learned from all rows (below
        10,000, but no map) judges each by a summary of others, with errors scaled to those of
        held-out rows.
        Raises a DataError if codes do not have K columns, or rows are not as many; and for a model
        of `partial_fit`, or a file of an early version, which have not measured held-out rows.
        """
        return self._model().trust(self._codes(Z), None if X is None else self._rows(X))

    def reconstruct(self, X: Any) -> Floats:
        """Return the rows that come back through the code, in the shape of ``X``."""
        X_hat, shape = self._model().inference.reconstruct(self._rows(X)), inputs.as_rows(X)[1]
        return X_hat if shape is None else X_hat.reshape(-1, *shape)

    def reconstruction_error(self, X: Any) -> NDArray[np.float64]:
        """Return the mean squared error per value of each row (N,), in squared data units."""
        return self._model().inference.squared_errors(self._rows(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return 1 − Σ‖x − x̂‖² / Σ‖x − mean‖² in data units, with the mean of the training rows.

        1 is perfect; 0 is no better than always giving the mean.
        """
        del y
        rows, model = self._rows(X), self._model()
        errors, variance = model.inference.squared_errors(rows), model.variance(rows)
        return float(1.0 - errors.mean() / variance) if variance > 0 else 0.0

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one ``.safetensors`` file; an older file is replaced in one step.

        It holds weights, scaling, PCA, history and parameters, and means and spreads of codes; no
        row, no callback. Raises an OSError where it cannot be written; an older file then stands.
        """
        model, params = self._model(), check_params(self.get_params(deep=False))
        model.changed(params=described(params)).save(path)

    def encoder_module(self) -> nn.Module:
        """Return the encoder as an ordinary module of torch, to train on in a loop of your own.

        It maps rows in data units, float32, (B, D) or as `fit` was given them, to codes (B, K), as
        `transform` does but for rounding. A copy: this model stays as it is.
        """
        return EncoderModule(self._model())

    def decoder_module(self) -> nn.Module:
        """Return the decoder likewise: from codes (B, K), float32, to rows in data units."""
        return DecoderModule(self._model())

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        to: str = "onnx",
        X: Any = None,
        y: Any = None,
        row_names: Sequence[str] | None = None,
        quantize: bool = False,
    ) -> Exported:
        """Write encoder, decoder and both as one, for other programs.

        ``to`` is "onnx" (a folder of ``encoder.onnx``, ``decoder.onnx`` and ``reconstruct.onnx``;
        metadata name columns, shapes and units), "torch" (such a folder of ``.pt2`` files of
        `torch.export`, which run without narrows), "keras" (one ``.keras`` file, a model with the
        layers "encoder" and "decoder", for every backend). Batches may have any number of rows, in
        data units and float32; scaling and bounds are inside. These three are compared with the
        model before they stand: on rows ``X`` (as in `fit`), or on rows drawn from the model.
        Others show rows ``X``, with labels ``y`` and ``row_names``: "html" (one page: a map with
        the model in it, which decodes any place), "projector" (a folder for TensorBoard) and
        "parquet" (one table of codes, labels and thumbnails).
        ``quantize=True`` rounds the weights in ONNX to 8 bits and measures what that costs.
        Returns an `Exported` that says what was written.

        Raises an ExportError where the format cannot express the model, a MissingExtra that names
        what to install, a ParameterError, or an OSError; then nothing is written.
        """
        from narrows.model.export import export  # loads what torch's exporter needs

        rows = None if X is None else self._rows(X)
        return export(self._model(), path, to, rows, y, row_names, quantize=quantize)

    def sample(
        self,
        n: int = 1,
        *,
        prior: str = "auto",
        temperature: float = 1.0,
        y: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Floats:
        """Draw codes from a prior and decode them: ``n`` rows in data units.

        ``prior`` is "auto", "normal", "mixture" or "flow". "auto" is what the family was trained to
        follow (N(0, 1) for a VAE, or the flow trained with it), else "normal"; so is a name that
        the family trained with. Others are fitted to codes of training rows when first asked for.
        ``temperature`` is a factor on the deviations: below 1 samples are more typical and more
        alike. ``y``, a label or (n,), are the classes to draw, for a model trained with classes.

        Rows are shaped as by `inverse_transform`, within ``bounds_``, without pixel noise. Raises a
        ParameterError or DataError for a value outside its limits, a class that `fit` did not see,
        or a prior that needs codes where the model was read from a file: see `fit_prior`.
        """
        model = self._model()
        sampling.check_options("sample", n=n, temperature=temperature)
        name = model.fitted_prior_for(prior, classes=y is not None)
        if name is not None and name not in model.priors:
            self.model_ = model = model.with_prior(name)
        options: dict[str, Any] = {"prior": prior, "temperature": temperature, "y": y}
        return self._shaped(model.sample(n, **options, seed=seed_of(random_state)))

    def fit_prior(self, prior: str = "mixture", X: Any = None) -> Self:
        """Fit a prior for `sample` to the codes of rows; it is saved with the model.

        ``prior`` is "normal", "mixture" or "flow"; a prior of that name which the family trained
        with goes before it. ``X`` are rows as in `fit`; by default, codes of at most 30,000 rows of
        `fit` are taken, which a file does not hold. Raises ParameterError and DataError.
        """
        codes = None if X is None else self.transform(X)
        self.model_ = self._model().with_prior(prior, codes)
        return self

    def interpolate(self, a: Any, b: Any, steps: int = 8, *, how: str = "linear") -> Floats:
        """Decode the way from the code of one row to that of another: ``steps`` rows.

        ``a`` and ``b`` are a row each, (D,), (1, D) or of the shape of a sample. ``how`` is
        "linear", or "spherical" for around the mean of the codes at the distance of the two ends.
        Rows are shaped as by `inverse_transform`. Raises ParameterError and DataError.
        """
        return self._shaped(self._model().interpolate(self._code(a), self._code(b), steps, how))

    def traverse(self, x: Any, dimension: int, steps: int = 9, *, span: float = 3.0) -> Floats:
        """Decode a row's code with one of its numbers moved: ``steps`` rows.

        ``x`` is one row as in `interpolate`; ``dimension`` the number, from 0; ``span`` how far it
        moves to either side, in deviations over training rows. Raises ParameterError and DataError.
        """
        return self._shaped(self._model().traverse(self._code(x), dimension, steps, span))

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``network__hidden`` and the like replace a part by a changed copy.

        Where a part is given by name, the name is first replaced by that part. Raises a
        ParameterError for a field that the part does not have.
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        for kind, part in changed_parts(self.get_params(deep=False), params).items():
            setattr(self, kind, part)
        return self

    # ------------------------------------------------------------------ what methods share

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _model(self) -> Model:
        return model_of("This method", self)

    def _rows(self, X: Any) -> NDArray[np.generic]:
        model = self._model()
        rows, shape = inputs.rows_of(self, X, reset=False)
        if model.came_shaped:
            inputs.check_same_shape(shape, model.sample_shape)
        return rows

    def _codes(self, Z: Any) -> Floats:
        model, codes = self._model(), inputs.codes_of(Z)
        model.check_codes(codes)
        return codes

    def _code(self, row: Any) -> Floats:
        """Return the code (K,) of one row, given alone or as an array of one."""
        code: Floats = self.transform(inputs.one_row(row, self._model().sample_shape))[0]
        return code

    def _shaped(self, rows: Floats, *further: int) -> Floats:
        model = self._model()
        shape = (len(rows), *model.sample_shape, *further)
        return rows.reshape(shape) if model.came_shaped else rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        with contextlib.suppress(ParameterError):
            tags.target_tags.required = named_part("objective", self.objective).needs.classes
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_training"}


def _origin(align_to: Any) -> Model | None:
    """Return the earlier model that a fit starts from, given as such or by its file."""
    if align_to is None or isinstance(align_to, (str, os.PathLike)):
        return None if align_to is None else load(align_to).model_
    if hasattr(align_to, "get_params") and not hasattr(align_to, "model_"):
        raise ParameterError("align_to was given an Autoencoder that is not fitted; fit it first.")
    return model_of("align_to", align_to)


def register_skl2onnx() -> None:
    """Let skl2onnx convert pipelines that hold an `Autoencoder`, by its encoder.

    Call it once before ``skl2onnx.to_onnx(pipeline, X)``. Raises a MissingExtra that names what to
    install.
    """
    from narrows.model.export import pipelines

    pipelines.register(Autoencoder)


def load(
    path: str | os.PathLike[str], *, network: Any = None, objective: Any = None
) -> Autoencoder:
    """Read a model that `Autoencoder.save` or ``narrows fit`` wrote, a ``.safetensors`` file.

    Nothing in the file is run, and no class is looked up by a name in it. ``network`` (a pair of
    modules, or a Network) and ``objective`` are a user's own, where the model was trained with
    such: made as for `fit`. Raises an OSError where the file cannot be opened, a ModelFileError
    where it is not a model, is damaged, or was written by a newer narrows, and a ParameterError
    where the user's own network or family is missing, needless, or another one.
    """
    own_parts = {"network": network, "objective": objective}
    model = Model.load(path, own_parts)
    usual = described(Autoencoder().get_params(deep=False))
    with serialise.consistent(path, own_parts):
        ae = Autoencoder(**restored({**usual, **model.params}, own_parts))
    ae.model_, ae.n_features_in_ = model, model.n_features
    if model.feature_names is not None:
        ae.feature_names_in_ = np.array(model.feature_names, dtype=object)
    return ae
