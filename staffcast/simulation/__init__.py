"""What if: a staffing plan played against sampled demand, ticket by ticket.

``inputs``       ``Arrivals``, ``Staffing``: what is played, checked when constructed
``laws``         ``Service``, ``Patience``: how long things last
``groups``       ``Group``: agents with skills, and with several conversations at once
``customers``    ``Redial``, ``Reopening``, ``Repeats``, ``Bot``: what customers do besides waiting
``sampling``     the random numbers, one stream per replication and purpose
``chance``       random numbers that belong to a ticket, drawn when needed
``kernel``       the event loop, with its numbered semantics; ``lines``, ``heap``, ``compiled`` beneath it
``floor``        the second one, for agents who are followed one by one; ``floorplay`` lays out its arrays; ``hands``,
                 ``crew``, ``tournament`` beneath it
``replication``  one replication: drawn, played, what became of its tickets
``measure``      replications turned into sums, counts and histograms; ``tally`` does it in one pass
``outcome``      ``Outcome`` and ``Summary``: what came out, with its uncertainty
``engine``       ``simulate``: the door
"""

from staffcast.simulation.customers import Bot, Redial, Reopening, Repeats
from staffcast.simulation.engine import simulate
from staffcast.simulation.groups import Group
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.outcome import Outcome

__all__ = [
    "Arrivals",
    "Bot",
    "Group",
    "Outcome",
    "Patience",
    "Redial",
    "Reopening",
    "Repeats",
    "Service",
    "Staffing",
    "simulate",
]
