"""Events, kinds of holidays and overrides in a scenario file."""

import datetime as dt

import pytest

from staffcast.calendars import country_holidays
from staffcast.contracts import Event, InputError
from staffcast.scenario import Scenario, load_scenario


@pytest.fixture
def write(tmp_path):
    def made(text):
        path = tmp_path / "plan.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return made


def test_events_of_a_file(write):
    """Days and spans of days, the change as a factor, and the queues that it concerns."""
    scenario = load_scenario(
        write(
            """
            [[events]]
            name = "Black Friday"
            days = ["2025-11-28", 2026-11-27]
            change = "+80%"
            queues = ["orders", "billing"]

            [[events]]
            name = "Advent"
            days = ["2026-12-23..2026-12-24", " 2027-12-31 .. 2028-01-02 "]

            [[events]]
            name = "Streik"
            days = "2026-03-02"
            once = true
            queues = "orders, sales"
            """
        )
    )
    friday, advent, strike = scenario.events
    days = frozenset({dt.date(2025, 11, 28), dt.date(2026, 11, 27)})
    assert friday == (Event(name="Black Friday", days=days, factor=1.8), ("orders", "billing"))
    spans = {dt.date(2026, 12, 23), dt.date(2026, 12, 24), dt.date(2027, 12, 31), dt.date(2028, 1, 1)}
    assert advent == (Event(name="Advent", days=frozenset(spans | {dt.date(2028, 1, 2)})), ())
    assert strike == (Event(name="Streik", days=frozenset({dt.date(2026, 3, 2)}), once=True), ("orders", "sales"))


def test_no_events_are_none(write):
    """A scenario that names no event has none."""
    assert Scenario().events == load_scenario(write("events = []")).events == ()


def test_a_span_may_last_a_year_and_one_day_twice_is_once(write):
    """The longest span is taken whole, and days given twice count once."""
    span = load_scenario(write('[[events]]\nname = "a"\ndays = ["2026-01-01..2027-01-02"]')).events[0][0]
    assert len(span.days) == 367
    twice = load_scenario(write('[[events]]\nname = "a"\ndays = ["2026-01-01", "2025-12-31..2026-01-02"]')).events[0][0]
    assert len(twice.days) == 3


DAY = 'days = ["2026-11-27"]'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('events = "Black Friday"', "`events` must be tables, got 'Black Friday'; write [[events]]"),
        ("[events]\nname = 'a'", "`events` must be tables"),
        ('events = ["a"]', "write [[events]] and below it name = "),
        (f"[[events]]\n{DAY}", "`events.name` must be"),
        (f'[[events]]\nname = ""\n{DAY}', "`events.name` must be"),
        (f"[[events]]\nname = 3\n{DAY}", "`events.name` must be a name for the event, in quotes, got 3"),
        ('[[events]]\nname = "a"', "`events.days` must be at least one day, got 'nothing'; give the days of 'a'"),
        ('[[events]]\nname = "a"\ndays = []', "`events.days` must be at least one day"),
        ('[[events]]\nname = "a"\ndays = 20261127', "`events.days` must be days and spans of days"),
        ('[[events]]\nname = "a"\ndays = ["27.11.2026"]', "got '27.11.2026'"),
        ('[[events]]\nname = "a"\ndays = ["2026-02-29"]', "got '2026-02-29'"),
        ('[[events]]\nname = "a"\ndays = [2026-11-27T10:00:00]', "`events.days` must be"),
        ('[[events]]\nname = "a"\ndays = ["2026-12-20..2026-12-01"]', "the first day first, and at most a year"),
        ('[[events]]\nname = "a"\ndays = ["2026-01-01..2028-01-01"]', "at most a year"),
        ('[[events]]\nname = "a"\ndays = ["..2026-01-01"]', "`events.days` must be"),
        ('[[events]]\nname = "a"\ndays = ["2026-01-01..2026-01-02..2026-01-03"]', "`events.days` must be"),
        (f'[[events]]\nname = "a"\n{DAY}\nchange = 1.3', "`events.change` must be a relative change"),
        (f'[[events]]\nname = "a"\n{DAY}\nchange = "30%"', 'write "+30%" for so much more'),
        (f'[[events]]\nname = "a"\n{DAY}\nchange = "-120%"', "`events.change` must be"),
        (f'[[events]]\nname = "a"\n{DAY}\nchange = "+10000%"', 'at most "+9900%"'),
        (f'[[events]]\nname = "a"\n{DAY}\nchange = "-100%"', 'at most "+9900%"'),
        (f'[[events]]\nname = "a"\n{DAY}\nonce = "yes"', "`events.once` must be true or false"),
        (f'[[events]]\nname = "a"\n{DAY}\nonce = true\nchange = "+30%"', "left out where `once` is true"),
        (f'[[events]]\nname = "a"\n{DAY}\nqueues = 3', "`events.queues` must be names"),
        (f'[[events]]\nname = "a"\n{DAY}\nfactor = 1.3', "`events` must be tables of name, days, change, once, queues"),
        (
            f'[[events]]\nname = "a"\n{DAY}\n[[events]]\nname = "b"\n{DAY}\n[[events]]\nname = "a"\n{DAY}',
            "`events.name` must be different for each event, got 'a'; give all its days in one table",
        ),
    ],
)  # fmt: skip
def test_a_wrong_event_is_named_with_its_file_and_key(write, text, says):
    """What is not right about an event is refused with the file, the key and the fix."""
    path = write(text)
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_span_without_its_end_is_refused(write):
    """Who writes "2026-12-01.." means more than one day."""
    with pytest.raises(InputError, match=r"events\.days"):
        load_scenario(write('[[events]]\nname = "a"\ndays = ["2026-12-01.."]'))


@pytest.mark.parametrize("more", ['change = "-100%"', 'change = "+30%"\nonce = true'])
def test_a_wrong_change_is_called_by_its_key(write, more):
    """The error speaks of `change`, as the planner wrote it."""
    with pytest.raises(InputError, match=r"events\.change"):
        load_scenario(write(f'[[events]]\nname = "a"\n{DAY}\n{more}'))


def test_carnival_is_optional_in_brazil():
    """Without its kind Carnival is a day like others, with it it is a holiday; the public ones stay."""
    carnival = dt.date(2026, 2, 17)
    public, both = country_holidays("BR", range(2026, 2027)), country_holidays("BR+optional", range(2026, 2027))
    assert carnival not in public
    assert "arnaval" in both[carnival] or "arnival" in both[carnival]
    assert public.items() <= both.items()
    assert dt.date(2026, 9, 7) in public
    assert {day.year for day in both} == {2026}


def test_kinds_are_written_as_one_likes():
    """Case, spaces and the public kind named beside do not matter; a region may stand before the kinds."""
    years = range(2026, 2027)
    assert country_holidays("br + OPTIONAL", years) == country_holidays("BR+public+optional", years)
    assert country_holidays("DE-BY", years).items() <= country_holidays("DE-BY+catholic", years).items()
    assert dt.date(2026, 1, 6) in country_holidays("DE-BY", years)
    assert dt.date(2026, 1, 6) not in country_holidays("DE", years)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("BR+carnival", "`holidays` must be BR with + and any of"), ("BR+", "BR with + and any of"),
        ("DE+optional", "DE with + and any of"), ("XX", 'a country such as "DE" or "BR"'),
        ("DE-XX", 'with its region "DE-BY"'), ("XX+optional", "a country such as"),
    ],
)  # fmt: skip
def test_an_unknown_country_or_kind_is_refused(code, says):
    """With what there is instead."""
    with pytest.raises(InputError) as caught:
        country_holidays(code, range(2026, 2027))
    assert says in str(caught.value)
    assert repr(code) in str(caught.value)
    if says.startswith(("BR", "`holidays` must be BR")):
        assert "optional" in str(caught.value)


def test_overrides_stand_beside_the_scenario(write, tmp_path):
    """A relative path starts at the scenario file, an absolute one stays, a flag starts where the command is run."""
    assert load_scenario(write('overrides = "changes.csv"')).overrides == str(tmp_path / "changes.csv")
    assert load_scenario(write('overrides = "sub/changes.csv"')).overrides == str(tmp_path / "sub" / "changes.csv")
    elsewhere = str(tmp_path.parent / "changes.csv")
    assert load_scenario(write(f"overrides = '{elsewhere}'")).overrides == elsewhere
    assert Scenario().with_options({"overrides": "changes.csv"}).overrides == "changes.csv"


def test_overrides_can_be_switched_off(write):
    """The word none in a file or as a flag means no overrides, whatever the file says."""
    assert load_scenario(write('overrides = "none"')).overrides is None
    scenario = load_scenario(write('overrides = "changes.csv"'))
    assert scenario.with_options({"overrides": "none"}).overrides is None


@pytest.mark.parametrize("value", ["3", '""', '["a.csv"]', "true"])
def test_overrides_are_one_file(write, value):
    """Anything but a name is refused."""
    with pytest.raises(InputError, match="`overrides` must be the name of a file"):
        load_scenario(write(f"overrides = {value}"))
