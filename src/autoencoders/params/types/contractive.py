"""The contractive type's parameters."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from autoencoders.params.sections import Rule, Setting, TypeSection, Weight


class Contractive(TypeSection):
    """models/types/contractive.py."""

    tunable: ClassVar = ("jacobian",)

    weight: Weight
    """The penalty's weight."""
    jacobian: Literal["auto", "closed_form", "exact", "estimate"]
    """How the norm is computed; auto: the first of these that is cheap."""

    def rules(self, setting: Setting) -> Iterator[Rule]:
        """The closed form is that of an encoder of one layer."""
        n_layers = setting.network.n_layers
        layers = setting.key("n_layers")
        reason = (
            f"needs an encoder of one layer ({layers} = 0), but it has {n_layers} hidden layers"
        )
        misfit = self.jacobian == "closed_form" and n_layers > 0
        yield Rule(misfit, "jacobian", f"{reason}; choose auto, exact or estimate")
