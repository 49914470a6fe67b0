import numpy as np
import pandas as pd
import pytest

from staffcast.contracts import DEMAND, REQUIREMENT, SERIES, TICKETS, InputError, quantile_column


def demand(**columns):
    rows = {
        "unique_id": ["billing", "billing", "sales"],
        "ds": ["2026-03-02T08:00:00+01:00", "2026-03-02T08:30:00+01:00", "2026-03-02T08:00:00+01:00"],
        "mean": ["3", "4.5", "0"],
    }
    return pd.DataFrame(rows | columns)


def test_columns_come_out_in_their_kinds():
    """Text from a CSV becomes instants, numbers and flags; further columns pass through, the frame given stays."""
    given = demand(open=["True", "1", "false"], note=["a", "b", "c"]).set_index(pd.Index([7, 8, 9]))
    before = given.copy()
    made = DEMAND.check(given)
    assert made["mean"].tolist() == [3.0, 4.5, 0.0]
    assert made["ds"].tolist() == [pd.Timestamp(t) for t in before["ds"]]
    assert made["open"].tolist() == [True, True, False]
    assert made["open"].dtype == bool
    assert made["note"].tolist() == ["a", "b", "c"]
    assert made.index.tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize(
    ("columns", "row", "column", "says"),
    [
        ({"mean": ["3", "-1", "0"]}, 3, "mean", "is -1, outside [0, inf)"),
        ({"mean": ["3", "many", "0"]}, 3, "mean", "cannot read 'many' as a number"),
        ({"mean": ["3", "4", None]}, 4, "mean", "is empty"),
        ({"mean": ["inf", "4", "0"]}, 2, "mean", "is inf, outside [0, inf)"),
        ({"ds": ["soon", "2026-03-02T08:00Z", "2026-03-02T09:00Z"]}, 2, "ds", "cannot read 'soon' as a time"),
        ({"ds": ["2026-03-02T08:00Z", "2026-03-02T08:30", "2026-03-02T08:00Z"]}, 3, "ds", "without an offset"),
        ({"ds": pd.date_range("2026-03-02", periods=3, freq="h")}, 2, "ds", "without an offset"),
        ({"ds": ["2026-03-02T08:00Z", "2026-03-02T09:00Z", None]}, 4, "ds", "is empty"),
        ({"unique_id": ["a", None, "b"]}, 3, "unique_id", "is empty"),
        ({"aht_s": ["360", "-1", "5"]}, 3, "aht_s", "is -1, outside"),
        ({"aht_s": ["360", "0", "5"]}, 3, "aht_s", "is 0, outside"),
        ({"open": ["true", "false", "maybe"]}, 4, "open", "cannot read 'maybe' as true or false"),
        ({"rate_cv": ["0.1", "0.2", "-0.1"]}, 4, "rate_cv", "is -0.1, outside [0, 10]"),
    ],
)
def test_errors_name_file_row_and_column(columns, row, column, says):
    """A bad value is named with its file, the row as a spreadsheet counts it, its column and itself."""
    with pytest.raises(InputError) as caught:
        DEMAND.check(demand(**columns), file="plan/demand.csv")
    assert str(caught.value).startswith(f"plan/demand.csv, row {row}, column {column}: ")
    assert says in str(caught.value)
    assert (caught.value.file, caught.value.row, caught.value.column) == ("plan/demand.csv", row, column)


def test_the_number_of_bad_rows_is_told():
    """Of several bad rows the first is shown, with how many there are."""
    with pytest.raises(InputError, match=r"row 3, column mean: is -2, .*\(2 such rows\)$"):
        DEMAND.check(demand(mean=["1", "-2", "-3"]))


def test_missing_columns_are_named_with_what_is_there():
    """A lacking column is named, with those found and the command that makes the table."""
    with pytest.raises(InputError) as caught:
        DEMAND.check(demand().rename(columns={"mean": "Mean"}), file="demand.csv")
    assert "lacks mean; it has: unique_id, ds, Mean. `staffcast forecast LOG` writes it." in str(caught.value)


def test_a_table_without_rows():
    """A header alone is no table."""
    with pytest.raises(InputError, match=r"demand\.csv: the demand table has no rows"):
        DEMAND.check(demand().iloc[:0], file="demand.csv")


def test_a_key_that_stands_twice():
    """Two rows for one queue and instant are refused, also where the instant is written in two zones."""
    twice = demand(unique_id=["a", "b", "a"], ds=["2026-03-02T08:00Z", "2026-03-02T08:00Z", "2026-03-02T09:00+01:00"])
    with pytest.raises(InputError, match=r"row 4: unique_id=a, ds=.*stands twice \(1 such rows\).*unique_id and ds"):
        DEMAND.check(twice, file="demand.csv")


def test_whole_numbers():
    """Half an agent is refused; a whole number is one however it was written."""
    table = pd.DataFrame({"unique_id": ["a"], "ds": ["2026-03-02T08:00Z"], "agents": ["7.0"]})
    assert REQUIREMENT.check(table)["agents"].tolist() == [7]
    assert REQUIREMENT.check(table)["agents"].dtype == np.int64
    with pytest.raises(InputError, match=r"row 2, column agents: is 7\.5, not a whole number"):
        REQUIREMENT.check(table.assign(agents="7.5"))


def test_empty_where_empty_is_allowed():
    """An unknown count stays unknown: it is neither refused nor zero."""
    rows = pd.DataFrame({"unique_id": "a", "ds": ["2026-03-02T08:00Z", "2026-03-02T09:00Z"], "y": ["4", None]})
    made = SERIES.check(rows)["y"]
    assert made[0] == 4
    assert np.isnan(made[1])


def test_aware_instants_keep_their_zone():
    """Instants that have a zone already are not moved to another."""
    ds = pd.date_range("2026-03-29", periods=3, freq="h", tz="Europe/Berlin")
    assert str(SERIES.check(pd.DataFrame({"unique_id": "a", "ds": ds, "y": 1}))["ds"].dt.tz) == "Europe/Berlin"


def test_ids_of_numbers_are_text():
    """Ticket 7 of a Parquet file is ticket 7 of a CSV."""
    created = pd.to_datetime(["2026-03-02T08:00Z", "2026-03-02T08:01Z"])
    numbers = TICKETS.check(pd.DataFrame({"ticket_id": [7, 8], "created_at": created}))
    text = TICKETS.check(pd.DataFrame({"ticket_id": ["7", "8"], "created_at": created}))
    pd.testing.assert_frame_equal(numbers, text)


def test_names_of_quantiles():
    """Every quantile has a column of its own, named by its percentage."""
    assert [quantile_column(q) for q in (0.05, 0.5, 0.95, 0.999, 0.025)] == ["q05", "q50", "q95", "q99.9", "q02.5"]
    made = {quantile_column(q / 1000) for q in range(1, 1000)}
    assert len(made) == 999
