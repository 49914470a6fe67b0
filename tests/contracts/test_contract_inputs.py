import dataclasses
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffcast.contracts import Band, InputError, Shrinkage, Target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("80% in 60s", Target.share(0.8, within_s=60)),
        ("80 % within 1m", Target.share(0.8, within_s=60)),
        ("0.8 in 1 min", Target.share(0.8, within_s=60)),
        ("p95 9m", Target.percentile(0.95, 540)),
        ("p95 <= 9m", Target.percentile(0.95, 540)),
        ("p95≤9m", Target.percentile(0.95, 540)),
        ("p90 1h", Target.percentile(0.9, 3600)),
        ("p95 in 9m", Target.percentile(0.95, 540)),
        ("p95 within 9m", Target.percentile(0.95, 540)),
    ],
)
def test_targets_as_planners_write_them(text, target):
    """The spellings of a share and of a percentile give the target they name."""
    assert Target.parse(text) == target


@pytest.mark.parametrize("text", ["mean 60s", "mean <= 1m", "mean ≤ 60 s", "mean in 60s", "mean within 1m"])
def test_a_mean_target(text):
    """A mean has seconds and no level."""
    target = Target.parse(text)
    assert (target.kind, target.seconds) == ("mean", 60)
    assert math.isnan(target.level)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("80% in 60", "unit"), ("80% in 0s", "above 0 s"), ("mean 0s", "above 0 s"), ("p95 0m", "above 0 s"),
        ("80 in 60s", '"80%" or 0.8'), ("0% in 60s", r"in (0, 1)"), ("100% in 60s", r"in (0, 1)"),
        ("p0 60s", r"in (0, 1)"), ("p100 60s", r"in (0, 1)"), ("120% in 60s", "share of the tickets in (0, 1)"),
        ("fast", "like"), ("80..1% in 60s", "share"), ("", "like"), (60, "like"), (None, "like"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be(text, says):
    """A target without unit, of 0 s, of 0 or 100 %, or of 80 for 80 % is refused with what to write."""
    with pytest.raises(InputError) as caught:
        Target.parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["p0 9m", "p100 9m", "100% in 60s", "0% in 60s", "120% in 60s"])
def test_none_or_all_of_the_tickets_cannot_be_asked_for(text):
    """The error names the key that a planner wrote, what he wrote, and an example that works."""
    with pytest.raises(InputError, match=r"`frt` must be .*in \(0, 1\)") as caught:
        Target.parse(text)
    assert repr(text) in str(caught.value)
    assert Target.parse(str(caught.value).split('"')[1]).level == 0.99


@pytest.mark.parametrize(
    "make",
    [
        lambda: Target.mean("60s"), lambda: Target.share("80%", within_s=60), lambda: Target.share(0.8, within_s="60"),
        lambda: Target.percentile("p95", 60), lambda: Target.mean(None),
        lambda: Target(kind="mean", level=math.nan, seconds="60"),
    ],
)  # fmt: skip
def test_text_where_a_number_belongs(make):
    """Text given to a constructor is refused as such, and not by the arithmetic after it."""
    with pytest.raises(InputError, match="a number"):
        make()


def test_a_band_called_none():
    """There is no band of that name: the error says how to have none."""
    with pytest.raises(InputError, match=r"`band` .*leave it out \(None\)"):
        Band.parse("none")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "share", "level": 80.0, "seconds": 60.0},
        {"kind": "share", "level": math.nan, "seconds": 60.0},
        {"kind": "share", "level": 0.8, "seconds": 0.0},
        {"kind": "share", "level": 0.8, "seconds": math.inf},
        {"kind": "mean", "level": math.nan, "seconds": -1.0},
        {"kind": "median", "level": 0.5, "seconds": 60.0},
    ],
)
def test_a_wrong_target_cannot_be_built(wrong):
    """The constructor refuses what parse refuses."""
    with pytest.raises(InputError, match="target"):
        Target(**wrong)


@given(
    tenths=st.integers(1, 999),
    seconds=st.integers(1, 119) | st.integers(2, 59).map(lambda m: 60 * m) | st.sampled_from([3600, 5400, 7200]),
)
def test_a_target_shown_reads_back(tenths, seconds):
    """What a report shows of a target is the target: no digit of 99.5 % is rounded away."""
    for target in (
        Target.share(tenths / 1000, within_s=seconds),
        Target.percentile(tenths / 1000, seconds),
        Target.mean(seconds),
    ):
        again = Target.parse(str(target))
        assert (again.kind, again.seconds) == (target.kind, target.seconds)
        assert again.level == pytest.approx(target.level, rel=1e-12, nan_ok=True)


def test_bands():
    """A band is read with percent signs, as fractions, and with "to"; what it shows reads back."""
    band = Band(bottom=0.85, top=0.90)
    for text in ("85%-90%", "85 % – 90 %", "0.85-0.90", "85% to 90%"):
        assert Band.parse(text) == band
    assert Band.parse(band) is band
    assert str(band) == "85–90 %"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("90%-85%", 'write "85%-90%"'), ("85%-85%", "bottom below top"), ("85-90", '"85%" or 0.85'),
        ("85%", "two shares"), ("85%-190%", "share in [0, 1]"), (0.85, "two shares"), ("", "two shares"),
    ],
)  # fmt: skip
def test_bands_that_cannot_be(text, says):
    """A band upside down, empty or in bare numbers is refused with what to write."""
    with pytest.raises(InputError, match="`band`") as caught:
        Band.parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(("bottom", "top"), [(0.9, 0.85), (-0.1, 0.9), (0.85, 1.1), (math.nan, 0.9), (0.85, math.nan)])
def test_a_wrong_band_cannot_be_built(bottom, top):
    """The constructor refuses shares outside [0, 1], unknown ones and an upside-down band."""
    with pytest.raises(InputError, match="`band`"):
        Band(bottom=bottom, top=top)


@pytest.mark.parametrize("value", [30, 1.0, "100%", -0.1, math.nan, "a third"])
def test_shrinkage_that_cannot_be(value):
    """A shrinkage of 30, of 100 % or below 0 is refused."""
    with pytest.raises(InputError, match=r"`shrinkage` must be a share in \[0, 1\)"):
        Shrinkage.parse(value)


@pytest.mark.parametrize("value", [30, 1.0, "30%", None])
def test_a_wrong_shrinkage_cannot_be_built(value):
    """The constructor refuses text too, so that arithmetic on it cannot fail later."""
    with pytest.raises(InputError, match="`shrinkage`"):
        Shrinkage(share=value)


@given(agents=st.integers(0, 10_000), percent=st.integers(0, 99))
def test_rostered_is_the_smallest_that_is_enough(agents, percent):
    """With exact fractions, the rostered people are enough and one fewer is not."""
    rostered = Shrinkage.parse(f"{percent}%").rostered(agents)
    present = 1 - Fraction(percent, 100)
    assert rostered * present >= agents
    assert rostered == 0 or (rostered - 1) * present < agents


@pytest.mark.parametrize("made", [Target.mean(60), Band(), Shrinkage()])
def test_inputs_do_not_change(made):
    """An input that was checked stays as it is."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.top = 2
