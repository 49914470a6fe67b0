"""What people look at: tables on a terminal, plots, one HTML file, CSV and JSON."""

from staffcast.report.beside import print_comparison, print_sweep
from staffcast.report.frontier_plot import write_frontier
from staffcast.report.html import render
from staffcast.report.summary import figure, headline, levers, model_notes, summarise
from staffcast.report.terminal import SCHEMA_VERSION, as_json, print_frame, print_plan, print_played
from staffcast.report.write import plan_body, write_plan

__all__ = [
    "SCHEMA_VERSION",
    "as_json",
    "figure",
    "headline",
    "levers",
    "model_notes",
    "plan_body",
    "print_comparison",
    "print_frame",
    "print_plan",
    "print_played",
    "print_sweep",
    "render",
    "summarise",
    "write_frontier",
    "write_plan",
]
