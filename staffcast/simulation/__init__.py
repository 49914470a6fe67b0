"""What if: a staffing plan played against sampled demand, ticket by ticket.

``inputs``       ``Arrivals``, ``Staffing``: what is played, checked when constructed
``laws``         ``Service``, ``Patience``: how long things last
``groups``       ``Group``: agents with skills, and with several conversations at once
``customers``    ``Redial``, ``Reopening``, ``Repeats``, ``Bot``: what customers do besides waiting
``sampling``     the random numbers, one stream per replication and purpose
``streams``      the plain ones, many at once; ``chance``: those that belong to a ticket, drawn when needed
``kernel``       the event loop, with its numbered semantics; ``lines``, ``heap``, ``compiled`` beneath it
``floor``        the second one, for agents who are followed one by one; ``floorplay`` lays out its arrays; ``hands``,
                 ``crew``, ``tournament`` beneath it
``replication``  one replication: drawn, played, what became of its tickets
``measure``      replications turned into sums, counts and histograms; ``tally`` does it in one pass
``goals``        what targets of single classes are judged by; when within its handling a ticket has its first reply;
                 ``verdicts`` judges them
``outcome``      ``Outcome``: what came out; ``collect`` makes it, ``summary`` in one record; ``intervals``: errors over
                 replications
``runs``         replications in chunks: until precise enough, and on from where they stopped
``engine``       ``simulate``: the door
``turns``        when each reply of a conversation of several turns comes
``together``     several queues whose agents are shared, told apart queue by queue
``compare``      plans against the same tickets; ``controlled``: a figure with the luck of the draw taken out
``selfcheck``    the simulator beside the exact answer where there is one
``openings``     what waits when a queue opens, and how long it takes to clear
``overdays``     figures day by day, and intervals whose unit is the day
``stratified``   replications spread over how many tickets come
``twin``         a plan's Markov twin: exact figures, and the luck of the draw taken out with them
``sweep``        what if volume, handle time, staff … were other: a frame, and the frontier of cost and waiting
"""

from staffcast.simulation.compare import Comparison, compare, compare_outcomes, controlled
from staffcast.simulation.customers import Bot, Redial, Reopening, Repeats
from staffcast.simulation.engine import simulate
from staffcast.simulation.groups import Group
from staffcast.simulation.inputs import Arrivals, Staffing
from staffcast.simulation.laws import Patience, Service
from staffcast.simulation.outcome import Outcome
from staffcast.simulation.selfcheck import SelfCheck, self_check
from staffcast.simulation.sweep import frontier, sweep
from staffcast.simulation.together import Line, Shared, Together, simulate_together
from staffcast.simulation.turns import replies
from staffcast.simulation.twin import twin_controlled
from staffcast.simulation.verdicts import verdict_on

__all__ = [
    "Arrivals",
    "Bot",
    "Comparison",
    "Group",
    "Line",
    "Outcome",
    "Patience",
    "Redial",
    "Reopening",
    "Repeats",
    "SelfCheck",
    "Service",
    "Shared",
    "Staffing",
    "Together",
    "compare",
    "compare_outcomes",
    "controlled",
    "frontier",
    "replies",
    "self_check",
    "simulate",
    "simulate_together",
    "sweep",
    "twin_controlled",
    "verdict_on",
]
