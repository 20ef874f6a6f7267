"""check_phoenix.py PHOENIX PROJECT SENT: whether Phoenix has the spans that were sent: the same trees,
times, status and events, and the models and tokens that its pages are about.
"""
import collections
import datetime
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import otlp

# Its kinds of the operations that we name.
KINDS = {"chat": "LLM", "text_completion": "LLM", "embeddings": "EMBEDDING", "execute_tool": "TOOL",
         "invoke_agent": "AGENT"}
STATUS = {0: "UNSET", 1: "OK", 2: "ERROR"}
DETAILS = """query($id: ID!) { node(id: $id) { ... on Span { tokenCountPrompt tokenCountCompletion
  attributes } } }"""


def fetch(url, body=None):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def stored(phoenix, project, count):
    """All spans of the project, once they are there: they are stored some time after they came."""
    url = f"{phoenix}/v1/projects/{urllib.parse.quote(project)}/spans?limit=1000"
    until = time.monotonic() + 60
    while True:
        try:
            spans = fetch(url)["data"]
        except urllib.error.HTTPError:  # there is no such project yet
            spans = []
        if len(spans) >= count or time.monotonic() > until:
            return {span["context"]["span_id"]: span for span in spans}
        time.sleep(0.5)


def value(span, *names):
    """Of the first of these attributes that there is."""
    attributes = span.get("attributes", {})
    return next((attributes[name][1] for name in names if name in attributes), None)


def plain(carrier):
    def inner(typed):
        kind, content = typed
        return [inner(one) for one in content] if kind == "arrayValue" else content

    return {name: inner(typed) for name, typed in carrier.get("attributes", {}).items()}


def microseconds(text):
    since = datetime.datetime.fromisoformat(text) - datetime.datetime.fromtimestamp(
        0, datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1)


def facts_of_sent(span):
    """What Phoenix is to know of a span."""
    facts = {
        "name": span["name"], "trace": span["traceId"], "parent": span.get("parentSpanId"),
        "status": STATUS[span.get("status", {}).get("code", 0)],
        "description": span.get("status", {}).get("message", ""),
        "began": span["startTimeUnixNano"] // 1000, "ended": span["endTimeUnixNano"] // 1000,
        "events": [[event["name"], plain(event)] for event in span.get("events", [])],
        "attributes": plain(span),
    }
    operation = span["name"].split(" ")[0]
    if operation in KINDS:
        facts["kind"] = KINDS[operation]
    if operation == "chat":
        facts["model"] = value(span, "gen_ai.request.model", "llm.model_name")
        # To it, tokens that nobody told of are none.
        facts["input"] = value(span, "gen_ai.usage.input_tokens", "llm.token_count.prompt") or 0
        facts["output"] = value(
            span, "gen_ai.usage.output_tokens", "llm.token_count.completion") or 0
    return facts


def facts_of_stored(phoenix, span):
    facts = {
        "name": span["name"], "trace": span["context"]["trace_id"], "parent": span["parent_id"],
        "status": span["status_code"], "description": span["status_message"],
        "began": microseconds(span["start_time"]), "ended": microseconds(span["end_time"]),
        "events": [[event["name"], event["attributes"]] for event in span["events"]],
        "attributes": span["attributes"], "kind": span["span_kind"],
    }
    if facts["name"].startswith("chat "):
        node = fetch(f"{phoenix}/graphql",
                     {"query": DETAILS, "variables": {"id": span["id"]}})["data"]["node"]
        facts["model"] = json.loads(node["attributes"])["llm"].get("model_name")
        facts["input"], facts["output"] = node["tokenCountPrompt"], node["tokenCountCompletion"]
    return facts


def those_of(sent, stored):
    """Without the names that it adds."""
    return {name: value for name, value in stored.items() if name in sent}


def differences(expected, found):
    for fact, one in expected.items():
        other = found.get(fact)
        if fact == "attributes":
            other = those_of(one, other)
        if fact == "events" and len(one) == len(other):
            other = [[name, those_of(sent, stored)]
                     for (_, sent), (name, stored) in zip(one, other)]
        if one != other and not (fact in ("began", "ended") and abs(one - other) <= 1):  # rounded
            yield f"{expected['name']}: {fact}: sent {one}, stored {other}"


def main():
    phoenix, project, sent_file = sys.argv[1:]
    sent = {span["spanId"]: span for span in otlp.of_file(sent_file)[0]}
    spans = stored(phoenix, project, len(sent))
    wrong = [f"{sent[one]['name']} is not stored" for one in sent.keys() - spans.keys()]
    kinds = collections.Counter()
    for one in sent.keys() & spans.keys():
        expected, found = facts_of_sent(sent[one]), facts_of_stored(phoenix, spans[one])
        kinds[f"{found['name'].split(' ')[0]} {found['kind']}"] += 1
        wrong += differences(expected, found)
    if not any(value(span, "gen_ai.usage.input_tokens", "llm.token_count.prompt")
               for span in sent.values()):
        wrong.append("no tokens were sent")
    print(f"{project}: {len(sent)} spans: " + (f"{len(wrong)} wrong" if wrong else "as they were sent"))
    print("  its kinds: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    for line in wrong[:20]:
        print(" ", line)
    sys.exit(1 if wrong else 0)


main()
