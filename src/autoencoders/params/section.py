"""A section of params.yaml, and the bounds that several values share."""

from typing import Annotated, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

S = TypeVar("S", bound="Section")
LARGEST_CODE = 65_536
Fraction = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Units = Annotated[int, Field(ge=1, le=LARGEST_CODE)]
Weight = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of params.yaml: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object, info: ValidationInfo) -> object:
        """Refuses `sparse:` without a value: DVC would create a stage that trains no type."""
        if value is None and not cls.model_fields[str(info.field_name)].is_required():
            raise PydanticCustomError(
                "null", "must not be null; leave the key out, or write {} for an empty section"
            )
        return value
