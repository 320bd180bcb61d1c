"""The kinds of processors, and which products are fast on them: bf16's, oneDNN's (ADR 19, 20).

A table and no measurement at run time, so that the same machine makes the same choice. A processor
that has bf16 instructions may still be slower with them: a kind that is not in the table takes
fp32. `make bench` prints the row of the machine on which it runs.
"""

import platform
import re
from pathlib import Path
from typing import NamedTuple

import torch

CPUINFO = Path("/proc/cpuinfo")  # of Linux
GPU = "GPU"
OTHER = "other"
VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
# bf16 instructions by their names in torch.cpu.get_capabilities(), the ones that torch prefers
# first; `bf16` is Arm's
BF16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")
UNMEASURED = "unmeasured"


class Kind(NamedTuple):
    """A kind of processor: a row of the table."""

    vendor: str  # AMD, Intel, GPU or other
    instruction: str  # the bf16 instruction that torch uses; empty where there is none
    bf16_gains: bool  # whether a wide network trains faster with bf16 products
    measured: str  # bf16's speed with a wide network, and where; or unmeasured

    @property
    def name(self) -> str:
        """The kind in words, as tables and results name it."""
        if self.instruction:
            return f"{self.vendor} with {self.instruction}"
        return f"{self.vendor} without bf16 instructions"


KINDS = (
    Kind(
        vendor="AMD",
        instruction="avx512_bf16",
        bf16_gains=True,
        measured="1.31 times as fast as fp32 on AMD EPYC, family 25, model 17",
    ),
    Kind(
        vendor="Intel",
        instruction="avx512_bf16",
        bf16_gains=False,
        measured="0.57 times as fast as fp32 on a Xeon, whose products have half of fp32's rate",
    ),
    Kind(vendor="Intel", instruction="amx_bf16", bf16_gains=True, measured=UNMEASURED),
    Kind(vendor=GPU, instruction="bf16", bf16_gains=True, measured=UNMEASURED),
)


class Library(NamedTuple):
    """The library for large products in fp32 on a family of CPUs: a row of the second table."""

    vendor: str
    family: int  # as Linux states it
    onednn: bool  # whether oneDNN's products are faster than MKL's
    measured: str  # oneDNN's speed, and where; or unmeasured


# MKL computes by 256-bit vectors on AMD. Zen 4, family 25, has twice as many units for these as for
# 512-bit ones, and loses nothing; Zen 5, family 26, has full units for both, and loses half.
LIBRARIES = (
    Library(
        vendor="AMD",
        family=25,
        onednn=False,
        measured="0.78 to 1.09 times as fast as MKL on AMD EPYC, family 25, model 17",
    ),
    Library(vendor="AMD", family=26, onednn=True, measured=UNMEASURED),
)


class Processor(NamedTuple):
    """The processor that multiplies matrices: the GPU, or without one the CPU."""

    name: str  # the maker's, with family and model where these are known
    vendor: str
    instruction: str  # as in `Kind`
    family: int = 0  # as in `Library`; 0: unknown

    @property
    def kind(self) -> Kind:
        """The table's row; of a processor that has none, a row that takes fp32."""
        for kind in KINDS:
            if (kind.vendor, kind.instruction) == (self.vendor, self.instruction):
                return kind
        return Kind(self.vendor, self.instruction, bf16_gains=False, measured=UNMEASURED)

    @property
    def onednn(self) -> bool:
        """Whether large products in fp32 are oneDNN's; MKL's on a family without a row."""
        return any(
            library.onednn
            for library in LIBRARIES
            if (library.vendor, library.family) == (self.vendor, self.family)
        )


def onednn_gains() -> bool:
    """Whether large products in fp32 are faster with oneDNN than with MKL on this machine."""
    return this_processor().onednn


def bf16_gains() -> bool:
    """Whether a wide network trains faster with bf16 products on this machine."""
    return this_processor().kind.bf16_gains


def this_processor() -> Processor:
    """This machine's processor; `other` where nothing says whose it is."""
    if torch.cuda.is_available():
        # a GPU that emulates bf16 has no instruction for it
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Processor(torch.cuda.get_device_name(), GPU, "bf16" if has_bf16 else "")
    identification = _identification()
    numbers = _numbers(identification)
    return Processor(
        _name(numbers), _vendor(identification), _bf16_instruction(), numbers.get("family", 0)
    )


def _identification() -> str:
    """The operating system's text about the CPU, which is empty or short outside of Linux.

    On Windows it ends with the vendor; a Mac's has none, but no Mac has AVX-512's bf16 or AMX's.
    """
    try:
        return CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()


def _vendor(identification: str) -> str:
    """AMD, Intel or other."""
    for identifier, vendor in VENDORS.items():
        if identifier in identification:
            return vendor
    return OTHER


def _numbers(identification: str) -> dict[str, int]:
    """The CPU's family and model, where Linux states them."""
    found = re.findall(r"(?m)^(?:cpu )?(family|model)\s*: (\d+)$", identification)
    return {field: int(number) for field, number in found[:2]}


def _name(numbers: dict[str, int]) -> str:
    """The CPU's name, with its family and model."""
    name = str(_capabilities().get("cpu_name", platform.machine()))
    return ", ".join([name, *(f"{field} {number}" for field, number in numbers.items())])


def _bf16_instruction() -> str:
    """The CPU's bf16 instruction that torch uses; empty where there is none."""
    capabilities = _capabilities()
    for instruction in BF16_INSTRUCTIONS:
        if capabilities.get(instruction):
            return instruction
    return ""


def _capabilities() -> dict[str, object]:
    """The CPU's instruction sets by name; empty where an older torch does not report them."""
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)
    return dict(get_capabilities())
