"""check_prometheus.py PROMETHEUS PAGE RECIPES: whether Prometheus has what the page says, and the
queries of the recipes find something.
"""
import json
import re
import sys
import time
import urllib.parse
import urllib.request

SAMPLE = re.compile(r'^(?P<name>\w+)(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (?P<value>\S+)'
                    r'(?: # \{(?P<exemplar>[^}]*)\} (?P<measured>\S+).*)?$')
METRIC = re.compile(r"\b\w+(?=[{\[])")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def fetch(url, accept="*/*"):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"accept": accept})) as answer:
        return answer.headers["content-type"], answer.read().decode()


def ask(prometheus, path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    return json.loads(fetch(url)[1])["data"]


def labels_of(text):
    unescape = lambda match: ESCAPES[match[1]]
    return {name: re.sub(r"\\(.)", unescape, value) for name, value in LABEL.findall(text or "")}


def key(name, labels):
    """A series, whoever looked at it; and 1.0 is the bucket 1."""
    labels = {k: v for k, v in labels.items() if k not in ("__name__", "job", "instance")}
    if "le" in labels:
        labels["le"] = str(float(labels["le"]))
    return name, tuple(sorted(labels.items()))


def read_page(page):
    """The samples and the exemplars of a page, and the kind of each family."""
    samples, exemplars, kinds = {}, set(), {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif line and not line.startswith("#"):
            sample = SAMPLE.match(line)
            if not sample:
                sys.exit(f"not understood: {line}")
            series = key(sample["name"], labels_of(sample["labels"]))
            samples[series] = float(sample["value"])
            if sample["exemplar"]:
                trace = labels_of(sample["exemplar"])["trace_id"]
                exemplars.add((series, trace, float(sample["measured"])))
    return samples, exemplars, kinds


def stored_samples(prometheus):
    found = {}
    for one in ask(prometheus, "query", query='{job="mellea"}')["result"]:
        name = one["metric"]["__name__"]
        if name != "up" and not name.startswith("scrape_"):
            found[key(name, one["metric"])] = float(one["value"][1])
    return found


def stored_exemplars(prometheus):
    found = set()
    now = time.time()
    for series in ask(prometheus, "query_exemplars", query='{job="mellea"}', start=now - 600,
                      end=now + 600):
        for one in series["exemplars"]:
            found.add((key(series["seriesLabels"]["__name__"], series["seriesLabels"]),
                       one["labels"]["trace_id"], float(one["value"])))
    return found


def differences(what, said, stored):
    return [f"{what}: only on the page: {one}" for one in said - stored] + [
        f"{what}: only in Prometheus: {one}" for one in stored - said]


def queries(recipes):
    with open(recipes, encoding="utf-8") as page:
        return re.findall(r"```promql\n(.*?)```", page.read(), re.DOTALL)


def main():
    prometheus, page_url, recipes = sys.argv[1:]
    text_type, text = fetch(page_url, "text/plain")
    open_type, openmetrics = fetch(page_url, "application/openmetrics-text; version=1.0.0")
    if "0.0.4" not in text_type or "openmetrics-text" not in open_type:
        sys.exit(f"the page came as {text_type} and {open_type}")
    looks = 'min(count_over_time(up{job="mellea"}[1m])) >= 3'
    while not ask(prometheus, "query", query=looks)["result"]:  # rates want two
        time.sleep(0.2)

    samples, exemplars, kinds = read_page(openmetrics)
    wrong = differences("sample", set(samples.items()), set(stored_samples(prometheus).items()))
    wrong += differences("sample of the older format", set(samples.items()),
                         set(read_page(text)[0].items()))
    wrong += differences("exemplar", exemplars, stored_exemplars(prometheus))
    told = {(one["metric"], one["type"])
            for one in ask(prometheus, "targets/metadata", match_target='{job="mellea"}')}
    wrong += differences("kind", set(kinds.items()), told)
    if not exemplars:
        wrong.append("the page has no exemplar")
    asked = queries(recipes)
    names = {name for name, _ in samples}
    for query in asked:
        wrong += [f"not on the page: {name}" for name in METRIC.findall(query) if name not in names]
        if not ask(prometheus, "query", query=query)["result"]:
            wrong.append(f"found nothing: {query}")
    if not asked:
        wrong.append(f"there is no query in {recipes}")
    print(f"{len(samples)} samples, {len(exemplars)} exemplars, {len(kinds)} families, "
          f"{len(asked)} queries: " + (f"{len(wrong)} wrong" if wrong else "as they should be"))
    for line in wrong[:20]:
        print(" ", line)
    sys.exit(1 if wrong else 0)


main()
