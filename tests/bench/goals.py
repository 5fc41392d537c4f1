"""What the bench measures, what it wants of calmd, and the table that it prints.

A measurement is one run of bench-load and gives one or more values; a row of the table is one value
of one measurement. GNU and pty goals are ratios: calmd's median over the other's.
"""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. `least` goals want calmd to be at least so many times the other,
    the `most` goal at most."""

    name: str
    measurement: str
    value: str
    unit: str
    least_of_gnu: float | None = None
    most_of_gnu: float | None = None
    least_of_pty: float | None = None


ROWS = (
    Row("keystroke p50, two CPUs", "keystroke-two", "p50_us", "us", most_of_gnu=1.0),
    Row("keystroke p99, two CPUs", "keystroke-two", "p99_us", "us", most_of_gnu=1.0),
    Row("keystroke p50, one CPU", "keystroke-one", "p50_us", "us", most_of_gnu=1.6),
    Row("keystroke p99, one CPU", "keystroke-one", "p99_us", "us"),
    Row("output", "output", "mb_per_s", "MB/s", least_of_gnu=1.0, least_of_pty=0.9),
    Row("output, raw terminal", "output-raw", "mb_per_s", "MB/s", least_of_gnu=1.0, least_of_pty=0.9),
    Row("input", "input", "mb_per_s", "MB/s", least_of_gnu=1.0),
    Row("sessions, one by one", "setup-1", "sessions_per_s", "/s", least_of_gnu=10.0),
    Row("sessions, 16 at once", "setup-16", "sessions_per_s", "/s", least_of_gnu=1.5),
    Row("plain client, one by one", "setup-plain-1", "sessions_per_s", "/s"),
    Row("plain client, 16 at once", "setup-plain-16", "sessions_per_s", "/s"),
    Row("memory of an idle session", "memory", "session_kb", "kB", most_of_gnu=1.0),
)

SERVERS = ("pty", "gnu", "calmd")
HEADINGS = ("", "unit", "pty alone", "GNU telnetd", "calmd", "/GNU", "/pty", "goal", "met")


def measurements():
    """The names of all measurements, in the order in which they run."""
    return tuple(dict.fromkeys(row.measurement for row in ROWS))


class Results:
    """Every value of every round, by server and measurement."""

    def __init__(self):
        self.rounds = {}

    def add(self, server, measurement, values):
        """Keeps the values of one run: a dict of name to number."""
        self.rounds.setdefault((server, measurement), []).append(values)

    def samples(self, server, row):
        """What the rounds gave for a row, or an empty list."""
        return [values[row.value] for values in self.rounds.get((server, row.measurement), [])]

    def median(self, server, row):
        """The median over the rounds, or None where nothing was measured."""
        samples = self.samples(server, row)
        return statistics.median(samples) if samples else None


def ratio(results, row, other):
    """calmd's median over that of `other`, or None."""
    mine, theirs = results.median("calmd", row), results.median(other, row)
    return mine / theirs if mine is not None and theirs else None


def goal_checks(results, row):
    """(text, whether it is met or None) for each goal of a row."""
    of_gnu, of_pty = ratio(results, row, "gnu"), ratio(results, row, "pty")
    if row.least_of_gnu is not None:
        yield f">= {row.least_of_gnu:g} GNU", None if of_gnu is None else of_gnu >= row.least_of_gnu
    if row.most_of_gnu is not None:
        yield f"<= {row.most_of_gnu:g} GNU", None if of_gnu is None else of_gnu <= row.most_of_gnu
    if row.least_of_pty is not None:
        yield f">= {row.least_of_pty:g} pty", None if of_pty is None else of_pty >= row.least_of_pty


def is_met(results, row):
    """True, False, or None where a row has no goal or a part of it was not measured."""
    met = [result for _, result in goal_checks(results, row)]
    if False in met:
        return False
    return True if met and None not in met else None


def number(value):
    """Three significant digits are more than the rounds agree on."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(results, rows=ROWS):
    """The table as text."""
    lines = [HEADINGS]
    for row in rows:
        met = is_met(results, row)
        lines.append((
            row.name, row.unit,
            *(number(results.median(server, row)) for server in SERVERS),
            *(number(ratio(results, row, other)) for other in ("gnu", "pty")),
            ", ".join(text for text, _ in goal_checks(results, row)) or "-",
            "-" if met is None else "yes" if met else "NO",
        ))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(
        cell.rjust(width) if 2 <= column <= 6 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def as_json(results, rows=ROWS):
    """The same with every round's values, for a file."""
    return [{
        "name": row.name, "measurement": row.measurement, "value": row.value, "unit": row.unit,
        **{server: results.median(server, row) for server in SERVERS},
        "of_gnu": ratio(results, row, "gnu"), "of_pty": ratio(results, row, "pty"),
        "goals": [text for text, _ in goal_checks(results, row)], "met": is_met(results, row),
        "rounds": {server: results.samples(server, row) for server in SERVERS},
    } for row in rows]
