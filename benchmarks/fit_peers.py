"""Other libraries' trainings of the same network, in an environment of their own.

`python fit_peers.py LIBRARY JSON`, where JSON holds the case's widths, code, batch, epochs,
learning_rate, and `rows`, an .npz with train, validation and test rows. For each line of its input
it trains once and prints {"seconds": ..., "error": ...}: squared error on the test rows.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Training = Callable[[], Callable[[np.ndarray], np.ndarray]]  # gives what rebuilds rows


def pythae(case: dict[str, Any], rows: dict[str, np.ndarray]) -> Training:
    """Its AE with networks of our widths, its BaseTrainer."""
    import tempfile

    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    from loops import layers

    torch.set_num_threads(1)
    features = rows["train"].shape[1]

    class Encoder(BaseEncoder):  # type: ignore[misc]  # Pythae has no types
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers([features, *case["widths"], case["code"]])

        def forward(self, x: Any) -> Any:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):  # type: ignore[misc]  # Pythae has no types
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers([case["code"], *reversed(case["widths"]), features])

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    sets = {name: BaseDataset(torch.from_numpy(x), torch.zeros(len(x))) for name, x in rows.items()}

    def train() -> Callable[[np.ndarray], np.ndarray]:
        torch.manual_seed(1)
        model = AE(AEConfig(input_dim=(features,), latent_dim=case["code"]), Encoder(), Decoder())
        config = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(),
            num_epochs=case["epochs"],
            per_device_train_batch_size=case["batch"],
            per_device_eval_batch_size=case["batch"],
            learning_rate=case["learning_rate"],
            optimizer_cls="AdamW",
            optimizer_params={"weight_decay": 0.0},
            no_cuda=True,
        )
        BaseTrainer(model, sets["train"], sets["validation"], config).train()
        return lambda x: (
            model.decoder(model.encoder(torch.from_numpy(x)).embedding)
            .reconstruction.detach()
            .numpy()
        )

    return train


def keras_jax(case: dict[str, Any], rows: dict[str, np.ndarray]) -> Training:
    """A model that is compiled beforehand: only `fit` is measured."""
    import keras

    widths, features = case["widths"], rows["train"].shape[1]
    hidden = [keras.layers.Dense(n, "relu") for n in widths]
    mirrored = [keras.layers.Dense(n, "relu") for n in reversed(widths)]
    model = keras.Sequential(
        [
            keras.Input((features,)),
            *hidden,
            keras.layers.Dense(case["code"]),
            *mirrored,
            keras.layers.Dense(features),
        ]
    )
    model.compile(keras.optimizers.Adam(case["learning_rate"]), loss="mse")
    settings = {
        "batch_size": case["batch"],
        "validation_data": (rows["validation"],) * 2,
        "verbose": 0,
    }
    model.optimizer.build(model.trainable_variables)
    start = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]

    def train() -> Callable[[np.ndarray], np.ndarray]:
        for variable, value in zip(
            (*model.variables, *model.optimizer.variables), start, strict=True
        ):
            variable.assign(value)
        model.fit(rows["train"], rows["train"], epochs=case["epochs"], **settings)
        return lambda x: model.predict(x, verbose=0)

    return train


def pyod(case: dict[str, Any], rows: dict[str, np.ndarray]) -> Training:
    """Its AutoEncoder, without what the others don't do; its fit scores the training rows too."""
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    torch.set_num_threads(1)

    def train() -> Callable[[np.ndarray], np.ndarray]:
        detector = AutoEncoder(
            preprocessing=False,
            lr=case["learning_rate"],
            epoch_num=case["epochs"],
            batch_size=case["batch"],
            hidden_neuron_list=[*case["widths"], case["code"]],
            batch_norm=False,
            dropout_rate=0.0,
            random_state=1,
            verbose=0,
        ).fit(rows["train"])
        return lambda x: detector.model(torch.from_numpy(x)).detach().numpy()

    return train


def sklearn(case: dict[str, Any], rows: dict[str, np.ndarray]) -> Training:
    """scikit-learn's MLPRegressor, rows in and out."""
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.filterwarnings("ignore")

    def train() -> Callable[[np.ndarray], np.ndarray]:
        sizes = (*case["widths"], case["code"], *reversed(case["widths"]))
        settings = {
            "learning_rate_init": case["learning_rate"],
            "batch_size": case["batch"],
            "alpha": 0.0,
        }
        regressor = MLPRegressor(
            hidden_layer_sizes=sizes, max_iter=case["epochs"], random_state=1, **settings
        )
        return regressor.fit(rows["train"], rows["train"]).predict

    return train


def main() -> None:
    """Trains once for each line of the input, and writes seconds and error."""
    library, settings = sys.argv[1], json.loads(sys.argv[2])
    with np.load(settings["rows"]) as arrays:
        rows = {name: arrays[name] for name in arrays.files}
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    train = {"pythae": pythae, "keras_jax": keras_jax, "pyod": pyod, "sklearn": sklearn}[library](
        settings, rows
    )
    with contextlib.suppress(KeyboardInterrupt):
        for _ in sys.stdin:
            began = time.perf_counter()
            rebuild = train()
            seconds = time.perf_counter() - began
            error = float(np.square(rebuild(rows["test"]) - rows["test"]).sum(1).mean())
            answers.write(json.dumps({"seconds": seconds, "error": error}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
