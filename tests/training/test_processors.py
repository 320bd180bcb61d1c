"""The kind of processor, and whether bf16 gains on it, with other machines' answers."""

import platform
from pathlib import Path

import pytest
import torch

from autoencoders.training import processors
from autoencoders.training.processors import (
    KINDS,
    LIBRARIES,
    Kind,
    Processor,
    bf16_gains,
    onednn_gains,
    this_processor,
)

CPUINFO = """processor\t: 0
vendor_id\t: {identifier}
cpu family\t: {family}
model\t\t: 85
model name\t: A name
stepping\t: 7
"""
AMD, INTEL, ARM = "AuthenticAMD", "GenuineIntel", "0x41"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that makes this machine look like another one, without a GPU."""

    def pretend(identifier: str, *instructions: str, family: int = 6) -> None:
        path = tmp_path / "cpuinfo"
        text = CPUINFO.format(identifier=identifier, family=family)
        path.write_text(text, encoding="utf-8")
        names = ("amx_bf16", "avx512_bf16", "avx512_f")
        capabilities = {name: name in instructions for name in names}
        capabilities |= dict.fromkeys(instructions, True)
        monkeypatch.setattr(processors, "CPUINFO", path)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    return pretend


@pytest.mark.parametrize(
    ("identifier", "instructions", "name", "gains"),
    [
        (AMD, ["avx512_f", "avx512_bf16"], "AMD with avx512_bf16", True),
        (AMD, ["avx512_f"], "AMD without bf16 instructions", False),
        (INTEL, ["avx512_f", "avx512_bf16"], "Intel with avx512_bf16", False),
        (INTEL, ["avx512_f", "avx512_bf16", "amx_bf16"], "Intel with amx_bf16", True),
        (INTEL, ["avx512_f"], "Intel without bf16 instructions", False),
        ("HygonGenuine", ["avx512_bf16"], "other with avx512_bf16", False),
        (ARM, ["neon", "bf16"], "other with bf16", False),
        (ARM, ["neon", "sve_bf16", "bf16"], "other with sve_bf16", False),
        ("", [], "other without bf16 instructions", False),
    ],
)
def test_bf16_gains_by_vendor_and_instruction_not_by_instruction_alone(
    identifier, instructions, name, gains, machine
):
    machine(identifier, *instructions)
    assert this_processor().kind.name == name
    assert bf16_gains() is gains


@pytest.mark.parametrize(("has_bf16", "gains"), [(True, True), (False, False)])
def test_a_gpu_gains_where_it_does_not_emulate_bf16(has_bf16, gains, machine, monkeypatch):
    machine(INTEL, "avx512_bf16")

    def is_supported(*, including_emulation: bool = True) -> bool:
        return has_bf16 or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    processor = this_processor()
    assert (processor.name, processor.vendor) == ("A GPU", "GPU")
    assert bf16_gains() is gains


def test_a_name_has_the_family_and_the_model_that_tell_processors_of_one_name_apart(machine):
    machine(INTEL)
    assert this_processor().name == f"{platform.machine()}, family 6, model 85"


@pytest.mark.parametrize(
    ("answer", "vendor"),
    [
        ("AMD64 Family 25 Model 17 Stepping 1, AuthenticAMD", "AMD"),
        ("Intel64 Family 6 Model 85 Stepping 7, GenuineIntel", "Intel"),
        ("arm", "other"),
        ("", "other"),
    ],
)
def test_without_linuxs_file_the_platform_says_whose_the_processor_is(
    answer, vendor, machine, monkeypatch
):
    machine(AMD, "avx512_bf16")
    monkeypatch.setattr(processors, "CPUINFO", Path("/nonexistent/cpuinfo"))
    monkeypatch.setattr(platform, "processor", lambda: answer)
    assert this_processor().vendor == vendor


def test_a_torch_that_reports_no_instructions_takes_fp32(machine, monkeypatch):
    machine(AMD, "avx512_bf16")
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert this_processor().instruction == ""
    assert not bf16_gains()


@pytest.mark.parametrize(
    ("identifier", "family", "gains"),
    [(AMD, 25, False), (AMD, 26, True), (AMD, 99, False), (INTEL, 26, False), ("", 26, False)],
)
def test_onednn_gains_by_vendor_and_family(identifier, family, gains, machine):
    machine(identifier, "avx512_bf16", family=family)
    assert onednn_gains() is gains


def test_a_kind_and_a_family_have_one_row():
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert len({(row.vendor, row.family) for row in LIBRARIES}) == len(LIBRARIES)


def test_a_kind_without_a_row_takes_fp32_and_says_that_it_was_not_measured():
    assert Processor("New", "other", "bf16").kind == Kind("other", "bf16", False, "unmeasured")


def test_this_machine_has_a_kind_and_keeps_it():
    assert this_processor() == this_processor()
    assert this_processor().name
