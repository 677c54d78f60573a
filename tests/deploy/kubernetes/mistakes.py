"""Mistakes on purpose, each in objects that were right, and a word of what must be said of it."""


def find(objects, kind):
    return next(item for item in objects if item["kind"] == kind)


def pod(objects):
    return find(objects, "Deployment")["spec"]["template"]["spec"]


def server(objects):
    return pod(objects)["containers"][0]


def variable(objects, name):
    return next(item for item in server(objects)["env"] if item["name"] == name)


def rename(mapping, old, new):
    mapping[new] = mapping.pop(old)


# For the schemas.
BY_SCHEMA = {
    "a field that is not there": (lambda o: rename(server(o), "livenessProbe", "livelinessProbe"), "livelinessProbe"),
    "a field in the wrong place": (lambda o: pod(o).update(readOnlyRootFilesystem=True), "readOnlyRootFilesystem"),
    "a field of a Service": (lambda o: rename(find(o, "Service")["spec"], "selector", "selectors"), "selectors"),
    "a number as text": (lambda o: server(o)["ports"][0].update(containerPort="3000"), "containerPort"),
    "text as a number": (lambda o: variable(o, "PORT").update(value=3000), "3000"),
    "a list that is none": (lambda o: pod(o).update(volumes={"name": "models"}), "volumes"),
    "a field that is missing": (lambda o: find(o, "Deployment")["spec"].pop("selector"), "selector"),
    "a field of a policy": (lambda o: rename(find(o, "NetworkPolicy")["spec"], "podSelector", "podSelectors"), "podSelectors"),
    "a word that is none": (lambda o: find(o, "PodDisruptionBudget")["spec"].update(minAvailible=1), "minAvailible"),
}

# For what objects must agree on.
BY_REFERENCE = {
    "a Service of other pods": (lambda o: find(o, "Service")["spec"]["selector"].update({"app.kubernetes.io/name": "berd"}),
                                "Service: its selector"),
    "a Deployment of other pods": (lambda o: find(o, "Deployment")["spec"]["selector"]["matchLabels"].update(app="bertd"),
                                   "Deployment: its selector"),
    "a budget of other pods": (lambda o: find(o, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(app="x"),
                               "PodDisruptionBudget: its selector"),
    "a policy for other pods": (lambda o: find(o, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].update(app="x"),
                                "NetworkPolicy: its selector"),
    "a probe of a port that is none": (lambda o: server(o)["readinessProbe"]["httpGet"].update(port="health"),
                                       "readinessProbe: the pods have no port health"),
    "a Service's port that is none": (lambda o: find(o, "Service")["spec"]["ports"][0].update(targetPort="htp"),
                                      "Service: the pods have no port htp"),
    "a policy's port that is none": (lambda o: find(o, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0].update(port="web"),
                                     "NetworkPolicy: the pods have no port web"),
    "a port where nobody listens": (lambda o: server(o)["ports"][0].update(containerPort=8080), "bertd listens on"),
    "an annotation of another port": (lambda o: find(o, "Deployment")["spec"]["template"]["metadata"]["annotations"].update(
        {"prometheus.io/port": "3000"}), "annotated with port 3000"),
    "a liveness probe that kills who recovers": (lambda o: server(o)["livenessProbe"]["httpGet"].update(path="/health"),
                                                 "livenessProbe must ask"),
    "a readiness probe that is always green": (lambda o: server(o)["readinessProbe"]["httpGet"].update(path="/v2/health/live"),
                                               "readinessProbe must ask"),
    "too little time to end": (lambda o: pod(o).update(terminationGracePeriodSeconds=20), "terminationGracePeriodSeconds"),
    "too little memory": (lambda o: server(o)["resources"]["limits"].update(memory="1Gi"), "memory limit"),
    "a volume that is not there": (lambda o: pod(o)["volumes"].pop(), "its volumes are"),
    "a file where nothing is mounted": (lambda o: variable(o, "BERTD_API_KEYS_FILE").update(value="/secrets/keys"),
                                        "where nothing is mounted"),
    "root": (lambda o: pod(o)["securityContext"].update(runAsUser=0), "securityContext is not confined"),
    "a root that can be written": (lambda o: server(o)["securityContext"].update(readOnlyRootFilesystem=False), "bertd is not"),
    "an account of the cluster": (lambda o: pod(o).pop("automountServiceAccountToken"), "automountServiceAccountToken"),
    "variables of Services": (lambda o: pod(o).pop("enableServiceLinks"), "enableServiceLinks"),
    "nobody who says how many pods": (lambda o: find(o, "Deployment")["spec"].pop("replicas"), "its replicas"),
    "the same object twice": (lambda o: o.append(find(o, "Service")), "is there twice"),
    "no Deployment": (lambda o: o.remove(find(o, "Deployment")), "one Deployment"),
}
