"""Other libraries' trainings of the same network, in an environment of their own.

`python fit_peers.py LIBRARY JSON`, where JSON holds `Settings`. For each line of its input it
trains once and prints JSON: seconds, cpu_seconds and error, the squared error on the test rows.
"""

import contextlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from timing import Timer

Rows = dict[str, np.ndarray]  # by split
Rebuild = Callable[[np.ndarray], np.ndarray]
Training = Callable[[], Rebuild]
WITHOUT_SILU = {"silu": "relu"}  # PyOD and scikit-learn take ReLU, which costs less


class Settings(NamedTuple):
    """A network and its training, as a case has them."""

    widths: list[int]
    code: int
    activation: str
    batch: int
    epochs: int
    learning_rate: float
    rows: str  # an .npz with train, validation and test rows


def pythae(settings: Settings, rows: Rows) -> Training:
    """Its AE with networks of our widths, its BaseTrainer."""
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    from loops import layers

    torch.set_num_threads(1)
    features = rows["train"].shape[1]
    to_code = [features, *settings.widths, settings.code]
    from_code = list(reversed(to_code))

    class Encoder(BaseEncoder):  # type: ignore[misc]  # Pythae has no types
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers(to_code, settings.activation)

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):  # type: ignore[misc]  # Pythae has no types
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers(from_code, settings.activation)

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    sets = {
        split: BaseDataset(torch.from_numpy(x), torch.zeros(len(x))) for split, x in rows.items()
    }
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        num_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        optimizer_cls="AdamW",
        optimizer_params={"weight_decay": 0.0},
        no_cuda=True,
    )

    def train() -> Rebuild:
        torch.manual_seed(1)
        shape = AEConfig(input_dim=(features,), latent_dim=settings.code)
        model = AE(shape, Encoder(), Decoder())
        BaseTrainer(model, sets["train"], sets["validation"], config).train()

        def rebuild(x: np.ndarray) -> np.ndarray:
            codes = model.encoder(torch.from_numpy(x)).embedding
            return np.asarray(model.decoder(codes).reconstruction.detach())

        return rebuild

    return train


def keras_jax(settings: Settings, rows: Rows) -> Training:
    """A model that is compiled beforehand: only `fit` is measured."""
    import keras

    features = rows["train"].shape[1]
    hidden = [keras.layers.Dense(n, settings.activation) for n in settings.widths]
    mirrored = [keras.layers.Dense(n, settings.activation) for n in reversed(settings.widths)]
    code, output = keras.layers.Dense(settings.code), keras.layers.Dense(features)
    model = keras.Sequential([keras.Input((features,)), *hidden, code, *mirrored, output])
    model.compile(keras.optimizers.Adam(settings.learning_rate), loss="mse")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    start = [np.array(variable) for variable in variables]

    def train() -> Rebuild:
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        model.fit(
            rows["train"],
            rows["train"],
            epochs=settings.epochs,
            batch_size=settings.batch,
            validation_data=(rows["validation"], rows["validation"]),
            verbose=0,
        )
        return lambda x: np.asarray(model.predict(x, verbose=0))

    return train


def pyod(settings: Settings, rows: Rows) -> Training:
    """Its AutoEncoder, without what the others don't do; its fit scores the training rows too."""
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    torch.set_num_threads(1)

    def train() -> Rebuild:
        detector = AutoEncoder(
            preprocessing=False,
            lr=settings.learning_rate,
            epoch_num=settings.epochs,
            batch_size=settings.batch,
            hidden_neuron_list=[*settings.widths, settings.code],
            hidden_activation_name=WITHOUT_SILU.get(settings.activation, settings.activation),
            batch_norm=False,
            dropout_rate=0.0,
            random_state=1,
            verbose=0,
        ).fit(rows["train"])
        return lambda x: np.asarray(detector.model(torch.from_numpy(x)).detach())

    return train


def sklearn(settings: Settings, rows: Rows) -> Training:
    """scikit-learn's MLPRegressor, rows in and out, over all epochs."""
    from sklearn.neural_network import MLPRegressor

    warnings.filterwarnings("ignore")  # that it could go on

    def train() -> Rebuild:
        regressor = MLPRegressor(
            hidden_layer_sizes=(*settings.widths, settings.code, *reversed(settings.widths)),
            activation=WITHOUT_SILU.get(settings.activation, settings.activation),
            learning_rate_init=settings.learning_rate,
            batch_size=settings.batch,
            max_iter=settings.epochs,
            n_iter_no_change=settings.epochs,
            alpha=0.0,
            random_state=1,
        )
        return regressor.fit(rows["train"], rows["train"]).predict

    return train


LIBRARIES: dict[str, Callable[[Settings, Rows], Training]] = {
    library.__name__: library for library in (pythae, keras_jax, pyod, sklearn)
}


def main() -> None:
    """Trains once for each line of the input, and writes times and error."""
    library = sys.argv[1]
    settings = Settings(**json.loads(sys.argv[2]))
    with np.load(settings.rows) as arrays:
        rows = {split: arrays[split] for split in arrays.files}
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    train = LIBRARIES[library](settings, rows)
    with contextlib.suppress(KeyboardInterrupt):
        for _ in sys.stdin:
            with Timer() as timer:
                rebuild = train()
            difference = rebuild(rows["test"]) - rows["test"]
            answer = {
                "seconds": timer.seconds,
                "cpu_seconds": timer.cpu_seconds,
                "error": float(np.square(difference).sum(1).mean()),
            }
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
