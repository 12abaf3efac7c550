"""The command that judges every band: its sections and their notes."""

import pytest

from benchmarks import quality_bands as quality


def test_every_section_has_a_title_and_a_note_and_all_run_without_a_name() -> None:
    assert quality.SECTIONS.keys() == quality.TITLES.keys() == quality.NOTES.keys()
    parser = quality.parser_of_flags()
    assert "all" in parser.parse_args(["--data", "x"]).sections
    assert parser.parse_args(["pan", "any", "--data", "x"]).sections == ["pan", "any"]


def test_models_are_those_of_the_package_unless_a_path_is_given() -> None:
    arguments = quality.parser_of_flags().parse_args(["--data", "x", "--any-model", "y.safetensors"])
    assert (arguments.guided_model, arguments.any_model) == ("s2-20to10", "y.safetensors")


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        quality.parser_of_flags().parse_args(["thermal", "--data", "x"])
    assert "guided" in capsys.readouterr().err
