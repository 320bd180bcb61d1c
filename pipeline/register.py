"""Registers every trained model and lets the best one on validation challenge the champion."""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("register"):
        with importing():
            from autoencoders.core.files import write_json
            from autoencoders.core.paths import DATA, LEADERBOARD, MODELS, REGISTERED
            from autoencoders.data.prepared.prepared import load_prepared
            from autoencoders.evaluation.row import read_rows
            from autoencoders.params.params import load_params
            from autoencoders.registry.promotion import register
            from autoencoders.registry.versions import model_sha256
            from autoencoders.tracking import store
            from autoencoders.tracking.address import destination
            from autoencoders.tracking.runs import Runs

        params = load_params()
        data = load_prepared(DATA)
        rows = read_rows(LEADERBOARD)
        with store.reporting():
            runs = Runs(data.description)
            runs.log_evaluation()
            for model_type in params.model_types:
                runs.studied(model_type)  # where DVC restored the stages before this one
            print(*register(runs, rows, data, params), sep="\n")
        models = {
            model_type: model_sha256(MODELS / model_type) for model_type in params.model_types
        }
        write_json(REGISTERED, {"store": destination(), "models": models})
