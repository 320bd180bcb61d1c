"""How well corrupted test rows are cleaned: by the denoising model and by filters that need no network."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from scipy.ndimage import median_filter

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.baselines import Projection
from autoencoders.evaluation.metrics import Values, psnr
from autoencoders.models.trained.model import BATCH_ROWS, TrainedModel

Filter = Callable[
    [np.ndarray], np.ndarray
]  # corrupted rows in, clean ones out: (rows, features), model scale
RIDGE = 1e-6  # added to the variances, of data in [0, 1]: a feature that never changes has none


def wiener(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Filter:
    """The affine estimator of least mean squared error, E[x] + Cov(x, y) Cov(y)^-1 (y - E[y]). Kay 1993, section 12.3.

    pairs: clean rows x and corrupted ones y, (rows, features) each; they are seen once.
    """
    n, total, products = 0, np.zeros(()), np.zeros(())
    for x, y in pairs:
        both = np.hstack([x, y], dtype=np.float64)
        n, total, products = (
            n + len(x),
            total + both.sum(0),
            products + both[:, x.shape[1] :].T @ both,
        )
    mean, size = total / n, total.size // 2
    clean, noisy = mean[:size], mean[size:]
    covariance = products / n - np.outer(noisy, mean)  # (features, 2 features): of y with x, of y
    weights = np.linalg.solve(covariance[:, size:] + RIDGE * np.eye(size), covariance[:, :size])
    return lambda y: clean + (y - noisy) @ weights


def median(shape: tuple[int, ...]) -> Filter:
    """The median of each pixel's 3 x 3 neighbours, edges mirrored. shape: rows, columns and channels, if several."""
    window = (1, 3, 3, 1)[: len(shape) + 1]
    return lambda y: median_filter(y.reshape(-1, *shape), window).reshape(y.shape)


@torch.no_grad()
def cleaned(model: TrainedModel, data: Prepared, pca: Projection, seed: int) -> dict[str, Values]:
    """By filter, PSNR in dB of corrupted test rows, and of the same rows when it has cleaned them, clipped to [0, 1].

    The filters: the model, under its type; Wiener's, fitted on corrupted training rows; the median, of images; PCA.
    Nothing where the model's type does not corrupt, or the data does not lie in [0, 1].
    """
    autoencoder, facts = model.autoencoder, data.description
    if not (autoencoder.corrupts and facts.unit_interval):
        return {}
    generator, raw = torch.Generator().manual_seed(seed), data.sample("test")

    def pairs(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for x in map(data.scaled, blocks):
            yield x, autoencoder.corrupt(torch.from_numpy(x), generator).numpy()

    test = list(
        pairs(raw[i : i + BATCH_ROWS] for i in range(0, len(raw), BATCH_ROWS))
    )  # before any training row
    filters: dict[str, Filter] = {
        model.description.model_type: lambda y: autoencoder(torch.from_numpy(y)).numpy()
    }
    filters["wiener"] = wiener(pairs(data.rows["train"]))
    filters |= {"median": median(facts.schema.shape)} if facts.schema.shape else {}
    filters["pca denoised"] = pca.reconstruct
    noisy = np.concatenate([psnr(x, y) for x, y in test])
    return {
        name: {
            "noisy_psnr": noisy,
            "denoised_psnr": np.concatenate([psnr(x, np.clip(clean(y), 0, 1)) for x, y in test]),
        }
        for name, clean in filters.items()
    }
