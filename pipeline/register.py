"""Registers every trained model and lets the best one on validation challenge the champion."""

from autoencoders.reporting import reporting

if __name__ == "__main__":
    with reporting():
        from autoencoders.data.prepared import load_prepared
        from autoencoders.files import read_json, write_json
        from autoencoders.params import load_params
        from autoencoders.stage import DATA, METRICS, MODELS, REGISTERED
        from autoencoders.tracking import store
        from autoencoders.tracking.address import destination
        from autoencoders.tracking.registry import model_sha256, register
        from autoencoders.tracking.runs import Runs

        params, data, rows = load_params(), load_prepared(DATA), read_json(METRICS / "leaderboard.json")
        with store.reporting():
            runs = Runs(data.description)
            runs.log_evaluation()  # where DVC restored the stages before this one
            for kind in params.kinds:
                runs.studied(kind)
            print(*register(runs, rows, data, params), sep="\n")
        models = {kind: model_sha256(MODELS / kind) for kind in params.kinds}
        write_json(REGISTERED, {"store": destination(), "models": models})
