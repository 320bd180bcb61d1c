"""The denoising type's parameters."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from autoencoders.params.sections import Rule, Setting, TypeSection


class Denoising(TypeSection):
    """models/types/denoising.py."""

    corruption: Literal["gaussian", "masking", "salt_and_pepper"]
    """How the input is corrupted."""
    level: Annotated[float, Field(ge=0, le=1)]
    """gaussian: the noise's standard deviation in model scale; else the share of features."""
    clip: bool
    """The corrupted values to [0, 1], where the data lies."""

    def rules(self, setting: Setting) -> Iterator[Rule]:
        """Only data in [0, 1] can be clipped to it."""
        if self.clip and not setting.facts.unit_interval:
            reason = (
                f"needs data in [0, 1], but data.scaling = {setting.scaling()} gives other values"
            )
            yield Rule(True, "clip", f"{reason}; choose false, or data.scaling: pixels")
