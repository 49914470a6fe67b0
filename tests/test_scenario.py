import datetime as dt

import pandas as pd
import pytest

from staffcast.contracts import Band, InputError, Shrinkage, Target
from staffcast.scenario import QueueRules, Scenario, load_scenario

FULL = """
zone = "Europe/Berlin"
interval = "15m"
horizon = "14d"
frt = "80% in 60s"
band = "80%-88%"
shrinkage = "30%"
aht = "6m"
first_reply = "20s"
patience = "5m"
minimum = 2
clear_within = "90m"
hours = { mon-fri = "08:00-18:00", sat = "10:00-14:00" }
closed_arrivals = "lost"
queues_only = ["billing", "sales"]
skip_queues = "spam, test"
holidays = "DE-BY"
closed_on_holidays = true
models = ["prophet", "snaive"]
uncertain_rate = false
replications = 50
seed = 7
since = 2026-01-01
until = "2026-03-01T09:00"
bad_rows = "drop"
allow_gaps = true

[columns]
created_at = "Created time"

[what_if]
volume = "+20%"
aht = "-10%"
deflection = "30%"

[queues.billing]
frt = "p95 9m"
aht = "1h30m"

[queues.sales]
band = "none"
patience = "none"
hours = "always"
"""


@pytest.fixture
def write(tmp_path):
    def made(text):
        path = tmp_path / "plan.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return made


def test_every_key_of_a_file(write):
    """Each key of a scenario file lands in its place, in seconds and shares."""
    scenario = load_scenario(write(FULL))
    assert scenario.rules == QueueRules(
        frt=Target.share(0.8, within_s=60), band=Band(bottom=0.8, top=0.88), shrinkage=Shrinkage(share=0.3), aht_s=360,
        first_reply_s=20, patience_s=300, minimum=2, clear_within_s=5400,
        hours={"mon-fri": "08:00-18:00", "sat": "10:00-14:00"}, closed_arrivals="lost",
    )  # fmt: skip
    assert (scenario.zone, scenario.interval_minutes, scenario.horizon) == ("Europe/Berlin", 15, "14d")
    assert (scenario.only, scenario.skip) == (("billing", "sales"), ("spam", "test"))
    assert (scenario.holidays, scenario.closed_on_holidays, scenario.models) == ("DE-BY", True, "prophet,snaive")
    assert (scenario.uncertain_rate, scenario.replications, scenario.seed) == (False, 50, 7)
    assert scenario.since == pd.Timestamp("2026-01-01")
    assert scenario.until == pd.Timestamp("2026-03-01T09:00")
    assert (scenario.bad_rows, scenario.allow_gaps) == ("drop", True)
    assert scenario.columns == {"created_at": "Created time"}
    changes = scenario.what_if
    assert (changes.volume, changes.aht, changes.deflection) == (1.2, 0.9, 0.3)


def test_an_empty_file_is_the_default(write):
    """Nothing said is nothing changed."""
    assert load_scenario(write("")) == Scenario()


def test_a_mark_in_front(write):
    """A file saved by a Windows editor, with its byte order mark and line ends, is read like any other."""
    text = 'aht = "6m"\r\n[queues."São Paulo"]\r\naht = "7m"\r\n'
    scenario = load_scenario(write(b"\xef\xbb\xbf" + text.encode()))
    assert (scenario.rules.aht_s, scenario.for_queue("São Paulo").aht_s) == (360, 420)


def test_queues_have_their_own(write):
    """A queue's own rules go on top of the scenario's; what it does not say it takes from there."""
    scenario = load_scenario(
        write('frt = "80% in 60s"\nshrinkage = "30%"\n[queues]\nbilling.frt = "p95 9m"\nsales.band = "none"\n')
    )
    assert scenario.for_queue("billing").frt == Target.percentile(0.95, 540)
    assert scenario.for_queue("sales").frt == scenario.for_queue("other").frt == Target.share(0.8, within_s=60)
    assert scenario.for_queue("sales").band is None
    assert scenario.for_queue("billing").band == Band()
    assert {scenario.for_queue(q).shrinkage.share for q in ("billing", "sales", "other")} == {0.3}


def test_flags_override_the_file_and_its_queues(write):
    """A flag holds for every queue; what it does not name stays as in the file, per queue too."""
    scenario = load_scenario(write(FULL)).with_options({"frt": "mean 30s", "seed": 9, "zone": None})
    assert scenario.rules.frt.kind == scenario.for_queue("billing").frt.kind == "mean"
    assert scenario.for_queue("billing").aht_s == 5400
    assert scenario.for_queue("sales").band is None
    assert (scenario.seed, scenario.zone, scenario.interval_minutes) == (9, "Europe/Berlin", 15)


def test_what_if_flags_change_one_thing(write):
    """A flag for the volume leaves the file's deflection in place."""
    scenario = load_scenario(write(FULL)).with_options({"what_if": {"volume": "-50%"}})
    assert (scenario.what_if.volume, scenario.what_if.deflection) == (0.5, 0.3)


def test_options_leave_the_scenario_alone(write):
    """The scenario that options are laid over stays as it was."""
    scenario = load_scenario(write(FULL))
    scenario.with_options({"frt": "mean 30s", "aht": "1m"})
    assert scenario == load_scenario(write(FULL))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("aht = 6", '`aht` must be a duration with its unit'), ('aht = "6"', '"6s" or "6m"'),
        ('aht = "0s"', "`aht` must be a duration above 0 s"), ('aht = "-6m"', "`aht` must be"),
        ('frt = "80% in 60"', "`frt` must be a duration with its unit"), ('frt = "80% in 0s"', "above 0 s"),
        ("shrinkage = 30", 'write 30 % as "30%" or 0.3'), ('shrinkage = "100%"', "[0, 1)"),
        ('band = "90%-85%"', 'write "85%-90%"'), ('interval = "20m"', '"15m", "30m" or "60m"'),
        ("interval = 30", "`interval` must be a duration with its unit"), ('horizon = "400d"', "to 366 days"),
        ('horizon = "0d"', "`horizon`"), ('patience = "0s"', "`patience`"), ('clear_within = "0s"', "`clear_within`"),
        ("minimum = -1", "`minimum` must be a whole number from 0"), ("minimum = 1.5", "`minimum`"),
        ("minimum = true", "`minimum`"), ("replications = 0", "`replications`"), ("seed = -1", "`seed`"),
        ('hours = { mon = "8-18" }', "`hours.mon` must be windows like"), ('hours = "9 to 5"', "`hours` must be"),
        ("hours = { mon = 8 }", "`hours.mon`"), ('closed_arrivals = "gone"', '"wait" or "lost"'),
        ('zone = "Berlin"', "`zone` must be an IANA zone"),
        ("holidays = 49", "`holidays`"), ('holidays = ""', "`holidays`"),
        ('closed_on_holidays = "yes"', "`closed_on_holidays` must be true or false"),
        ('bad_rows = "skip"', "`bad_rows`"),
        ("since = 20260301", "`since` must be a date or time"),
        ('since = ""', "`since`"), ('until = "soon"', "`until`"),
        ("since = 07:30:00", "`since`"), ("columns = { created_at = 1 }", "`columns`"),
        ("queues_only = 3", "`queues_only`"),
        ("models = [1]", "`models`"), ('queues = "billing"', "write [queues.billing]"),
        ("what_if = 1.2", "`what_if` must be a table with volume, aht, deflection"),
        ('what_if.volume = "20%"', "`what_if.volume`"), ("what_if.deflection = 30", "`what_if.deflection`"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_file_and_key(write, line, says):
    """A value without unit or out of range is refused with the file, the key and the fix."""
    path = write(line + "\n")
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_wrong_value_of_a_queue_names_the_queue(write):
    """Of two queues with handle times, the one without unit is named."""
    path = write('[queues.billing]\naht = "6m"\n[queues.sales]\naht = "6"\n')
    with pytest.raises(InputError, match=r"plan\.toml: in \[queues\.sales\]: `aht` must be a duration") as caught:
        load_scenario(path)
    assert "billing" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('shrinkag = "30%"', "unknown key `shrinkag`; did you mean `shrinkage`?"),
        ('target = "80% in 60s"', "unknown key `target`; "),
        ('[queues.billing]\nath = "6m"', "unknown key `queues.billing.ath`; did you mean `queues.billing.aht`?"),
        ('[queues.billing]\nzone = "UTC"', "unknown key `queues.billing.zone`"),
        ('[what_if]\nvolumes = "+20%"', "unknown key `what_if.volumes`; did you mean `what_if.volume`?"),
        ("qqqq = 1", "the keys are frt, band, shrinkage"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(write, text, says):
    """A key that does not exist is refused with the nearest that does, or with all of them."""
    with pytest.raises(InputError) as caught:
        load_scenario(write(text))
    assert says in str(caught.value)
    assert "plan.toml: " in str(caught.value)


@pytest.mark.parametrize(
    "text", ["frt = 80% in 60s", "frt: 80%", b"\xff\xfea\x00=\x001\x00", b'aht = "6m"\n# \xfc', "a = 1\na = 2"]
)
def test_not_toml(write, text):
    """A file that is not TOML in UTF-8 is refused by name."""
    with pytest.raises(InputError, match=r"plan\.toml: is not valid TOML: "):
        load_scenario(write(text))


def test_no_file(tmp_path):
    """A missing file, a directory and a path below a file are refused by name."""
    with pytest.raises(InputError, match=r"none\.toml: there is no such scenario file"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a directory; name the scenario file in it"):
        load_scenario(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be read"):
        load_scenario(tmp_path / "file" / "plan.toml")


def test_flags_have_no_file():
    """The error for a flag names the key alone."""
    with pytest.raises(InputError) as caught:
        Scenario().with_options({"aht": "6"})
    assert caught.value.file is None
    assert str(caught.value).startswith("`aht`")


def test_which_queues_are_planned():
    """Only those named, less those left out; with neither, all."""
    scenario = Scenario().with_options({"queues_only": "a, b", "skip_queues": ["b"]})
    assert [scenario.plans(q) for q in "abc"] == [True, False, False]
    assert Scenario().plans("a")


def test_closed_days_and_the_order_of_priorities(write):
    """Days may be written as TOML dates or as text; the order of priorities keeps its order."""
    scenario = load_scenario(write('closed_days = [2026-12-24, "2026-12-31"]\npriority_order = ["2", "1", "0"]\n'))
    assert scenario.closed_days == (dt.date(2026, 12, 24), dt.date(2026, 12, 31))
    assert scenario.priority_order == ("2", "1", "0")
    with pytest.raises(InputError, match="closed_days"):
        load_scenario(write('closed_days = ["24.12.2026"]\n'))


@pytest.mark.parametrize("text", ["1.4.2025", "01/04/2025", "13.4.2025", "April 1"])
def test_days_that_could_mean_two_things_are_refused(text):
    """A day is written year first; whatever could be the first of April or the fourth of January is refused."""
    with pytest.raises(InputError, match=f"`since` must be a date or time like 2026-03-01.*{text}"):
        Scenario().with_options({"since": text})


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('[queues.billing]\nminimum = 1\n[queues.billing]\nband = "none"\n', "stands once in the file"),
        ('aht = "6m"\naht = "7m"\n', "a key stands once in its table"),
        ("zone = Europe/Berlin\n", "text stands in quotes"),
    ],
)
def test_what_is_wrong_with_toml_comes_with_its_own_fix(tmp_path, text, hint):
    """A table or key that stands twice is not answered with quotes."""
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_scenario(tmp_path / "plan.toml")
    assert hint in str(error.value)
    assert ("quotes" in str(error.value)) == ("quotes" in hint)
