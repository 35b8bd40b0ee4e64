"""Checks of the pod templates of deploy/kubernetes, run by `podman kube play`."""

import json, os, re, subprocess, tempfile
from pathlib import Path

import yaml

import images
from engine import Failure, check_confined_process, expect, get, inspect, podman, until

NETWORK = "tracegen-pods"


def built(checkout, part):
    """Returns the output of kustomize for a part, by kind and name."""
    build = [os.environ["KUSTOMIZE"], "build", Path(checkout, "deploy/kubernetes", part)]
    made = subprocess.run(build, capture_output=True, text=True)
    if made.returncode:
        raise Failure(f"kustomize build deploy/kubernetes/{part}: {made.stderr.strip()[-500:]}")
    return {(object["kind"], object["metadata"]["name"]): object for object in yaml.safe_load_all(made.stdout)}


def of_kind(objects, kind):
    return [object for (found, _), object in objects.items() if found == kind]


def play(owner, others, name, change=lambda container: None):
    """Runs the pod of a Deployment or a Job under a name, and returns its container."""
    template = json.loads(json.dumps(owner["spec"]["template"]))
    container = template["spec"]["containers"][0]
    # The release that kustomize names is the image that was built here.
    podman("tag", f"{images.TRACEGEN}-kept", container["image"])
    container["imagePullPolicy"] = "Never"
    container["resources"].pop("limits")
    change(container)
    template["metadata"]["name"] = name
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump_all([*others, {"apiVersion": "v1", "kind": "Pod", **template}], file)
        file.flush()
        podman("kube", "play", "--network", NETWORK, file.name)
    return f"{name}-{container['name']}"


def address(pod):
    infra = json.loads(podman("pod", "inspect", pod))["InfraContainerID"]
    return next(iter(inspect(infra)["NetworkSettings"]["Networks"].values()))["IPAddress"]


def check_serve(checkout):
    """The pod of `serve` runs as its template demands, and answers its probes."""
    where, objects = "deploy/kubernetes/serve", built(checkout, "serve")
    deployment = objects["Deployment", "tracegen"]
    name = play(deployment, of_kind(objects, "ConfigMap"), "tracegen")
    pid = inspect(name)["State"]["Pid"]
    check_confined_process(where, pid)
    spec = deployment["spec"]["template"]["spec"]
    user = spec["securityContext"]["runAsUser"]
    expect(f"Uid:\t{user}\t" in Path(f"/proc/{pid}/status").read_text(), f"{where}: it does not run as user {user}")
    template = spec["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in template["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = template[probe]["httpGet"]
        url = f"http://{address('tracegen')}:{ports.get(asked['port'], asked['port'])}{asked['path']}"
        try:
            until(f"{url} answers 200", lambda: get(url)[0] == 200, 30)
        except Failure as failure:
            expect(False, f"{where}: {probe}: {failure}")
    podman("pod", "stop", "--time", str(spec["terminationGracePeriodSeconds"]), "tracegen")
    status = inspect(name)["State"]["ExitCode"]
    expect(status in (0, 143), f"{where}: it ends with status {status} after SIGTERM")


def check_load(checkout):
    """The pods of a load test each send a shard and write its manifest, and the last one merges them."""
    where, objects = "deploy/kubernetes/load", built(checkout, "load")
    job = objects["Job", "tracegen-load"]
    settings = objects["ConfigMap", "tracegen-load"]
    # The load is smaller and has no target; delivery to a collector is tested with the stack.
    settings["data"] |= {"DURATION": "2s", "RATE": "100/s"}
    others = [*of_kind(objects, "ConfigMap"), *of_kind(objects, "PersistentVolumeClaim")]
    shards = job["spec"]["completions"]

    def run(owner, name, change=lambda container: None):
        container = play(owner, others, name, change)
        podman("wait", container)
        status = inspect(container)["State"]["ExitCode"]
        said = subprocess.run(["podman", "logs", container], capture_output=True, text=True)
        expect(status == 0, f"{where}: {name} ends with status {status}: {(said.stdout + said.stderr).strip()[-500:]}")
        podman("pod", "rm", "--force", name)

    for index in range(shards):

        def as_shard(container, index=index):
            # Kubernetes gives each pod a number, and expands variables in arguments, which Podman does not.
            values = settings["data"] | {"JOB_COMPLETION_INDEX": str(index)}
            expanded = [re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], word) for word in container["args"]]
            container["args"] = [*expanded[:-1], "--exporter=none", expanded[-1]]

        run(job, f"tracegen-load-{index}", as_shard)
        others = of_kind(objects, "ConfigMap")
    run(objects["Job", "tracegen-merge"], "tracegen-merge")


def with_cgroups():
    """Makes a cgroup for a pod, because Podman demands one; it restricts nothing."""
    written = Path(os.environ["CONTAINERS_CONF"])
    changed = written.with_name("pods.conf")
    text = (
        written.read_text().replace('cgroups = "disabled"', 'cgroups = "enabled"').replace('"crun"', '"crun-without-cgroups"')
    )
    runtime = Path(__file__).parent / "bin/crun-without-cgroups"
    changed.write_text(f'{text}\n[engine.runtimes]\ncrun-without-cgroups = ["{runtime}"]\n')
    os.environ["CONTAINERS_CONF"] = str(changed)


def check(checkout):
    with_cgroups()
    podman("network", "create", NETWORK)
    check_serve(checkout)
    check_load(checkout)
