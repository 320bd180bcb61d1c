"""Records an experiment's evaluation for MLflow: `python -m autoencoders.experiments.evaluation`.

Elsewhere `register` logs it, which no experiment runs. It is written as the trainings are, so that
no experiment waits for the store.
"""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting

if __name__ == "__main__":
    with reporting():
        with importing():
            from autoencoders.core.paths import DATA
            from autoencoders.data.prepared.prepared import load_prepared
            from autoencoders.tracking.evaluation import record_evaluation

        record_evaluation(load_prepared(DATA).description)
