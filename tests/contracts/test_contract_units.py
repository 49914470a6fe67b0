import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffcast.contracts import (
    InputError,
    format_duration,
    format_share,
    parse_change,
    parse_duration_s,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("6m", 360), ("6 min", 360), ("1h30m", 5400), ("1h 30m", 5400), (" 2 hours ", 7200),
        ("0.5h", 1800), ("28d", 2_419_200), ("1w", 604_800), ("1d 1h 1m 1s", 90_061), ("0s", 0), ("6 MIN", 360),
        ("1 minute", 60), ("2 weeks", 1_209_600),
    ],
)  # fmt: skip
def test_durations_with_their_units(text, seconds):
    """A duration is the sum of its parts, each in its own unit."""
    assert parse_duration_s(text, parameter="aht") == seconds


@pytest.mark.parametrize(
    "text", ["6", "6x", "", " ", "m", "-6m", "6m-", "6m,30s", "1:30", "six minutes", "1.5.5h", "6m 30", "1e3s", "nan"]
)
def test_not_a_duration(text):
    """What has no unit, an unknown one, a sign or a leftover is refused, with the parameter and the value named."""
    with pytest.raises(InputError, match=r"`aht` must be a duration with its unit.*got ") as caught:
        parse_duration_s(text, parameter="aht")
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("value", ["6", " 6 ", 6, 6.5])
def test_a_duration_without_unit_is_told_the_two_likely_ones(value):
    """A bare number is refused with both readings offered: seconds or minutes."""
    bare = str(value).strip()
    with pytest.raises(InputError) as caught:
        parse_duration_s(value, parameter="aht")
    assert f'"{bare}s" or "{bare}m"' in str(caught.value)


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59))
def test_parts_add_up(hours, minutes, seconds):
    """Hours, minutes and seconds written in one text are read as their sum."""
    text = f"{hours}h {minutes}min{seconds} s"
    assert parse_duration_s(text, parameter="aht") == (hours * 60 + minutes) * 60 + seconds


@pytest.mark.parametrize(
    ("value", "share"),
    [("30%", 0.3), ("30 %", 0.3), (" 30% ", 0.3), ("0.30", 0.3), (0.3, 0.3), (0, 0), (1, 1), ("100%", 1)],
)  # fmt: skip
def test_shares(value, share):
    """A percentage and a fraction give the same share."""
    assert parse_share(value, parameter="shrinkage") == pytest.approx(share, abs=1e-15)


@pytest.mark.parametrize(
    "value", [30, "30", -0.1, "-5%", 1.01, "101%", "thirty", "", "%", None, True, "nan", math.nan, math.inf, [0.3]]
)
def test_not_a_share(value):
    """What is outside [0, 1] or no number is refused, with the parameter and the value named."""
    with pytest.raises(InputError, match=r"`shrinkage` must be a share in \[0, 1\], got ") as caught:
        parse_share(value, parameter="shrinkage")
    assert repr(value) in str(caught.value)


def test_thirty_instead_of_thirty_percent():
    """30 for a share is answered with how to write 30 %, but "130%" is not taken for 1.3 %."""
    with pytest.raises(InputError, match=r'write 30 % as "30%" or 0\.3$'):
        parse_share(30, parameter="shrinkage")
    with pytest.raises(InputError) as caught:
        parse_share("130%", parameter="shrinkage")
    assert "1.3" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [("110%", "100 % is all there is"), (300, "100 % is all"), ("-5%", 'none is "0%"'), (-0.1, "none is")],
)
def test_what_is_wrong_with_a_share(value, says):
    """More than all and less than none are called so, instead of a hint on how to write percent."""
    with pytest.raises(InputError) as caught:
        parse_share(value, parameter="redial")
    assert says in str(caught.value)


@pytest.mark.parametrize(("value", "says"), [(200, 'write "+200%"'), ("20%", 'write "+20%" for so much more, "-20%"')])
def test_a_change_without_its_sign_is_told_how(value, says):
    """A bare number or percentage is answered with how to write it; nothing falls by 200 %."""
    with pytest.raises(InputError) as caught:
        parse_change(value, parameter="aht")
    assert says in str(caught.value)
    assert '"-200%"' not in str(caught.value)


def test_a_share_below_one():
    """A shrinkage of 100 % is refused where a share below one is asked for, and only there."""
    assert parse_share("100%", parameter="x") == 1
    with pytest.raises(InputError, match=r"\[0, 1\), got '100%'"):
        parse_share("100%", parameter="x", below_one=True)


@pytest.mark.parametrize(
    ("text", "factor"), [("+20%", 1.2), ("-10%", 0.9), ("+0%", 1), ("- 10 %", 0.9), ("-100%", 0), ("+12.5%", 1.125)]
)
def test_changes(text, factor):
    """A relative change is a factor."""
    assert parse_change(text, parameter="volume") == factor


@pytest.mark.parametrize("value", ["20%", "1.2", 1.2, "+20", "+-20%", "-101%", "", None, "+20% more"])
def test_not_a_change(value):
    """A change without sign or percent, or below −100 %, is refused, with the value named."""
    with pytest.raises(InputError, match=r"`volume` must be a relative change like .*got ") as caught:
        parse_change(value, parameter="volume")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (60, "60 s"), (119, "119 s"), (120, "2 min"), (150, "2.5 min"),
        (599, "10 min"), (3599, "1 h"), (3600, "1 h"), (3660, "1 h 1 min"), (math.nan, "–"), (math.inf, "never"),
    ],
)  # fmt: skip
def test_durations_for_people(seconds, text):
    """A duration is shown in the unit a planner would say it in."""
    assert format_duration(seconds) == text


def test_shares_for_people():
    """A share is shown as a percentage, an unknown one as a dash."""
    assert (format_share(0.995, 1), format_share(0), format_share(math.nan)) == ("99.5 %", "0 %", "–")
