"""compare_otlp.py SENT_TRACES STORED_TRACES SENT_METRICS STORED_METRICS: whether a receiver stored
what was sent, as the program's own files tell of it: all of it, and nothing else.
"""
import json
import sys

import otlp


def difference(path, one, other):
    """Where two values first differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                return difference(f"{path}.{name}", one.get(name), other.get(name))
    return f"{path}: sent {json.dumps(one)[:300]}, stored {json.dumps(other)[:300]}"


def compare(what, sent, stored):
    if not sent:
        return [f"no {what} was sent"]
    wrong = [f"{what} {name} is not stored" for name in sent if name not in stored]
    wrong += [f"{what} {name} was not sent" for name in stored if name not in sent]
    for name in sent.keys() & stored.keys():
        if sent[name] != stored[name]:
            wrong.append(difference(what, sent[name], stored[name]))
    return wrong


def by_id(spans):
    ids = {f"{span['name']} {span['traceId']}/{span['spanId']}": span for span in spans}
    if len(ids) != len(spans):
        sys.exit("a span is there twice")
    return ids


def of_one_look(points):
    """Each of the program's readers looks at a time of its own, and this counts what they send."""
    for point in points.values():
        del point["point"]["timeUnixNano"]
    return {key: point for key, point in points.items()
            if not point["metric"]["name"].startswith("mellea.telemetry.")}


def main():
    sent_spans, _ = otlp.of_file(sys.argv[1])
    stored_spans, _ = otlp.of_file(sys.argv[2])
    _, sent_points = otlp.of_file(sys.argv[3])
    _, stored_points = otlp.of_file(sys.argv[4])
    wrong = compare("span", by_id(sent_spans), by_id(stored_spans))
    wrong += compare("point", of_one_look(sent_points), of_one_look(stored_points))
    events = sum(len(span.get("events", [])) for span in sent_spans)
    links = sum(len(span.get("links", [])) for span in sent_spans)
    exemplars = sum(len(point["point"].get("exemplars", [])) for point in sent_points.values())
    if not (events and links and exemplars):
        wrong.append("no event, link or exemplar was sent")
    print(f"{len(sent_spans)} spans, {events} events, {links} links, {len(sent_points)} points, "
          f"{exemplars} exemplars: " + (f"{len(wrong)} differ" if wrong else "stored as they were sent"))
    for line in wrong[:20]:
        print(" ", line)
    sys.exit(1 if wrong else 0)


main()
