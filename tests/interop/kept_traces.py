"""kept_traces.py TRACES KEPT SLOW_MS: whether those of the traces were kept for which
docs/collector.yaml says so, where nothing of the rest is.
"""
import collections
import sys

import otlp

COSTLY_USD = 0.5


def value(span, name):
    return span.get("attributes", {}).get(name, [None, None])[1]


def is_worth_it(spans, slow_ms):
    began = min(span["startTimeUnixNano"] for span in spans)
    ended = max(span["endTimeUnixNano"] for span in spans)
    return ended - began > slow_ms * 1_000_000 or any(
        span.get("status", {}).get("code") == 2
        or value(span, "mellea.outcome")
        or (value(span, "mellea.generation.retry_count") or 0) > 0
        or (value(span, "mellea.usage.cost_usd") or 0) > COSTLY_USD
        for span in spans)


def traces(path):
    found = collections.defaultdict(list)
    for span in otlp.of_file(path)[0]:
        found[span["traceId"]].append(span)
    return found


def main():
    all_traces, kept = traces(sys.argv[1]), traces(sys.argv[2])
    worth_it = {trace for trace, spans in all_traces.items()
                if is_worth_it(spans, int(sys.argv[3]))}
    cases = {trace: value(span, "case") for trace, spans in all_traces.items() for span in spans}

    def names(some):
        return " ".join(sorted(cases[trace] or "demo" for trace in some))

    print(f"kept: {names(kept)}; not kept: {names(all_traces.keys() - kept.keys())}")
    whole = all(len(kept[trace]) == len(all_traces[trace]) for trace in kept)
    expected = {"failed", "retried", "blocked", "left", "slow", "costly"}
    if kept.keys() != worth_it or not whole or not expected <= {cases[t] for t in kept}:
        sys.exit(f"to be kept were, each whole: {names(worth_it)}")
    if len(kept) == len(all_traces):
        sys.exit("no trace was left out")


main()
