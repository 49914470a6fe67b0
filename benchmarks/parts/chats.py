"""Chat: what dividing Erlang C by the conversations an agent holds delivers, beside the chat models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from parts.common import Options, prose, table
from parts.events import chat_waits
from staffcast.erlang import Target, performance, required_agents

TITLE = "Chat"

HOURLY, AHTS, WITHIN_S, LEVEL = 200.0, (300.0, 380.0, 480.0), 60.0, 0.8


def measure(options: Options) -> str:
    """The table of crews."""
    rng, target = np.random.default_rng(29), Target.share(LEVEL, within_s=WITHIN_S)
    chats: dict[str, Any] = {
        "arrivals_per_hour": HOURLY,
        "aht_s": AHTS[0],
        "concurrency": 3,
        "aht_by_concurrency_s": AHTS,
    }
    crews = {
        f"Erlang C with {aht:g} s, ÷ 3": math.ceil(
            int(required_agents(arrivals_per_hour=HOURLY, aht_s=aht, target=target).agents) / 3
        )
        for aht in (AHTS[0], AHTS[-1])
    }
    models = {"chat": "`chat`: spread evenly", "chat_lls": "`chat_lls`: least loaded"}
    crews |= {name: int(required_agents(**chats, target=target, model=model).agents) for model, name in models.items()}
    runs, count = (60, 4000) if options.quick else (200, 12000)
    simulated, rows = {}, []
    for agents in sorted(set(crews.values())):
        waits = chat_waits(rng, HOURLY / 3600, agents, AHTS, runs=runs, chats=count, skip=count // 4)
        shares = (waits <= WITHIN_S).mean(axis=1)
        simulated[agents] = float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(runs)), float(waits.mean())
    for name, agents in crews.items():
        mean, error, wait = simulated[agents]
        told = [
            float(performance(**chats, agents=agents, target_s=WITHIN_S, model=model).service_level) for model in models
        ]
        hold = agents * 3 / AHTS[-1] > HOURLY / 3600
        rows.append((
            name, agents, f"{100 * mean:.2f} ± {100 * error:.2f} %" if hold else f"{100 * mean:.1f} % and falling",
            f"{wait:,.1f}" if hold else "grows without end", *(f"{100 * each:.2f} %" for each in told),
        ))  # fmt: skip
    needed = crews["`chat_lls`: least loaded"]
    fewer = float(performance(**chats, agents=needed - 1, target_s=WITHIN_S, model="chat_lls").service_level)
    text = prose(
        f"""{HOURLY:g} chats an hour, up to 3 an agent, {", ".join(f"{aht:g}" for aht in AHTS)} s each with 1, 2, 3 in
        hand, 80 % in {WITHIN_S:g} s. Simulated event by event, a new chat to the agent with the fewest, where it stays:
        {runs} runs of {count:,} chats each, ± the standard error from runs as the unit. One agent fewer than
        {needed} would give {100 * fewer:.1f} % by `chat_lls`."""
    )
    head = ["staffed by", "agents", "in time, simulated", "mean wait, s", "in time by `chat`", "in time by `chat_lls`"]
    return f"{text}\n\n{table(head, rows)}"
