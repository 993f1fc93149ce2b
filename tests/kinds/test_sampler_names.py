"""Sampler names that held a scheduler."""

from __future__ import annotations

import pytest

from lib_anim.kinds.sampler_names import split_sampler, split_samplers


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("Euler a", "Euler a", "Automatic"),
        ("euler A", "Euler a", "Automatic"),
        ("DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("dpm++ 2m sde heun exponential", "DPM++ 2M SDE Heun", "Exponential"),
        ("DPM++ 3M SDE", "DPM++ 3M SDE", "Automatic"),
        ("Karras", "Karras", "Automatic"),
        ("My Own Karras", "My Own", "Karras"),
    ],
)
def test_a_name_is_split(name: str, sampler: str, scheduler: str) -> None:
    assert split_sampler(name) == (sampler, scheduler)


def test_each_word_of_a_schedule_is_split() -> None:
    samplers, schedulers = split_samplers('0: ("Euler a"), "max_f/2": (dpm++ sde karras), 30:("Heun")')
    assert samplers == '0:("Euler a"), (max_f / 2):("DPM++ SDE"), 30:("Heun")'
    assert schedulers == '0:("Automatic"), (max_f / 2):("Karras"), 30:("Automatic")'


def test_without_spacings_the_scheduler_is_left_alone() -> None:
    assert split_samplers('0:("Euler a"), 9:("Heun")')[1] == "Automatic"


def test_a_broken_schedule_is_left_to_the_settings_to_refuse() -> None:
    assert split_samplers('0:("Euler a"), 9: ') == ('0:("Euler a"), 9: ', "Automatic")
