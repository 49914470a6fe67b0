"""What people look at: one HTML file that stands alone, tables on a terminal, JSON for programs."""

import html
import io
import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from test_plan import OPTIONS, scenario, small_log

from staffcast.forecast import Demand
from staffcast.plan import make_plan
from staffcast.report import as_json, levers, print_frame, render, summarise, write_plan
from staffcast.report.summary import _weeks
from staffcast.scenario import Scenario

NASTY = {"chat": """<b>&"' $x$ [/b]""", "tiny": "Größe 客服 🚀 </h2><script>alert(1)</script>"}
VOID = {"meta", "br", "img", "hr", "input", "link"}
PLOTS_PER_QUEUE = 8


class Page(HTMLParser):
    """The page as a browser's parser sees it: tags in order, their attributes, and the text inside each kind of tag."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.errors, self.tags, self.texts = [], [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Note the tag, and that its text begins."""
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attributes):
        """Note the tag, which has no text."""
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        """Note where it does not close the tag opened last."""
        if not self.open or self.open.pop() != tag:
            self.errors.append((tag, self.getpos()))

    def handle_data(self, data):
        """Add to the text of every tag around it."""
        for tag in self.open:
            self.texts[tag][-1] += data


@pytest.fixture(scope="module")
def nasty():
    """A plan whose queues, agents, priorities and file are named to break a page."""
    log = small_log().replace({"queue": NASTY, "priority": {"high": "<s>1</s>"}, "agent": {"Ana": "<u>Ana</u>"}})
    roster = pd.DataFrame(
        {
            "agent": ["<u>Ana</u>", "Bo & Co"],
            "start": "2024-03-28T08:00:00+01:00",
            "end": "2024-03-28T12:00:00+01:00",
            "state": "available",
        }
    )
    return make_plan(log, scenario(horizon="8d"), roster=roster)


@pytest.fixture(scope="module")
def text(nasty):
    return render(nasty, source="""<em>tickets</em> "&'.csv""")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def drawings(text):
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)]


def references(element):
    """Ids that an element and those below it point to."""
    for each in element.iter():
        for name, value in each.attrib.items():
            if name.endswith("href") and value.startswith("#"):
                yield value[1:]
            yield from re.findall(r"url\(#([^)]+)\)", value)


def test_the_page_loads_nothing_from_anywhere(text, page):
    """No tag that fetches, no address in an attribute or a style that is not inside the page itself."""
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "img", "object", "embed", "video", "base"}
    fetching = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name.split(":")[-1] in ("href", "src", "srcset", "data", "poster", "action", "background")
    ]
    assert fetching
    assert [v for v in fetching if not v.startswith(("#", "data:image/png;base64,"))] == []
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text


def test_every_tag_is_closed_in_its_place(page):
    """The page is well-formed: each tag closes the one opened last."""
    assert page.errors == []
    assert page.open == []


def test_every_drawing_is_whole_xml_and_finds_what_it_refers_to(drawings):
    """Each SVG parses on its own, and each clip path, marker and gradient that it uses is defined in it."""
    assert len(drawings) == PLOTS_PER_QUEUE * len(NASTY)
    for drawing in drawings:
        ids = [e.get("id") for e in drawing.iter() if e.get("id")]
        used = set(references(drawing))
        assert used
        assert used <= set(ids)
        assert all(ids.count(name) == 1 for name in used)


def test_an_id_used_in_two_drawings_means_the_same_in_both(drawings):
    """A browser takes the page's first element of an id, so drawings may share an id only for equal shapes."""
    shapes = {}
    for drawing in drawings:
        used = set(references(drawing))
        for element in drawing.iter():
            if element.get("id") in used:
                shapes.setdefault(element.get("id"), set()).add(ElementTree.tostring(element).strip())
    assert [name for name, found in shapes.items() if len(found) > 1] == []


def test_names_are_shown_as_they_are_and_never_as_markup(text, page):
    """Queues, agents, priorities and the file's name stand in the page letter by letter, with no tag made of them."""
    assert [h for h in page.texts["h2"] if h in NASTY.values()] == sorted(NASTY.values())
    for name in NASTY.values():
        assert name in page.texts["td"]
        assert name in page.texts["a"]
        assert name not in text
        assert any(name in note for note in page.texts["li"])
    for name in ("<u>Ana</u>", "Bo & Co", "<s>1</s>"):
        assert name in page.texts["td"]
    assert any("""from <em>tickets</em> "&'.csv""" in p for p in page.texts["p"])
    assert not {tag for tag, _ in page.tags} & {"s", "u", "em", "script"}
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    for name in NASTY.values():
        assert sum(label.startswith(f"{name}: ") for label in labels) == PLOTS_PER_QUEUE


def test_every_link_of_the_page_leads_somewhere(page):
    """The navigation names every queue and each of its targets is there exactly once."""
    ids = [
        attributes["id"]
        for tag, attributes in page.tags
        if tag in ("h2", "h3", "section", "div") and "id" in attributes
    ]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert len(links) >= len(NASTY) + 2
    assert all(ids.count(link.removeprefix("#")) == 1 for link in links)


def test_the_page_says_what_was_planned(nasty, text, page):
    """Title, span, zone, interval and the headline's figures are those of the plan."""
    assert page.texts["title"] == ["Staffing plan Sun 31 Mar 2024 – Sun 07 Apr 2024"]
    shown = html.unescape(text)
    assert "60-minute intervals" in shown
    assert "Europe/Berlin" in shown
    summary = summarise(nasty)
    for figure in (f"{summary['fte'].sum():,.1f}", f"{summary['agent_hours_per_week'].sum():,.0f}"):
        assert any(figure in b for b in page.texts["b"])
    assert set(summary["verdict"]) <= {"met", "missed", "undecided"}
    for lever in levers(nasty, summary):
        assert lever in page.texts["li"]


def test_the_first_weeks_table_has_every_staffed_interval_with_its_reason(nasty, page):
    """Each number of agents of the first seven days stands in the page with the sentence that explains it."""
    local = nasty.requirement["ds"].dt.tz_localize(None)
    first = nasty.requirement[(local < pd.Timestamp("2024-04-07")) & (nasty.requirement["agents"] > 0)]
    for reason in first["reason"].unique():
        assert reason in page.texts["td"]
    assert page.texts["td"].count("Mon 01 Apr 10:00") == len(NASTY)


def test_the_same_plan_is_drawn_in_the_same_bytes(nasty, text):
    """Neither the clock nor the order of drawing shows in the report."""
    assert render(nasty, source="""<em>tickets</em> "&'.csv""") == text


def test_a_plan_of_a_closed_desk_can_be_looked_at():
    """A horizon in which nobody works, one Sunday, has a report and printed tables like any other."""
    made = make_plan(small_log(), scenario(horizon="1d"))
    assert Page(render(made, source="log.csv")).errors == []


def test_a_plan_from_counts_can_be_looked_at(tmp_path):
    """Without tickets there are no KPIs: the report says so, and no kpi.csv is written."""
    series = small_log().assign(ds=lambda f: f["created_at"].dt.floor("60min", ambiguous=True), y=1)
    counts = series.groupby(["queue", "ds"], as_index=False)["y"].sum()
    made = make_plan(counts, Scenario().with_options({**OPTIONS, "aht": "10m", "queues_only": "chat"}))
    report = write_plan(made, tmp_path / "out", source="counts.csv")
    assert "no tickets to measure" in report.read_text(encoding="utf-8")
    assert {p.name for p in report.parent.iterdir()} == {
        "series.csv", "backtest.csv", "demand.csv", "requirement.csv", "outcome.csv", "outcome-summary.csv",
        "openings.csv", "summary.csv", "report.html",
    }  # fmt: skip


def test_summary_figures_add_up(nasty):
    """Per queue: hours are agents × interval, FTE is rostered hours ÷ 40, and the binding rules share the intervals."""
    weeks = (nasty.demand.ds[-1] - nasty.demand.ds[0] + pd.Timedelta(hours=2)) / pd.Timedelta(
        weeks=1
    )  # one hour skipped
    for row in summarise(nasty).to_dict("records"):
        table = nasty.requirement[nasty.requirement["unique_id"] == row["unique_id"]]
        assert row["agent_hours_per_week"] * weeks == pytest.approx(table["agents"].sum())
        assert row["fte"] * 40 * weeks == pytest.approx(table["rostered"].sum())
        assert row["peak_agents"] == table["agents"].max()
        assert row["tickets_per_week"] * weeks == pytest.approx(table["mean"].sum())
        assert row["by_frt"] + row["by_occupancy"] + row["by_minimum"] == pytest.approx(1)
        assert row["rostered_hours_per_week"] >= row["agent_hours_per_week"] / 0.7 - 1e-9


def test_json_has_no_value_that_json_does_not_know():
    """Missing and infinite values become null, instants ISO 8601, numpy's numbers plain ones; keys keep their order."""
    frame = pd.DataFrame(
        {
            "ds": [pd.Timestamp("2024-03-31T01:00", tz="Europe/Berlin"), pd.NaT],
            "n": np.array([1, 2], dtype=np.int64),
            "x": [math.inf, math.nan],
            "flag": [True, False],
            "any": pd.array([pd.NA, 3], dtype="Int64"),
            "text": pd.array(["a", pd.NA], dtype="string"),
        }
    )
    body = json.loads(as_json("test", {"rows": frame, "list": (1, np.float64(0.5)), "of": np.array([1.0, math.nan])}))
    assert list(body) == ["schema_version", "kind", "rows", "list", "of"]
    assert body["rows"] == [
        {"ds": "2024-03-31T01:00:00+01:00", "n": 1, "x": None, "flag": True, "any": None, "text": "a"},
        {"ds": None, "n": 2, "x": None, "flag": False, "any": 3, "text": None},
    ]
    assert (body["list"], body["of"]) == ([1, 0.5], [1.0, None])


def test_a_long_table_is_cut_with_a_word_on_how_to_get_the_rest():
    """Forty rows are printed, the number of the others is said, and brackets in cells and headings are no markup."""
    frame = pd.DataFrame({"queue [/x]": "[b]vip[/b]", "n": range(1000)})
    stream = io.StringIO()
    print_frame(frame, title="All", stream=stream)
    lines = stream.getvalue().splitlines()
    assert sum("[b]vip[/b]" in line for line in lines) == 40
    assert "queue [/x]" in stream.getvalue()
    assert lines[-2:] == ["… and 960 rows more", "-o FILE writes all rows"]


def test_a_week_is_seven_days_wherever_the_plan_starts():
    """Fourteen days from Friday evening over the autumn change are two weeks, not fifteen days' worth."""
    ds = pd.date_range("2025-10-17 18:00", "2025-10-31 18:00", freq="h", tz="Europe/Berlin", inclusive="left")
    assert len(ds) == 14 * 24 + 1
    assert _weeks(Demand.from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "mean": 1.0}))) == 2.0
