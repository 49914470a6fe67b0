"""Whatever is done to an export: it imports with its rows accounted for, or is refused by name."""

from __future__ import annotations

import random

import pytest
from export_files import desk, zendesk_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_fuzz import check, mutated, seeds

FILES = seeds()


@pytest.mark.parametrize("which", range(len(FILES)), ids=[name for name, _, _ in FILES])
def test_sound_files_import(tmp_path, which):
    """The files that are mutated below are sound themselves."""
    name, content, more = FILES[which]
    assert check(name, content, more, tmp_path) == "imported"


@given(which=st.integers(0, len(FILES) - 1), seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_files_import_or_are_refused(tmp_path, which, seed):
    """Bytes flipped, cut, doubled: no other error than ours, no row unaccounted for, nothing half-written."""
    name, content, more = FILES[which]
    assert check(name, mutated(content, random.Random(seed)), more, tmp_path) in ("imported", "refused")


@given(junk=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_behind_a_good_header(tmp_path, junk):
    """What follows a vendor's header may be anything."""
    head = zendesk_csv(desk(1)).split(b"\n")[0]
    assert check("z.csv", head + b"\n" + junk, {}, tmp_path) in ("imported", "refused")
