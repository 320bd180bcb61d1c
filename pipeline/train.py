"""Trains one type: `python pipeline/train.py sparse`."""

import sys

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("train", *sys.argv[1:]):
        with importing():
            from autoencoders.core import identity
            from autoencoders.core.paths import DATA, MODELS, RESUME, repository
            from autoencoders.data.prepared.prepared import load_prepared
            from autoencoders.models.trained.saved import save
            from autoencoders.params.params import load_params
            from autoencoders.params.tuned import load_tuned
            from autoencoders.tracking.recorder import training_run
            from autoencoders.training.callbacks import Progress
            from autoencoders.training.fit import fit
            from autoencoders.training.resume import ResumePoint

        model_type = sys.argv[1]
        data = load_prepared(DATA)
        plan = load_tuned(load_params(), model_type).plan(model_type, data.description.facts)
        values = plan.flat()
        fingerprint = identity.fingerprint("train", values, data.description.content_sha256)
        with (
            ResumePoint(repository() / RESUME / fingerprint) as resume,
            training_run(
                data.description, values, fingerprint, resumed=resume.start is not None
            ) as run,
        ):
            log = None if run is None else run.epoch
            fitted = fit(
                plan,
                data,
                log=log,
                fingerprint=fingerprint,
                resume=resume,
                callbacks=[Progress(model_type)],
            )
            save(fitted.model, fitted.history, MODELS / model_type)
