"""staffcast: from a ticket log to the agents needed in every interval of the coming weeks.

The rooms, in the order in which the data walks through them:

``contracts``    the tables and the small frozen inputs that rooms hand to each other
``tickets``      what came in: read a log, check it, count it per interval
``forecast``     how many will come: models, backtest, uncertainty
``erlang``       how many are needed: queueing formulas and the staffing solver
``utilization``  how busy, how well: KPIs from a log, shrinkage
``simulation``   what if: a plan played against sampled demand
``report``       what people look at: tables, plots, one HTML file
``plan``         the main road through all of them
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("staffcast")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0+source"

__all__ = ["__version__"]
