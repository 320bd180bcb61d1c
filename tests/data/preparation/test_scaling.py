"""White and black of pixels, and notes on what may be meant otherwise."""

import numpy as np
import pytest

from autoencoders.data.preparation.scaling import pixel_notes, white_of
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.readers.opening import open_reader
from contents import IMAGES
from intake import Intake


def notes(intake: Intake, images: np.ndarray) -> list[str]:
    """The notes on an array of images, all of which are surveyed."""
    reader = open_reader(intake.array("a.npy", images))
    survey = Survey([], 0)
    survey.add(images, 0)
    return pixel_notes(survey, reader, white_of(survey, reader))


@pytest.mark.parametrize(
    ("brightest", "white"), [(254, 255), (129, 255), (127, 127), (16, 16), (256, 256), (4095, 4095)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint16])
def test_whole_numbers_that_use_most_of_8_bits_have_white_of_8_bits(
    intake: Intake, brightest: int, white: int, dtype: type
):
    images = np.linspace(0, brightest, 640).round().reshape(10, 8, 8)
    (note,) = notes(intake, images.astype(dtype))
    assert note.startswith(f"white is {white}, ")


def test_fractions_have_the_white_of_the_brightest(intake: Intake):
    images = np.linspace(0, 200.5, 640).reshape(10, 8, 8)
    assert notes(intake, images) == ["white is 200.5, the brightest training pixel"]


@pytest.mark.parametrize("marker", [-999, -9999, -32768])
def test_a_marker_of_missing_pixels_is_refused(intake: Intake, marker: int):
    images = IMAGES.astype(np.float32)
    images[:50, 0, 0] = marker
    message = intake.refusal(intake.array("a.npy", images))
    assert f"training pixels are {marker}, and all others lie between 0 and 255" in message


def test_a_negative_value_among_others_is_no_marker(intake: Intake):
    images = IMAGES.astype(np.float32) - 1000
    images[0, 0, 0] = 100
    assert "pixels have both signs: taken for standardised pictures" in notes(intake, images)


def test_a_few_bright_pixels_are_noted(intake: Intake):
    images = IMAGES.astype(np.uint16)
    images[0, 0, 0] = 60_000
    (note,) = notes(intake, images)
    assert note.startswith("white is 65535, but 99.9% of the training pixels are at most 255")


def test_images_that_show_nothing_are_noted(intake: Intake):
    images = np.full((10, 8, 8), 7, np.uint8)
    assert notes(intake, images)[0] == "every pixel of the training images is 7: they show nothing"


@pytest.mark.parametrize("shape", [(60, 50, 2), (60, 1, 10), (60, 10, 1)])
def test_rows_too_narrow_for_pictures_are_noted(intake: Intake, shape: tuple[int, ...]):
    images = np.random.default_rng(0).random(shape)
    assert notes(intake, images) == [
        f"rows of shape {shape[1:]} are taken for pictures; other rows can be given flat, as "
        "(rows, values)"
    ]


def test_image_files_of_0_and_1_are_noted(intake: Intake):
    for i in range(20):
        intake.image(f"images/{i}.png", IMAGES[i] % 2)
    prepared = intake.load(intake.source / "images")
    assert prepared.scale.max() == 1
    report = (intake.prepared / "report.json").read_text()
    assert "white is 1, as the pixels are 0 and 1, although the files could hold 255" in report
