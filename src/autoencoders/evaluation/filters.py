"""Filters of corrupted test rows: the denoising model, and those without a network."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
import torch
from scipy.ndimage import median_filter
from sklearn.kernel_ridge import KernelRidge

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.metrics import Values, psnr
from autoencoders.models.pca import Projection, leading
from autoencoders.models.trained.model import TrainedModel, batches

# corrupted rows in, clean ones out: (rows, features), model scale
Filter = Callable[[np.ndarray], np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]  # clean rows, and the same rows corrupted
RIDGE = 1e-6  # added to the variances, of data in [0, 1]: a feature that never changes has none


def wiener(pairs: Iterable[Pair]) -> Filter:
    """The affine estimator of least mean squared error, E[x] + Cov(x, y) Cov(y)^-1 (y - E[y]).

    pairs: clean rows x and corrupted ones y, (rows, features) each; they are read once.
    Kay 1993, section 12.3.
    """
    blocks = (np.hstack([x, y], dtype=np.float64) for x, y in pairs)
    first = next(blocks)
    n_features = first.shape[1] // 2
    held = leading(chain([first], blocks), n_features)
    if sum(map(len, held)) < n_features:
        return _wiener_by_gram(np.concatenate(held))
    return _wiener_by_covariance(chain(held, blocks))


def _wiener_by_covariance(blocks: Iterator[np.ndarray]) -> Filter:
    """Wiener's filter by Cov(y), (features, features). blocks: x beside y, (rows, 2 * features)."""
    n = 0
    total = np.zeros(())
    products = np.zeros(())
    for both in blocks:
        corrupted = both[:, both.shape[1] // 2 :]
        n += len(both)
        total = total + both.sum(0)
        products = products + corrupted.T @ both
    mean = total / n
    size = total.size // 2  # features
    clean_mean = mean[:size]
    corrupted_mean = mean[size:]
    covariances = products / n - np.outer(corrupted_mean, mean)
    with_clean = covariances[:, :size]  # Cov(y, x)
    variance = covariances[:, size:]  # Cov(y)
    weights = np.linalg.solve(variance + RIDGE * np.eye(size), with_clean)
    return lambda y: clean_mean + (y - corrupted_mean) @ weights


def _wiener_by_gram(both: np.ndarray) -> Filter:
    """Wiener's filter of fewer rows than features, by their Gram matrix Y Y', (rows, rows).

    Y' (Y Y' + r I)^-1 X = (Y' Y + r I)^-1 Y' X: Saunders et al. 1998, "Ridge regression learning
    algorithm in dual variables". both: x beside y, (rows, 2 * features).
    """
    clean, corrupted = np.hsplit(both, 2)
    clean_mean = clean.mean(0)
    corrupted_mean = corrupted.mean(0)
    ridge = KernelRidge(alpha=RIDGE * len(both))
    ridge.fit(corrupted - corrupted_mean, clean - clean_mean)
    return lambda y: clean_mean + ridge.predict(y - corrupted_mean)


def median(shape: tuple[int, ...]) -> Filter:
    """The median of each pixel's 3 x 3 neighbours, edges mirrored.

    shape: rows and columns of an image, and its channels, if several.
    """
    window = (1, 3, 3, 1)[: len(shape) + 1]
    return lambda y: median_filter(y.reshape(-1, *shape), window).reshape(y.shape)


@torch.no_grad()
def cleaned(model: TrainedModel, data: Prepared, pca: Projection, seed: int) -> dict[str, Values]:
    """PSNR in dB of corrupted test rows, and of the same rows when cleaned and clipped to [0, 1].

    By filter: the model, under its type; Wiener's, fitted on corrupted training rows; the median,
    of images; PCA. Empty where the model's type does not corrupt, or the data leaves [0, 1].
    """
    autoencoder = model.autoencoder
    description = data.description
    if not (autoencoder.corrupts and description.unit_interval):
        return {}
    generator = torch.Generator().manual_seed(seed)

    def pairs(blocks: Iterable[np.ndarray]) -> Iterator[Pair]:
        for raw in blocks:
            x = data.scaled(raw)
            yield x, autoencoder.corrupt(torch.from_numpy(x), generator).numpy()

    # the test rows are corrupted first, with the same noise whatever the training rows are
    test = list(pairs(batches(data.sample("test"))))
    filters: dict[str, Filter] = {
        model.description.model_type: lambda y: autoencoder(torch.from_numpy(y)).numpy(),
        "wiener": wiener(pairs(data.rows["train"])),
    }
    if description.schema.shape:
        filters["median"] = median(description.schema.shape)
    filters["pca denoised"] = pca.reconstruct
    noisy = np.concatenate([psnr(x, y) for x, y in test])
    values: dict[str, Values] = {}
    for name, clean in filters.items():
        denoised = [psnr(x, np.clip(clean(y), 0, 1)) for x, y in test]
        values[name] = {"noisy_psnr": noisy, "denoised_psnr": np.concatenate(denoised)}
    return values
