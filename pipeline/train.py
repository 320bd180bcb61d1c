"""Trains one type: `python pipeline/train.py sparse`."""

from autoencoders.core.reporting import reporting

if __name__ == "__main__":
    with reporting():
        import sys

        from autoencoders.core.identity import fingerprint
        from autoencoders.core.paths import DATA, MODELS, RESUME, repository
        from autoencoders.data.prepared.prepared import load_prepared
        from autoencoders.models.trained.saved import save
        from autoencoders.params.params import load_params
        from autoencoders.params.tuned import tuned
        from autoencoders.tracking.recorder import training_run
        from autoencoders.training.callbacks import Progress
        from autoencoders.training.fit import fit
        from autoencoders.training.resume import ResumePoint

        kind, data = sys.argv[1], load_prepared(DATA)
        plan = tuned(load_params(), kind).plan(kind, data.description.facts)
        values = plan.flat()
        mark = fingerprint("train", values, data.description.content_sha256)
        with (
            ResumePoint(repository() / RESUME / mark) as resume,
            training_run(data.description, values, mark, resumed=resume.start is not None) as run,
        ):
            log = None if run is None else run.epoch
            fitted = fit(
                plan, data, log=log, fingerprint=mark, resume=resume, callbacks=[Progress(kind)]
            )
            save(fitted.model, fitted.history, MODELS / kind)
