"""What is written as OTLP in JSON, in a form in which equal things are equal.

The two writers choose differently among what OTLP's JSON allows: defaults are left out or not,
batches are cut elsewhere, and the order of attributes means nothing.
"""
import collections
import json


def of_file(path):
    """The spans and the metric points of a file with a request a line."""
    spans, points = [], {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            for group in request.get("resourceSpans", []):
                for whole in _members(group, "scopeSpans", "spans"):
                    spans.append(whole)
            for group in request.get("resourceMetrics", []):
                for whole in _members(group, "scopeMetrics", "metrics"):
                    for key, point in _points(whole):
                        points[key] = point  # the last look counts
    return spans, points


def _members(group, scopes, members):
    """Each span or metric, with where it comes from."""
    resource = _message(group.get("resource", {}))
    resource["schemaUrl"] = group.get("schemaUrl", "")
    for scope_group in group[scopes]:
        scope = _message(scope_group.get("scope", {}))
        scope["schemaUrl"] = scope_group.get("schemaUrl", "")
        for member in scope_group[members]:
            yield {"resource": resource, "scope": scope, **_message(member)}


def _points(metric):
    kind = next(k for k in ("sum", "gauge", "histogram") if k in metric)
    about = {k: v for k, v in metric.items() if k != kind}
    about["kind"] = kind
    about.update({k: v for k, v in metric[kind].items() if k != "dataPoints"})
    for point in metric[kind]["dataPoints"]:
        labels = point.pop("attributes", {})
        key = json.dumps([about["resource"], about["scope"], about["name"], labels], sort_keys=True)
        yield key, {"metric": about, "labels": labels, "point": point}


def _message(message):
    """A message without what is as if it were not there."""
    out = {}
    for name, value in message.items():
        if name == "attributes":
            value = _attributes(value)
        elif name == "status":
            value = {k: v for k, v in value.items() if v not in (0, "")}
        elif name in ("explicitBounds", "bucketCounts"):
            value = [float(one) for one in value]
        elif isinstance(value, dict):
            value = _message(value)
        elif isinstance(value, list):
            value = [_message(one) for one in value]
        elif name.endswith(("Nano", "Count")) or name in ("count", "asInt"):
            value = int(value)
        elif name in ("sum", "min", "max", "asDouble"):
            out[name] = float(value)  # which 0 is not the same as nothing
            continue
        if value not in (0, "", {}, []) or name == "asInt":
            out[name] = value
    return out


def _attributes(pairs):
    names = collections.Counter(pair["key"] for pair in pairs)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"more than one attribute has the name {twice[0]}")
    return {pair["key"]: _value(pair["value"]) for pair in pairs}


def _value(value):
    (kind, inner), = value.items()
    if kind == "intValue":
        inner = int(inner)
    elif kind == "doubleValue":
        inner = float(inner)
    elif kind == "arrayValue":
        inner = [_value(one) for one in inner.get("values", [])]
    return [kind, inner]
