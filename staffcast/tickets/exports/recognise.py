"""Whose export a file is, told by its header."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from staffcast.contracts import InputError, bad_value
from staffcast.tickets.exports import vendors
from staffcast.tickets.exports.formats import Binding, Field, Format, bind, column_of, normal_name
from staffcast.tickets.exports.report import masked

__all__ = ["FORMATS", "VENDOR_NAMES", "guess", "is_header", "named", "recognise", "resembles"]

FORMATS: tuple[Format, ...] = (
    vendors.ZENDESK, vendors.ZENDESK_METRICS, vendors.ZENDESK_COMMENTS, vendors.FRESHDESK, vendors.INTERCOM,
    vendors.HUBSPOT, vendors.CHATWOOT, vendors.GENESYS, vendors.CONNECT, vendors.CALABRIO,
)  # fmt: skip
_FAMILIES = {"zendesk": ("zendesk", "zendesk_metrics", "zendesk_comments"), "freshservice": ("freshdesk",),
             "teleopti": ("calabrio",)}  # fmt: skip
VENDOR_NAMES = tuple(sorted({f.name.split("_")[0] for f in FORMATS} | {"freshservice", "teleopti"}))
# Words that columns of unknown exports go by, beside those of the vendors.
_WORDS: dict[str, tuple[str, ...]] = {
    "ticket_id": ("ticket_id", "conversation_id", "room_code", "room_id", "chat_id", "case_id", "case_number",
    "ticket_number",
                  "number", "conversation", "ticket", "id"),
    "created_at": ("created_at", "created", "created_on", "opened_at", "start_time", "chat_start_time", "started_at",
                   "date_created", "received_at", "opened", "started"),
    "first_response_at": ("first_response_at", "first_response", "first_reply_at", "first_agent_reply_at"),
    "resolved_at": ("resolved_at", "closed_at", "closed_on", "end_time", "chat_end_time", "ended_at", "solved_at",
                    "date_closed", "closed", "resolved", "ended"),
    "assigned_at": ("assigned_at", "agent_assignment_timestamp", "assigned_on", "assignment_time"),
    "stated_frt_s": ("first_response_time", "agent_first_response_time", "frt", "first_reply_time"),
    "stated_resolution_s": ("resolution_time", "full_resolution_time"),
    "handle_s": ("handle_time", "handling_time", "aht", "duration"),
    "queue": ("queue", "team", "group", "department", "inbox", "inbox_name"),
    "channel": ("channel", "source", "channel_name"),
    "agent": ("agent", "agent_name", "operator", "assignee", "assigned_to", "owner", "user_name",
              "closed_by"),
    "bot_first_response_at": ("bot_first_response_at", "bot_reply_at"),
    "customer_id": ("customer_id", "user_id", "contact_id", "phone", "phone_number", "customer_phone", "wa_id",
    "contact",
                    "customer"),
    "priority": ("priority",),
    "status": ("status", "state"),
    "csat": ("csat", "csat_score", "rating", "satisfaction"),
    "nps": ("nps", "nps_score"),
    "ces": ("ces", "effort_score"),
    "reopens": ("reopens", "reopen_count", "reopened"),
    "replies": ("replies", "agent_replies"),
}  # fmt: skip
# The same in other words and languages; after the exact ones, so that those win.
_MORE_WORDS: dict[str, tuple[str, ...]] = {
    "ticket_id": (
        "case_no",
        "ticket_no",
        "no",
        "nr",
        "nummer",
        "ticketnummer",
        "vorgang",
        "vorgangsnummer",
        "fall",
        "fallnummer",
        "número",
        "numero",
        "protocolo",
        "chamado",
        "caso",
        "atendimento",
        "case",
    ),
    "created_at": (
        "erstellt",
        "erstellt_am",
        "erstellungsdatum",
        "eröffnet",
        "eröffnet_am",
        "angelegt",
        "eingang",
        "criado",
        "criado_em",
        "criação",
        "data_de_criação",
        "aberto_em",
        "abertura",
        "creado",
        "creado_el",
        "fecha_de_creación",
        "fecha_creación",
        "abierto",
        "apertura",
        "open_time",
        "date_opened",
        "creation_date",
    ),
    "first_response_at": (
        "first_answer",
        "first_answer_at",
        "answered_at",
        "first_reply",
        "erste_antwort",
        "erstantwort",
        "erste_reaktion",
        "primeira_resposta",
        "primeira_resposta_em",
        "primera_respuesta",
    ),
    "resolved_at": (
        "done",
        "done_at",
        "finished",
        "completed",
        "completed_at",
        "gelöst",
        "gelöst_am",
        "geschlossen",
        "geschlossen_am",
        "erledigt",
        "erledigt_am",
        "abgeschlossen",
        "resolvido",
        "resolvido_em",
        "fechado",
        "fechado_em",
        "encerrado",
        "encerrado_em",
        "resuelto",
        "cerrado",
        "fecha_de_cierre",
    ),
    "handle_s": (
        "effort",
        "effort_mins",
        "effort_min",
        "effort_minutes",
        "handling_minutes",
        "work_minutes",
        "bearbeitungszeit",
        "bearbeitungsdauer",
        "aufwand",
        "tempo_de_atendimento",
        "tiempo_de_atención",
    ),
    "queue": ("desk", "warteschlange", "gruppe", "abteilung", "fila", "departamento", "equipe", "grupo", "cola"),
    "channel": ("kanal", "canal", "quelle", "origem", "origen", "via"),
    "agent": (
        "worked_by",
        "handled_by",
        "resolved_by",
        "bearbeiter",
        "bearbeitet_von",
        "zuständig",
        "mitarbeiter",
        "agente",
        "atendente",
        "responsável",
        "responsable",
        "asignado_a",
    ),
    "customer_id": (
        "client",
        "client_id",
        "requester",
        "kunde",
        "kundennummer",
        "kunden_id",
        "cliente",
        "contato",
        "contacto",
    ),
    "priority": ("priorität", "dringlichkeit", "urgency", "prioridade", "prioridad"),
    "status": ("zustand", "situação", "estado"),
    "csat": ("zufriedenheit", "bewertung", "avaliação", "satisfação", "satisfacción", "valoración"),
    "topic": ("category", "kategorie", "thema", "categoria", "categoría", "assunto_tipo"),
}
_DATA_CELL = re.compile(r"\d{4}-\d\d|\d\d[-/.]\d\d[-/.]\d{2,4}|@|\d{7,}|^-?[\d.,:]+$")


def is_header(cells: Sequence[str]) -> bool:
    """Whether a first line holds names rather than data: no dates, addresses, long or bare numbers."""
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and not any(_DATA_CELL.search(cell) or len(cell) > 80 for cell in filled)


def named(name: str) -> tuple[Format, ...]:
    """The formats that go by a name.

    Raises
    ------
    InputError
        No such name.
    """
    wanted = _FAMILIES.get(name.lower(), (name.lower(),))
    found = tuple(f for f in FORMATS if f.name in wanted)
    if not found:
        close = difflib.get_close_matches(name.lower(), VENDOR_NAMES, n=1)
        raise bad_value(
            "format", name, f"one of {', '.join(VENDOR_NAMES)}", f"did you mean {close[0]}?" if close else None
        )
    return found


def _marks(form: Format, columns: Sequence[str]) -> int:
    names = {normal_name(c) for c in columns}
    return len(names & set(form.marks))


def _fits(form: Format, columns: Sequence[str]) -> Binding | None:
    binding = bind(form, columns)
    return binding if all(name in binding.at for name in form.needs) else None


def _headerless(columns: Sequence[str]) -> Binding | None:
    """Calabrio's files have no header: 21 cells that begin with minutes, a date and a time."""
    form = vendors.CALABRIO
    if len(columns) != len(form.header):
        return None
    minutes, day, clock = (c.strip() for c in columns[:3])
    fits = re.fullmatch(r"15|30|60", minutes) and re.fullmatch(r"\d{4}-?\d\d-?\d\d", day)
    return bind(form, form.header) if fits and re.fullmatch(r"\d\d:?\d\d(:\d\d)?", clock) else None


def recognise(columns: Sequence[str], *, file: str, asked: str | None = None) -> Binding:
    """Find whose export a header is and lay the format onto it.

    Parameters
    ----------
    columns : sequence of str
        The first line's cells.
    file : str
        Named in errors.
    asked : str, optional
        A vendor's name: only its formats are tried, and it need not be sure.

    Raises
    ------
    InputError
        Unknown, or like two vendors. Says which columns are there, what comes nearest, and how to write a mapping.
    """
    if (bare := _headerless(columns)) is not None and (asked is None or asked in ("calabrio", "teleopti")):
        return bare
    forms = FORMATS if asked is None else named(asked)
    least = {f.name: f.least if asked is None else 1 for f in forms}
    scored = sorted(((_marks(f, columns), f) for f in forms), key=lambda pair: -pair[0])
    sure = [(n, f, b) for n, f in scored if n >= least[f.name] and (b := _fits(f, columns)) is not None]
    if sure and (len(sure) == 1 or sure[0][0] > sure[1][0]):
        return sure[0][2]
    if not is_header(columns):
        raise InputError(
            "the first line looks like data, not like the names of columns; put a header line above it, "
            "or name the vendor with --format",
            file=file,
        )  # fmt: skip
    shown = ", ".join(masked(c) or "(empty)" for c in columns[:60]) + (" …" if len(columns) > 60 else "")
    if sure:
        rivals = " or ".join(f.title for n, f, _ in sure if n == sure[0][0])
        raise InputError(f"may be of {rivals}; say which with --format. It has the columns: {shown}", file=file)
    best, nearest = max(scored, key=lambda pair: (pair[0], pair[1].kind == "tickets"))
    near = (
        f"nearest is {nearest.title} ({_lacking(nearest, columns)})" if best else "it is like no vendor's that is known"
    )
    how = f"name the vendor with --format ({', '.join(VENDOR_NAMES)})" if asked is None else "choose another --format"
    raise InputError(
        f"cannot tell whose export this is: {near}. It has the columns: {shown}. Either {how}, "
        "or write down what its columns mean: --write-mapping mapping.toml makes a file to edit, --mapping reads it",
        file=file,
    )


def _lacking(form: Format, columns: Sequence[str]) -> str:
    at = bind(form, columns).at
    lacks = [
        " or ".join(form.fields[name].names[:3]) if name.startswith("_")  # a name of ours that nobody can use
        else f"{name} from {' or '.join(form.fields[name].names[:3])}"
        for name in form.needs if name not in at
    ]  # fmt: skip
    return f"it lacks {', '.join(lacks)}" if lacks else "few of its columns are there"


def guess(columns: Sequence[str]) -> Format:
    """The best guess at what an unknown file's columns mean, each column for one of ours, to be edited by a person."""
    names = [normal_name(c) for c in columns]
    taken: set[str] = set()
    fields: dict[str, Field] = {}
    for ours in dict.fromkeys((*_WORDS, *_MORE_WORDS)):
        words = _WORDS.get(ours, (ours,))
        known = dict.fromkeys((*words, *(n for f in FORMATS if f.kind == "tickets" and ours in f.fields
                                        for n in f.fields[ours].names)))  # fmt: skip
        hit = next((n for n in known if n in names and n not in taken), None)
        if hit is None:
            hit = next((n for n in _MORE_WORDS.get(ours, ()) if n in names and n not in taken), None)
        if hit is None:
            pool = [n for n in names if n not in taken]
            close = difflib.get_close_matches(words[0], pool, n=1, cutoff=0.85)
            hit = close[0] if close else None
        if hit is not None:
            taken.add(hit)
            fields[ours] = Field(names=(hit,), unit=_unit(ours, hit))
    return Format(name="mapping", title="a mapping", kind="tickets", fields=fields)


def _unit(ours: str, name: str) -> str:
    if column_of(ours).unit != "s":
        return "s"
    for word, unit in (
        ("minute", "min"),
        ("minuten", "min"),
        ("_min", "min"),
        ("millis", "ms"),
        ("_ms", "ms"),
        ("hour", "h"),
        ("hrs", "h"),
    ):
        if word in name:
            return unit
    return "s"


def resembles(columns: Sequence[str]) -> str | None:
    """Title of the vendor whose export a header is, if one is sure."""
    sure = sorted(
        ((_marks(f, columns), f.title) for f in FORMATS if _marks(f, columns) >= max(3, f.least)), reverse=True
    )
    return sure[0][1] if sure else None
