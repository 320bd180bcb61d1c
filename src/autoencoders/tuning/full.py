"""Trainings in full during a study: those by which candidates are judged, and what tuning gained.

Each is the training that the `train` stage would run. Its result is remembered in the study, so
that a study that was killed does not repeat it. Its last checkpoint may be left for `train`, which
then goes on from there, with nothing left to train.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from optuna import Study

from autoencoders.core import identity
from autoencoders.core.files import remove
from autoencoders.core.paths import RESUME, repository
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.model import TrainedModel, as_tensor
from autoencoders.params.plan import Plan
from autoencoders.training.callbacks import Progress
from autoencoders.training.fit import fit
from autoencoders.training.resume import ResumePoint
from autoencoders.training.shares import Shares

TRAINED_IN_FULL = "trained in full"  # a study's attribute: results by fingerprint
PURPOSE_ROWS = 2000  # validation rows at most behind a type's own metric
PURPOSES = {"psnr_gain": "PSNR gain on corrupted rows, dB", "elbo": "ELBO, nats"}


class Result(NamedTuple):
    """The result of a training in full, on validation rows."""

    code_size: int
    squared_error: float  # summed over features, mean over rows, on the model's scale
    explained_variance: float
    epochs: int
    by_epoch: Mapping[str, float]  # of a trial: shares kept after some epochs, by their number
    purpose: Mapping[str, float]  # the type's own metrics, by name


@dataclass(frozen=True)
class FullTrainings:
    """Trains a type in full with a study's values, and remembers the results."""

    study: Study
    plan: Plan  # untuned
    data: Prepared
    each_epoch: Callable[[], None]  # may raise Interrupted

    def result(
        self, values: Mapping[str, Any], *, seed: int | None = None, keeps: bool = False
    ) -> Result:
        """The result of a training in full with these values by dotted name.

        seed: of the training; None: that of params.yaml. keeps: whether its last checkpoint is
        left, for `train`. Raises DivergedError.
        """
        plan = self._plan(values, seed)
        fingerprint = self._fingerprint(plan)
        folder = repository() / RESUME / fingerprint
        # on several devices, `train` begins anew, as a study trains on one
        is_shared = plan.train.devices * plan.train.num_nodes > 1
        resume = ResumePoint(folder, keeps=keeps and not is_shared)
        return self._known(fingerprint, lambda: self._train(plan, fingerprint, resume))

    def trial_result(self, plan: Plan) -> Result:
        """The result of a trial by its plan, with its shares on the way. Raises DivergedError.

        A trial that was killed begins anew, so that no share is missing.
        """
        return self._known(self._fingerprint(plan), lambda: self._try(plan))

    def _known(self, fingerprint: str, train: Callable[[], Result]) -> Result:
        """The result that the study remembers, else that of a training, which it then remembers."""
        known = self.study.user_attrs.get(TRAINED_IN_FULL, {})
        if fingerprint not in known:
            known = {**known, fingerprint: train()._asdict()}
            self.study.set_user_attr(TRAINED_IN_FULL, known)
        return Result(**known[fingerprint])

    def are_same(self, values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
        """Whether two sets of values make the same training."""
        return self._plan(values, None).flat() == self._plan(others, None).flat()

    def forget_checkpoint(self, values: Mapping[str, Any]) -> None:
        """Removes the checkpoint of a training whose values are not taken."""
        remove(repository() / RESUME / self._fingerprint(self._plan(values, None)))

    def _plan(self, values: Mapping[str, Any], seed: int | None) -> Plan:
        plan = self.plan.with_values(values)
        if seed is None:
            return plan
        return replace(plan, seed=seed)

    def _fingerprint(self, plan: Plan) -> str:
        """The fingerprint under which `train` looks for a checkpoint."""
        return identity.fingerprint("train", plan.flat(), self.data.description.content_sha256)

    def _train(self, plan: Plan, fingerprint: str, resume: ResumePoint) -> Result:
        """Trains on one device, as a trial does, from its checkpoint on where it has one."""
        callbacks = [Progress(plan.model_type)] if sys.stderr.isatty() else []
        with resume:
            fitted = fit(
                plan,
                self.data,
                log=self._log,
                fingerprint=fingerprint,
                resume=resume,
                callbacks=callbacks,
                trial=True,
            )
        return self._measured(fitted.model, {})

    def _try(self, plan: Plan) -> Result:
        """Trains for a trial's epochs."""
        by_epoch: dict[str, float] = {}

        def note(epoch: int, kept: float) -> None:
            by_epoch[str(epoch)] = kept

        fitted = fit(
            plan, self.data, log=self._log, callbacks=[Shares(self.data, note)], trial=True
        )
        return self._measured(fitted.model, by_epoch)

    def _log(self, *_: object) -> None:
        self.each_epoch()

    def _measured(self, model: TrainedModel, by_epoch: Mapping[str, float]) -> Result:
        """A trained model's result."""
        errors, explained_variance = fidelity(model.reconstruct, self.data, "validation")
        return Result(
            code_size=model.description.architecture.code_size,
            squared_error=float(errors.mean()),
            explained_variance=explained_variance,
            epochs=model.description.epochs,
            by_epoch=by_epoch,
            purpose=_purpose(model, self.data),
        )


@torch.no_grad()
def _purpose(model: TrainedModel, data: Prepared) -> dict[str, float]:
    """The means of the type's own metrics on validation rows, by name."""
    x = model.inputs(as_tensor(data.sample("validation", PURPOSE_ROWS)))
    noise = torch.Generator().manual_seed(0)
    metrics = model.autoencoder.diagnostics(x, noise, 1)
    return {
        name: float(values.double().mean()) for name, values in metrics.items() if name in PURPOSES
    }
