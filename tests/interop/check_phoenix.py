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
TOKENS = """query($id: ID!) { node(id: $id) { ... on Span { tokenCountPrompt tokenCountCompletion
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


def microseconds(text):
    return datetime.datetime.fromisoformat(text)


def instant(nanoseconds):
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc) + datetime.timedelta(
        microseconds=rest // 1000)


def facts_of_sent(span):
    """What Phoenix is to know of a span."""
    facts = {
        "name": span["name"], "trace": span["traceId"], "parent": span.get("parentSpanId"),
        "status": STATUS[span.get("status", {}).get("code", 0)],
        "description": span.get("status", {}).get("message", ""),
        "began": instant(span["startTimeUnixNano"]), "ended": instant(span["endTimeUnixNano"]),
        "events": [event["name"] for event in span.get("events", [])],
    }
    operation = span["name"].split(" ")[0]
    if operation in KINDS:
        facts["kind"] = KINDS[operation]
    if operation == "chat":
        facts["model"] = value(span, "gen_ai.request.model", "llm.model_name")
        facts["input"] = value(span, "gen_ai.usage.input_tokens", "llm.token_count.prompt")
        facts["output"] = value(span, "gen_ai.usage.output_tokens", "llm.token_count.completion")
    return facts


def facts_of_stored(phoenix, span):
    facts = {
        "name": span["name"], "trace": span["context"]["trace_id"], "parent": span["parent_id"],
        "status": span["status_code"], "description": span["status_message"],
        "began": microseconds(span["start_time"]), "ended": microseconds(span["end_time"]),
        "events": [event["name"] for event in span["events"]], "kind": span["span_kind"],
    }
    if facts["name"].startswith("chat "):
        node = fetch(f"{phoenix}/graphql",
                     {"query": TOKENS, "variables": {"id": span["id"]}})["data"]["node"]
        facts["model"] = json.loads(node["attributes"])["llm"].get("model_name")
        facts["input"], facts["output"] = node["tokenCountPrompt"], node["tokenCountCompletion"]
    return facts


def main():
    phoenix, project, sent_file = sys.argv[1:]
    sent = {span["spanId"]: span for span in otlp.of_file(sent_file)[0]}
    spans = stored(phoenix, project, len(sent))
    wrong = [f"{sent[one]['name']} is not stored" for one in sent.keys() - spans.keys()]
    kinds = collections.Counter()
    for one in sent.keys() & spans.keys():
        expected, found = facts_of_sent(sent[one]), facts_of_stored(phoenix, spans[one])
        kinds[f"{found['name'].split(' ')[0]} {found['kind']}"] += 1
        wrong += [f"{expected['name']}: {fact}: sent {expected[fact]}, stored {found.get(fact)}"
                  for fact in expected if expected[fact] != found.get(fact)]
    if not any(value(span, "gen_ai.usage.input_tokens", "llm.token_count.prompt")
               for span in sent.values()):
        wrong.append("no tokens were sent")
    print(f"{project}: {len(sent)} spans: " + (f"{len(wrong)} wrong" if wrong else "as they were sent"))
    print("  its kinds: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    for line in wrong[:20]:
        print(" ", line)
    sys.exit(1 if wrong else 0)


main()
