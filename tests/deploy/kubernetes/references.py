"""What the objects of an installation must agree on, and no schema knows: problems(objects) says where they do not."""

STOPPING = 10  # seconds that bertd gives requests which still run after the drain
MEMORY_BESIDE_REQUESTS = 512 << 20
REQUEST_MEMORY = 1 << 30  # bertd's own --max-request-memory
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9}


def of_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


def quantity(text):
    digits = str(text).rstrip("KMGik")
    return int(digits) * UNITS[str(text)[len(digits):]]


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container.get("env", [])}


def selects(selector, labels):
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def port_names(pod):
    return {port["name"]: port["containerPort"] for container in pod["containers"] for port in container.get("ports", [])}


def of_selectors(objects, deployment):
    """Everything that selects pods selects these."""
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    selectors = [("Deployment", deployment["spec"]["selector"]["matchLabels"])]
    selectors += [("topologySpreadConstraints", spread["labelSelector"]["matchLabels"])
                  for spread in template["spec"]["topologySpreadConstraints"]]
    selectors += [("Service", item["spec"]["selector"]) for item in of_kind(objects, "Service")]
    selectors += [("NetworkPolicy", item["spec"]["podSelector"]["matchLabels"]) for item in of_kind(objects, "NetworkPolicy")]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selectors += [(kind, item["spec"]["selector"]["matchLabels"]) for item in of_kind(objects, kind)]
    for kind, selector in selectors:
        if not selects(selector, labels):
            yield f"{kind}: its selector {selector} does not select the pods"


def of_ports(objects, deployment):
    """Every port that is named is one of the pods', and those are where bertd listens."""
    template = deployment["spec"]["template"]
    names = port_names(template["spec"])
    server = template["spec"]["containers"][0]
    named = [(probe, server[probe]["httpGet"]["port"]) for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    named += [("Service", port["targetPort"]) for item in of_kind(objects, "Service") for port in item["spec"]["ports"]]
    named += [("NetworkPolicy", port["port"]) for item in of_kind(objects, "NetworkPolicy")
              for rule in item["spec"]["ingress"] for port in rule["ports"]]
    named += [("PodMonitor", point["port"]) for item in of_kind(objects, "PodMonitor")
              for point in item["spec"]["podMetricsEndpoints"]]
    for where, name in named:
        if name not in names:
            yield f"{where}: the pods have no port {name}"
    listening = {"http": environment(server).get("PORT"), "admin": environment(server).get("BERTD_ADMIN_PORT")}
    if {name: str(port) for name, port in names.items()} != listening:
        yield f"Deployment: its ports are {names}, bertd listens on {listening}"
    annotated = template["metadata"].get("annotations", {}).get("prometheus.io/port", listening["admin"])
    if annotated != listening["admin"]:
        yield f"Deployment: it is annotated with port {annotated}, metrics are on {listening['admin']}"


def of_volumes(deployment):
    pod = deployment["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    containers = pod.get("initContainers", []) + pod["containers"]
    mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
    if mounted != volumes:
        yield f"Deployment: it mounts {sorted(mounted)}, its volumes are {sorted(volumes)}"
    server = pod["containers"][0]
    folders = [mount["mountPath"] for mount in server["volumeMounts"]]
    for name, value in environment(server).items():
        if value and value.startswith("/") and not any(value.startswith(folder + "/") for folder in folders):
            yield f"Deployment: {name} is {value}, where nothing is mounted"


def of_time_and_memory(deployment):
    pod = deployment["spec"]["template"]["spec"]
    server = pod["containers"][0]
    variables = environment(server)
    needed = int(variables["BERTD_DRAIN_SECONDS"]) + STOPPING
    if pod["terminationGracePeriodSeconds"] <= needed:
        yield f"Deployment: terminationGracePeriodSeconds must be more than {needed}"
    memory = int(variables.get("BERTD_MAX_REQUEST_MEMORY", REQUEST_MEMORY)) + int(variables.get("BERTD_CACHE_BYTES", 0))
    if quantity(server["resources"]["limits"]["memory"]) < memory + MEMORY_BESIDE_REQUESTS:
        yield "Deployment: its memory limit is less than requests, cache and the model may take"


def of_probes(deployment):
    """A server whose boards recover is red, and not to be killed for it."""
    server = deployment["spec"]["template"]["spec"]["containers"][0]
    if server["livenessProbe"]["httpGet"]["path"] != "/v2/health/live":
        yield "Deployment: livenessProbe must ask what stays green while boards recover"
    if server["readinessProbe"]["httpGet"]["path"] != "/health":
        yield "Deployment: readinessProbe must ask what is red while it drains"


def of_confinement(deployment):
    """The Pod Security Standard `restricted`, a root that is read only, and no account of the cluster's."""
    pod = deployment["spec"]["template"]["spec"]
    context = pod["securityContext"]
    if not (context.get("runAsNonRoot") and context.get("runAsUser") == 10001 and
            context.get("seccompProfile") == {"type": "RuntimeDefault"}):
        yield "Deployment: securityContext is not confined"
    for container in pod.get("initContainers", []) + pod["containers"]:
        if container.get("securityContext") != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}}:
            yield f"Deployment: securityContext of {container['name']} is not confined"
    if pod.get("automountServiceAccountToken") is not False:
        yield "Deployment: automountServiceAccountToken"
    if pod.get("enableServiceLinks") is not False:
        yield "Deployment: enableServiceLinks would give bertd variables that it does not know"


def of_scaling(objects, deployment):
    autoscalers = of_kind(objects, "HorizontalPodAutoscaler")
    for item in autoscalers:
        target = item["spec"]["scaleTargetRef"]
        if target != {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}:
            yield f"HorizontalPodAutoscaler: there is no {target}"
    if bool(autoscalers) == ("replicas" in deployment["spec"]):
        yield "Deployment: its replicas are said by itself or by an autoscaler, by one of them"


def problems(objects):
    """What is wrong, in words; empty where all is well."""
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    found = [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
    deployments = of_kind(objects, "Deployment")
    if len(deployments) != 1:
        return found + ["there must be one Deployment"]
    deployment = deployments[0]
    for part in (of_selectors, of_ports, of_scaling):
        found += part(objects, deployment)
    for part in (of_volumes, of_time_and_memory, of_probes, of_confinement):
        found += part(deployment)
    return found
