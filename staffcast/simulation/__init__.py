"""What if: a staffing plan played against sampled demand, ticket by ticket.

``inputs``    ``Arrivals``, ``Staffing``, ``Service``, ``Patience``: what is played, checked when constructed
``sampling``  the random numbers, one stream per replication and purpose
``kernel``    the event loop, with its numbered semantics
``measure``   one replication turned into sums, counts and histograms
``outcome``   ``Outcome`` and ``Summary``: what came out, with its uncertainty
``engine``    ``simulate``: the door
"""

from staffcast.simulation.engine import simulate
from staffcast.simulation.inputs import Arrivals, Patience, Service, Staffing
from staffcast.simulation.outcome import Outcome

__all__ = ["Arrivals", "Outcome", "Patience", "Service", "Staffing", "simulate"]
