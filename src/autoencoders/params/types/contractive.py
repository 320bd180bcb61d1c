"""The contractive type's parameters."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from autoencoders.params.section import Weight
from autoencoders.params.type_section import Misfit, Setting, TypeSection


class Contractive(TypeSection):
    """models/types/contractive.py."""

    tunable: ClassVar = ("jacobian",)

    weight: Weight = 1.0e-3
    """The penalty's weight."""
    jacobian: Literal["auto", "closed_form", "exact", "estimate"] = "auto"
    """How the norm is computed; auto: the first of these that is cheap."""

    def misfits(self, setting: Setting) -> Iterator[Misfit]:
        """Yields the closed form where the encoder has more than one layer."""
        n_layers = setting.network.n_layers
        if self.jacobian == "closed_form" and n_layers > 0:
            yield Misfit(
                "jacobian",
                f"needs an encoder of one layer ({setting.key('n_layers')} = 0), "
                f"but it has {n_layers} hidden layers; choose auto, exact or estimate",
            )
