"""The denoising type's parameters."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from autoencoders.params.type_section import Misfit, Setting, TypeSection


class Denoising(TypeSection):
    """models/types/denoising.py."""

    corruption: Literal["gaussian", "masking", "salt_and_pepper"] = "gaussian"
    """How the input is corrupted."""
    level: Annotated[float, Field(ge=0, le=1)] = 0.25
    """gaussian: the noise's standard deviation in model scale; else the share of features."""
    clip: bool = False
    """Whether the corrupted values are clipped to [0, 1], where the data lies."""

    def misfits(self, setting: Setting) -> Iterator[Misfit]:
        """Yields `clip` where the data does not lie in [0, 1]."""
        if self.clip and not setting.facts.unit_interval:
            scaling = setting.scaling()
            yield Misfit(
                "clip",
                f"needs data in [0, 1], but data.scaling = {scaling} gives other values; "
                "choose false, or data.scaling: pixels",
            )
